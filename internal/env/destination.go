package env

import (
	"path/filepath"
	"strings"
)

// destinations are paths and who writes each: none may be another's, nor a
// directory in another's path.
type destinations map[string]string

// claim takes a path, unless somebody has it, or is in its way: then it says who,
// and at which path.
func (d destinations) claim(path, place string) (other, clash string) {
	for above := path; above != filepath.Dir(above); above = filepath.Dir(above) {
		if by, taken := d[above]; taken {
			return by, above
		}
	}
	for below := range d {
		if strings.HasPrefix(below, path+"/") && (clash == "" || below < clash) { // the first, whatever the map's order
			clash = below
		}
	}
	if clash == "" {
		d[path] = place
	}
	return d[clash], clash
}

// output is claim for a file that the settings name; it reports a clash.
func (d destinations) output(dest, place string, rep *report) bool {
	other, clash := d.claim(absolute(dest), place)
	if clash != "" {
		rep.addf(ClassConflict, "%s and %s both write %s: remove one, or choose another place", place, other, clash)
	}
	return clash == ""
}

// private is output for what is in the directory of private files. Where there is
// none, as in a check without a run, nothing else can be in it.
func (d destinations) private(s *Sources, dest, place string, rep *report) bool {
	return s.RuntimeDir == "" || d.output(dest, place, rep)
}

// absolute is a path as it can be compared.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
