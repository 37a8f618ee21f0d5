package settings

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Flags of plain types, with the errors of this package.

type text string

func (t *text) Set(v string) error { *t = text(v); return nil }
func (t *text) String() string     { return string(*t) }

type duration time.Duration

func (d *duration) Set(v string) error {
	parsed, err := time.ParseDuration(v)
	if err != nil {
		return errors.New("is not a duration: write a number and a unit, such as 500ms, 30s or 2m")
	}
	*d = duration(parsed)
	return nil
}

// String is shorter than time.Duration's: 2m, not 2m0s.
func (d *duration) String() string {
	s := time.Duration(*d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	return s
}

type count int

func (c *count) Set(v string) error {
	n, err := strconv.Atoi(v)
	if err != nil {
		return errors.New("is not a whole number")
	}
	*c = count(n)
	return nil
}
func (c *count) String() string { return strconv.Itoa(int(*c)) }
