package ref

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// ParseFrom reads PATH[?PARAM=VALUE&...], where PATH is a file or a directory.
// Whether there is such a format is for whoever knows them.
func ParseFrom(text string) (Ref, error) {
	var r Ref
	if strings.Contains(text, "#") {
		return r, errors.New("a file or a directory is taken whole: choose with only=KEY in place of #KEY; a # that is part of the path is written %23")
	}
	escaped, query, hasQuery := strings.Cut(text, "?")
	path, err := unescape(escaped)
	if err != nil {
		return r, fmt.Errorf("the path: %v", err)
	}
	if trimmed := strings.TrimRight(path, "/"); trimmed != "" {
		path = trimmed
	}
	switch {
	case path == "":
		return r, errors.New("the path is empty")
	case strings.ContainsFunc(path, unicode.IsControl):
		return r, errors.New("the path has a control character in it")
	}
	r.File = path
	if hasQuery {
		if err := r.setParams(query, From); err != nil {
			return r, err
		}
	}
	r.FileFormat, r.Format = r.Format, "" // it decides what is read
	return r, nil
}
