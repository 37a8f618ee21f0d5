package env

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Limits is what execve(2) takes, in bytes; 0 is no limit.
type Limits struct {
	String int // one argument or NAME=value, its NUL terminator included
	Total  int // all of them with their terminators, and the pointers to them
}

const (
	pointerSize = 8 // of the 64-bit systems that vaultexec runs on

	// execOverhead is what execve itself puts beside the strings: the path of
	// the program, at most PATH_MAX (4096), or of its interpreter.
	execOverhead = 4096
)

// CheckLimits finds what would make execve fail with nothing but "argument
// list too long" (E2BIG), or cut a string short. Its errors name variables,
// arguments by their position, and sizes.
func CheckLimits(argv, environ []string, limits Limits) error {
	var rep report
	total := execOverhead + 2*pointerSize // each list ends in a null pointer
	sizes := make([]sized, 0, len(argv)+len(environ))
	measure := func(place, s, hint string) {
		size := len(s) + 1
		total += size + pointerSize
		sizes = append(sizes, sized{place, size})
		if strings.Contains(s, "\x00") {
			rep.addf(ClassNotRepresentable, "%s has a NUL byte in it, where the child would see it end%s", place, hint)
		}
		if limits.String > 0 && size > limits.String {
			rep.addf(ClassNotRepresentable, "%s takes %d bytes, and this system passes at most %d in one string%s", place, size, limits.String, hint)
		}
	}
	for i, arg := range argv {
		measure(fmt.Sprintf("argument %d of the command", i), arg, "")
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		measure("variable "+name, entry, ": hand it over with --file")
	}
	if limits.Total > 0 && total > limits.Total {
		slices.SortStableFunc(sizes, func(a, b sized) int { return cmp.Compare(b.size, a.size) })
		var biggest []string
		for _, s := range sizes[:min(3, len(sizes))] {
			biggest = append(biggest, fmt.Sprintf("%s (%d bytes)", s.place, s.size))
		}
		rep.addf(ClassNotRepresentable, "arguments and environment together take %d bytes, and this system passes at most %d: hand the biggest over with --file, or inherit less with --drop or --pristine; the biggest are %s",
			total, limits.Total, strings.Join(biggest, ", "))
	}
	return rep.err()
}

// sized is one string that execve copies.
type sized struct {
	place string
	size  int
}
