package ref

import (
	"reflect"
	"testing"
	"time"
)

func TestParseFrom(t *testing.T) {
	file := func(path, format string) Source { return Source{File: path, FileFormat: format} }
	for _, tt := range []struct {
		text string
		want Ref
	}{
		{"/vault/secrets", Ref{Source: file("/vault/secrets", "")}},
		{"secrets/", Ref{Source: file("secrets", "")}},
		{"/", Ref{Source: file("/", "")}},
		{"/a*b%3Fc%23d%25", Ref{Source: file("/a*b?c#d%", "")}},
		{"/a?format=dotenv&prefix=DB_&case=upper&only=a,b&except=c*&optional&on_change=signal:HUP&refresh=5m",
			Ref{Source: file("/a", "dotenv"), Prefix: ptr("DB_"), Case: CaseUpper, Only: []string{"a", "b"}, Except: []string{"c*"}, Optional: true, OnChange: "signal:HUP", Refresh: ptr(5 * time.Minute)}},
	} {
		got, err := ParseFrom(tt.text)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("ParseFrom(%q) = %s, %v, want %s", tt.text, show(got), err, show(tt.want))
		}
	}
	for text, want := range map[string]string{
		"":                   "the path is empty",
		"?optional":          "the path is empty",
		"/a%":                "the path: has a % that is not followed by two hexadecimal digits: write %25 for the sign itself",
		"/a%00":              "the path has a control character in it",
		"/a#key":             "a file or a directory is taken whole: choose with only=KEY in place of #KEY; a # that is part of the path is written %23",
		"/a?version=2":       "parameter version has no meaning here",
		"/a?default=x":       "parameter default has no meaning here",
		"/a?mode=0400":       "parameter mode has no meaning here",
		"/a?fromat=x":        `unknown parameter "fromat": did you mean format?`,
		"/a?":                `unknown parameter "": there are optional, prefix, case, only, except, refresh, on_change, format`,
		"/a?on_change=x":     "parameter on_change is restart, signal:NAME, exec:COMMAND, exit or none",
		"/a?prefix=a&prefix": "parameter prefix is given twice",
	} {
		if _, err := ParseFrom(text); err == nil || err.Error() != want {
			t.Errorf("ParseFrom(%q): %v\nwant %s", text, err, want)
		}
	}
	if got := file("/vault/secrets/a b#c", "json").String(); got != "/vault/secrets/a b%23c" {
		t.Error(got)
	}
}
