package env

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"vaultexec/internal/ref"
)

// pointed is a file that the child finds through a variable, NAME_FILE, as the
// images of Docker do: that of a --file-env or a --fd-env.
type pointed struct {
	file
	variable string
	number   int // of the descriptor; 0: it is a file with a name
}

// PlannedDescriptor is a file without a name, which the child inherits.
type PlannedDescriptor struct {
	Number int
	File   PlannedFile // Dest is where the child opens it
}

func (d PlannedDescriptor) same(other PlannedDescriptor) bool {
	return d.Number == other.Number && d.File.same(other.File)
}

// pointerSuffix is what the images of Docker put behind the name of a variable.
const pointerSuffix = "_FILE"

// ParseFileVariable reads the NAME=REF of --file-env.
func ParseFileVariable(text string) (Variable, error) { return parsePointed("--file-env", text) }

// ParseDescriptorVariable reads the NAME=REF of --fd-env.
func ParseDescriptorVariable(text string) (Variable, error) { return parsePointed("--fd-env", text) }

func parsePointed(flag, text string) (Variable, error) {
	name, reference, ok := strings.Cut(text, "=")
	if !ok {
		return Variable{}, finding(ClassUsage, "%s takes NAME=REF, and there is no = in what was given", flag)
	}
	if err := checkPointer(name); err != nil {
		return Variable{}, finding(ClassUsage, "%s %q: %v", flag, name, err)
	}
	r, err := ref.Parse(reference, ref.File)
	if err != nil {
		return Variable{}, finding(ClassUsage, "%s %s: %v", flag, name, err)
	}
	return Variable{name, r}, nil
}

// checkPointer judges a name that becomes one of a variable and of a file.
func checkPointer(name string) error {
	if !isPortable(name) {
		return errors.New("a name is letters, digits and _, and begins with no digit")
	}
	return nil
}

// readPointed checks every --file-env and every --fd-env.
func readPointed(s *Sources, taken destinations, rep *report) []pointed {
	var list []pointed
	places := map[string]string{} // variable -> what sets it
	for _, v := range s.Variables {
		places[v.Name] = "--env " + v.Name
	}
	add := func(flag string, v Variable, dest string, number int) {
		place := flag + " " + v.Name
		if !v.Ref.IsOne() && v.Ref.Format == "" {
			rep.addf(ClassConfig, "%s: a whole secret needs a format: add format=json, yaml, dotenv, export or properties, or take one value with #KEY", place)
			return
		}
		f, errs := readFile(File{dest, v.Ref, place})
		if err := checkPointer(v.Name); err != nil {
			errs = append(errs, err)
		}
		if number > 0 && f.mode&0o111 != 0 {
			errs = append(errs, fmt.Errorf("mode=%s makes a program of it, which a descriptor cannot be: leave out what lets it be executed", v.Ref.Mode))
		}
		f.private = true
		if f.check(s, errs, rep); len(errs) > 0 {
			return
		}
		variable := v.Name + pointerSuffix
		if other, twice := places[variable]; twice {
			rep.addf(ClassConflict, "variable %s is set by %s and by %s: remove one", variable, other, place)
			return
		}
		places[variable] = place
		if number == 0 && !taken.private(s, dest, place, rep) {
			return
		}
		list = append(list, pointed{f, variable, number})
	}
	for _, v := range s.FileVariables {
		add("--file-env", v, filepath.Join(s.RuntimeDir, v.Name), 0)
	}
	for i, v := range s.DescriptorVariables {
		number := s.FirstDescriptor + i
		add("--fd-env", v, fmt.Sprintf("/proc/self/fd/%d", number), number)
	}
	return list
}

// point plans what variables point to, and offers these.
func (p *Planner) point(l lookup, plan *Plan, offered map[string]candidate) {
	for _, f := range p.pointed {
		planned, ok := f.plan(&p.sources, l)
		if !ok {
			continue
		}
		offered[f.variable] = candidate{name: f.variable, value: f.dest, place: f.place}
		if f.number == 0 {
			plan.Files = append(plan.Files, planned)
			continue
		}
		plan.Descriptors = append(plan.Descriptors, PlannedDescriptor{f.number, planned})
	}
}
