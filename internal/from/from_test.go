package from

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"vaultexec/internal/secret"
	"vaultexec/internal/seeds"
)

// canary stands in values that no message may have.
const canary = "canary-hunter2"

// show is fields as one line: texts quoted, the rest as JSON.
func show(f secret.Fields) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		text := f[name].Text()
		if _, isText := f[name].Any().(string); isText {
			text = fmt.Sprintf("%q", text)
		} else if f[name].IsNull() {
			text = "null"
		}
		parts = append(parts, name+"="+text)
	}
	return strings.Join(parts, " ")
}

// readTest is a text and what it holds, or LINE: and part of what is wrong.
type readTest struct{ text, want, wrong string }

// check parses each text in a format.
func check(t *testing.T, f Format, tests []readTest) {
	t.Helper()
	for _, tt := range tests {
		fields, _, err := Parse("dir/file", f, tt.text)
		switch {
		case tt.wrong == "" && (err != nil || show(fields) != tt.want):
			t.Errorf("%q is %s, %v\nwant %s", tt.text, show(fields), err, tt.want)
		case tt.wrong != "" && err == nil:
			t.Errorf("%q is %s\nwant %s", tt.text, show(fields), tt.wrong)
		case tt.wrong != "" && !strings.HasPrefix(err.Error(), "dir/file:"+tt.wrong):
			t.Errorf("%q: %v\nwant %s", tt.text, err, tt.wrong)
		case err != nil && strings.Contains(err.Error(), canary):
			t.Errorf("%q is repeated: %v", tt.text, err)
		}
	}
}

func TestRecognize(t *testing.T) {
	const v2 = `{"data":{"a":"1"},"metadata":{"created_time":"2026-01-01T00:00:00Z","version":3,"destroyed":false}}`
	for _, tt := range []struct {
		name, text string
		want       Format
		wrong      string
	}{
		{"config", "export A='b'\n", Export, ""},
		{"config", "# of the injector\n\n  export A=b\n", Export, ""},
		{"config", "A=b\n", Export, ""},
		{"a.env", "A=b\n", Dotenv, ""},
		{"a.SH", "A=b\n", Export, ""},
		{"config", "username: u\npassword: p\n", Map, ""},
		{"config", "password: p: q\n", Map, ""},
		{"config", "password: \n", Map, ""},
		{"config", "password: [p\n", Map, ""},
		{"config", "a: |\n  two\n  lines\n", YAML, ""},
		{"config", "# comment\na: b\n", YAML, ""},
		{"config", "---\na: b\n", YAML, ""},
		{"a.yaml", "a: b\n", YAML, ""},
		{"a.yml", "a: b\n", YAML, ""},
		{"config", "a: \"b\"\n", Map, "1: this is something else in"},
		{"config", "\na: b # c\n", Map, "2: this is something else in"},
		{"config", "b: multi\n\n", Map, "2: an empty line is the end of a value if this is of the Agent Injector's"},
		{"config", "a: b\n\nc: d\n", Map, "2: an empty line is the end of a value"},
		{"a.yaml", "a: b\n\nc: d\n\n", YAML, ""},
		{"config", "a: b\n\nc:\n  d: e\n\n", YAML, ""},
		{"config", "data: map[a:1]\nmetadata: map[created_time:x]\n", Map, "1: this is what the Agent Injector's"},
		{"config", `{"a": 1}`, JSON, ""},
		{"config", "{\n", JSON, "1: the JSON ends"},
		{"config", "{}", JSON, ""},
		{"config", v2, JSON, ""},
		{"a.json", "a", JSON, "1: this is not JSON"},
		{"config", "spring.datasource.password=x\n", Properties, ""},
		{"config", "a.b = x\n", Properties, ""},
		{"a.properties", "a=x\n", Properties, ""},
		{"config", "-----BEGIN KEY-----\nQQ==\n-----END KEY-----\n", Raw, ""},
		{"config", "hunter2", Raw, ""},
		{"config", "YWJjZA==\n", Raw, ""},
		{"config", "A==\n", Export, ""}, // no length of base64
		{"config", "postgres://u:p@h/db", Raw, ""},
		{"config", "{foo", Raw, ""},
		{"config", "pass word: x", Raw, ""},
		{"config", "p%x: y", Raw, ""},
		{"config", "", Raw, ""},
		{"config", "\n# nothing\n", Raw, ""},
	} {
		_, got, err := Parse(tt.name, Auto, tt.text)
		if (err == nil) != (tt.wrong == "") || err != nil && !strings.HasPrefix(err.Error(), tt.name+":"+tt.wrong) {
			t.Errorf("%s %q: %v, want %q", tt.name, tt.text, err, tt.wrong)
		}
		if got != tt.want && err == nil {
			t.Errorf("%s %q is %s, want %s", tt.name, tt.text, got, tt.want)
		}
	}
}

func TestFromErrors(t *testing.T) {
	_, _, err := Parse("/vault/secrets/config", Auto, "A=b\nexport "+canary)
	const want = "/vault/secrets/config:2: this is no assignment, so sh would run it as a command, and nothing is run here: put quotes around a value that has blanks, or leave the line out (by its content this is export; ?format= behind the path says what it is)"
	if err == nil || err.Error() != want || err.Class() != ClassMalformed {
		t.Errorf("%v\nwant %s", err, want)
	}
	check(t, Dotenv, []readTest{{"\ufeffA=b", "", "1: the file begins with a byte order mark"}})
	if err := CheckFormat("jason"); err == nil || err.Error() != "format=jason is none of export, dotenv, map, json, yaml, properties, raw: did you mean json?" {
		t.Error(err)
	}
	for _, f := range Formats() {
		if err := CheckFormat(f); err != nil {
			t.Error(err)
		}
	}
}

// FuzzParse: whatever a file holds, no message repeats it.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"export A=", "A='", "a: ", "{\"a\": ", "a.b = ", "---\na: |\n ", "data: map[", "$(", "export A=b ", "a: b\n", "\"a\": \"", "a: !!"} {
		for _, format := range append(Formats(), "") {
			f.Add(format, s, "")
			f.Add(format, "# x\n"+s, "\n"+s)
		}
	}
	for _, text := range seeds.Files(f, "seeds/*") {
		for _, separator := range []string{"=", ": ", `":"`} {
			if at := strings.Index(text, separator); at >= 0 { // the canary is the beginning of a value
				f.Add("", text[:at+len(separator)], text[at+len(separator):])
			}
		}
	}
	f.Fuzz(func(t *testing.T, format, before, after string) {
		if CheckFormat(format) != nil || strings.Contains(before+after, canary) {
			return
		}
		const place = "file"
		_, used, err := Parse(place, Format(format), before+canary+after)
		if err == nil {
			return
		}
		named := strings.Contains(err.Error(), "is there twice") // of JSON and YAML: it is a name, not a value
		if !strings.HasPrefix(err.Error(), place+":") || strings.Contains(err.Error(), canary) && !named || used == Raw {
			t.Errorf("%s %q %q: %v", format, before, after, err)
		}
	})
}

// The largest file of the worst lines takes memory, and with it time, in proportion
// to its length, and not to the square of it.
func TestParseLargest(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := Parse("file", Properties, "a="+strings.Repeat("a\\\n", maxFileSize/3)); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 100*maxFileSize {
		t.Errorf("%d bytes for a file of %d", used, maxFileSize)
	}
}

func TestRawValue(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a", "a\n": "a", "a\r\n": "a", "": "", "\n": "", "a\n\n": "a\n\n", "a\nb\n": "a\nb\n", " a ": " a ", "\x00\xff\n": "\x00\xff",
	} {
		if got := rawValue(text).Text(); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestMap(t *testing.T) {
	check(t, Map, []readTest{
		{"a: b\nc: d: e \n", `a="b" c="d: e "`, ""},
		{"a: \"b\" # c", `a="\"b\" # c"`, ""},
		{"a: \n", `a=""`, ""},
		{"a b: c\n", `a b="c"`, ""},
		{"\n\na: b\n", `a="b"`, ""},
		{"a: b", `a="b"`, ""},
		{"a: b\nc: " + canary + "\n\n", "", "3: this is no key: value line"},
		{"a: b\n" + canary + "\n", "", "2: this is no key: value line"},
		{"a: b\n\nc: d\n", "", "2: this is no key: value line"},
		{"a: b\n  c: d\n", "", "2: this is no key: value line"},
		{"a: b\na: " + canary, "", "2: the name of this line is there already"},
		{"data: map[a:" + canary + "]\nmetadata: map[created_time:2026-01-01 custom_metadata:<nil> version:1]\n", "", "1: this is what the Agent Injector's default template makes of a secret of KV version 2"},
		{"data: map[a:b]\n", `data="map[a:b]"`, ""},
	})
}

func FuzzMap(f *testing.F) {
	for _, s := range []string{"", "v", "a: b", " v ", "#", "\"q\"", "\xff", "map[a:b]"} {
		f.Add("key", s)
		f.Add(s, "value")
	}
	for _, line := range realLines(f, "seeds/*.map", ": ") {
		f.Add(line[0], line[1])
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		fields, err := parseMap(key + ": " + value + "\nlast: one\n")
		if err != nil {
			return
		}
		clean := !strings.Contains(key+value, "\n") && !strings.Contains(key, ": ") && key != "last"
		if clean && !(fields[key].Text() == value && len(fields) == 2) {
			t.Errorf("%q: %q became %s", key, value, show(fields))
		}
	})
}

func TestJSON(t *testing.T) {
	const metadata = `"metadata":{"created_time":"2026-01-01T00:00:00Z","version":3}`
	check(t, JSON, []readTest{
		{`{"a":"b","n":12345678901234567890,"t":true,"z":null,"l":[1,"<"],"m":{"y":1,"x":[]}}`, `a="b" l=[1,"<"] m={"x":[],"y":1} n=12345678901234567890 t=true z=null`, ""},
		{" {}\n", "", ""},
		{`{"data":{"a":"b","z":null},` + metadata + `}`, `a="b" z=null`, ""},
		{`{"data":null,` + metadata + `}`, "", "1: the secret's version is deleted"},
		{`{"data":{"a":1},"metadata":{"version":1}}`, `data={"a":1} metadata={"version":1}`, ""},
		{`{"data":"x",` + metadata + `}`, `data="x" metadata={"created_time":"2026-01-01T00:00:00Z","version":3}`, ""},
		{`{"data":{"a":1},"more":1,` + metadata + `}`, `data={"a":1} metadata={"created_time":"2026-01-01T00:00:00Z","version":3} more=1`, ""},
		{`["` + canary + `"]`, "", "1: this is JSON but not an object"},
		{"{\"a\": 1,\n\"b\": \"" + canary + "\",\n\"a\": 2}", "", `3: the field "a" is there twice`},
		{"{\"a\":\n" + canary + "}", "", "2: this is not JSON"},
		{"{\"a\": 1\n \"" + canary + "\"}", "", "2: this is not JSON"},
		{"{1:2}", "", "1: this is not JSON"},
		{"{\"a\": \"" + canary + "\n", "", "1: this is not JSON"},
		{"{\"a\": {\n\"b\": 1\n\n", "", "2: the JSON ends before it is complete"},
		{"", "", "1: the JSON ends before it is complete"},
		{"{}\n{}", "", "2: something follows the JSON object"},
		{"{\"a\": \"\xff\"}", "", "1: this is not UTF-8"},
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":{"b":[1,null,"x"]},"c":1e400}`, `{"data":{},"metadata":{"created_time":"","version":1}}`, `{"a":1}x`, `[`, `{"a"`, `{"\ud800":"\u0000"}`} {
		f.Add(s)
	}
	for _, text := range seeds.Files(f, "seeds/*.json") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fields, err := parseObject(text)
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		var want map[string]any
		valid := json.Valid([]byte(text)) && dec.Decode(&want) == nil && want != nil
		if err == nil && !valid || err != nil && valid && !strings.HasSuffix(err.text, "is there twice") {
			t.Fatalf("%q: %v, and it is JSON: %v", text, err, valid)
		}
		if err != nil {
			return
		}
		expected := secret.Fields{}
		for name, v := range want {
			expected[name] = secret.Of(v)
		}
		if show(fields) != show(expected) {
			t.Errorf("%q became %s", text, show(fields))
		}
	})
}

func TestProperties(t *testing.T) {
	check(t, Properties, []readTest{
		{"a=b\n! no\n # no\n\tc.d : e f \ng h\n", `a="b" c.d="e f " g="h"`, ""},
		{"a\\ b\\==c=d\\u00e9\\ud83d\\ude00\\t\\\\\\q\n", `a b=="c=dé😀\t\\q"`, ""},
		{"a=b\\\n   c\\\\\nd=\\\n\n", `a="bc\\" d=""`, ""},
		{"a=b\r\nc=d\re=f", `a="b" c="d" e="f"`, ""},
		{"a=1\na=2\n", `a="2"`, ""},
		{"a=${b}\n", `a="${b}"`, ""},
		{"=x", `="x"`, ""},
		{"a=b\\", `a="b"`, ""},
		{"a=1\n\n" + canary, "", "3: this line has no = or :"},
		{"a=1\nb=\\u12z" + canary, "", "2: a \\u is not followed"},
		{"a=\\u1", "", "1: a \\u is not followed"},
		{"a=1\nb=\xff", "", "2: this is not UTF-8"},
	})
}

func FuzzProperties(f *testing.F) {
	for _, s := range []string{"", "plain", " a  b ", "a=b:c#d!e", "\t\n\r\f\x00\x1b", "\\", "é€😀\u2028", "a\\\nb=c"} {
		f.Add("key", s)
		f.Add(s, "value")
	}
	for _, line := range realLines(f, "seeds/*.properties", "=") {
		f.Add(line[0], line[1])
	}
	for _, text := range seeds.Files(f, "seeds/*.properties") {
		f.Add(text, "")
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		_, _ = parseProperties(key + value) // whatever it is
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return
		}
		var escaped strings.Builder // every character, as Java's store might
		for _, s := range []string{key, "=", value} {
			for _, r := range s {
				switch {
				case s == "=":
					escaped.WriteByte('=')
				case r < 0x10000:
					fmt.Fprintf(&escaped, "\\u%04X", r)
				default:
					escaped.WriteRune(r)
				}
			}
		}
		fields, err := parseProperties(escaped.String())
		if key == "=" || value == "=" {
			return
		}
		if err != nil || len(fields) != 1 || fields[key].Text() != value {
			t.Errorf("%q became %s, %v", escaped.String(), show(fields), err)
		}
	})
}
