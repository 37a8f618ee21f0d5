package from

import (
	"testing"

	yamlv3 "go.yaml.in/yaml/v3"
)

func TestYAML(t *testing.T) {
	check(t, YAML, []readTest{
		{"a: b\n'c d': 'it''s'\n\"e\\n\": \"f\\u00e9\\x41\\U0001F600\\\\ \\\"\"\n", "a=\"b\" c d=\"it's\" e\n=\"f\u00e9A😀\\\\ \\\"\"", ""},
		{"--- # no\n# no\n\na: b # no\nc: d#e\n...\n\n# end\n", `a="b" c="d#e"`, ""},
		{"a: yes\nb: 0777\nc: 1e3\nd: ~\ne: null\nf:\ng: # no\nh: 2026-01-01\n", `a="yes" b="0777" c="1e3" d=null e=null f=null g=null h="2026-01-01"`, ""},
		{"a: -b\nc: ?d\ne: :f\ng-h: http://i?j=#k\n", `a="-b" c="?d" e=":f" g-h="http://i?j=#k"`, ""},
		{"a: [1, \"b\", {\"c\": null}] # no\nb: {}\n", `a=[1,"b",{"c":null}] b={}`, ""},
		{"a: |\n  one\n   two\n\n  three\n\nb: |-\n  x\nc: |+\n  y\n\n", `a="one\n two\n\nthree\n" b="x" c="y\n\n"`, ""},
		{"a: | # no\n\tb", "", "2: this line is indented less"},
		{"a: b\n\t\n", "", "2: this line begins with a tab"},
		{"a: |\nb: |-\n\nc: |+\n\n", `a="" b="" c="\n"`, ""},
		{"a: |\n  x", `a="x"`, ""},
		{"a: b\r\nc: |\r\n  d\r\n", `a="b" c="d\n"`, ""},
		{"a:\tb\t# c\n", `a="b"`, ""},
		{"true: b\n~: c\n1: d\n", `1="d" true="b" ~="c"`, ""},
		{"", "", ""},
		{"a: b\n  c: " + canary, "", "2: this line is indented: only a flat map"},
		{"a:\n- " + canary, "", "2: this is a list"},
		{"- " + canary, "", "1: this is a list"},
		{canary, "", "1: this is no name: value line"},
		{"a:b", "", "1: this is no name: value line"},
		{"a #b: c", "", "1: this is no name: value line"},
		{"a: b\na: " + canary, "", `2: the field "a" is there twice`},
		{"a: b: c", "", "1: a value with a colon"},
		{"a: b:", "", "1: a value with a colon"},
		{"a: &b " + canary, "", "1: anchors, aliases and tags"},
		{"a: *b", "", "1: anchors"},
		{"a: !!binary " + canary, "", "1: anchors"},
		{"a: >\n  b", "", "1: text that is folded"},
		{"a: |2\n  b", "", "1: behind the |"},
		{"a: |\n  b\n c", "", "3: this line is indented less"},
		{"a: |\n   \n  b", "", "2: a blank line at the beginning"},
		{"a: {b: c}", "", "1: a list or a map is read on one line and as JSON"},
		{"a: [\n1]", "", "1: a list or a map"},
		{"a: '" + canary + "\n  b'", "", "1: the quote is not closed on its line"},
		{"a: \"" + canary + "\n", "", "1: the quote is not closed"},
		{"a: 'b' c", "", "1: something follows the closing quote"},
		{"a: 'b'#c", "", "1: something follows the closing quote"},
		{"a: \"\\q\"", "", "1: there is no such escape"},
		{"a: \"\\ud83d\"", "", "1: there is no such escape"},
		{"a: @b", "", "1: a value that begins with '@' needs quotes"},
		{"a: %b", "", "1: a value that begins with '%' needs quotes"},
		{"? a\n: b", "", "1: a name does not begin with '?'"},
		{"%YAML 1.2\n---\na: b", "", "1: a name does not begin with '%'"},
		{"<<: b", "", "1: merging another map"},
		{"'a' b: c", "", "1: there is no colon behind the name"},
		{"'a':b", "", "1: there is no blank behind the colon"},
		{"--- a: b", "", "1: put what follows the --- on a line of its own"},
		{"a: b\n---\nc: d", "", "2: a second YAML document"},
		{"a: b\n...\nc: d", "", "3: something follows the end"},
		{"---\n", "", "1: there is no name: value line"},
		{"a: b\nc: \xff", "", "2: there is a byte that is not UTF-8"},
		{"a: b\nc: \x01", "", "2: there is a control character"},
		{"a: \u2028", "", "1: there is a control character"},
		{"a: b\rc: d", "", "1: there is a carriage return inside"},
	})
}

// FuzzYAML: what we read, the library reads alike.
func FuzzYAML(f *testing.F) {
	for _, s := range []string{"a: b\nc: 'd'\n", "--- #x\n\"a\\t\": \"\\x41\\e\\N\"\n...\n", "a: |+\n\n\n b\n  c\n\n\n", "a: |-\n  b \n\t\n", "a: [1,{\"b\":null}]\n", "? a", "a : b", "a: - b",
		"a: |\n\n  \n   b", "a:   # c\nb: ~", "a: \"\\_\\L\\P\\0\"", "'': ''", "a: b\t#c", "a: -\n", "-a: ?b\n", ": a", "a: |\r\n  b\r\n\r\n", "a: |\n \t\n b", "a: |\n b\n# c\n c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fields, problem := parseYAML(text)
		if problem != nil || len(fields) == 0 {
			return
		}
		var document yamlv3.Node
		if err := yamlv3.Unmarshal([]byte(text), &document); err != nil {
			t.Fatalf("%q is %s for us, and the library says %v", text, show(fields), err)
		}
		n := document.Content[0]
		if n.Kind != yamlv3.MappingNode || len(n.Content) != 2*len(fields) {
			t.Fatalf("%q is %s for us, and kind %d of %d for the library", text, show(fields), n.Kind, len(n.Content))
		}
		for i := 0; i < len(n.Content); i += 2 {
			name, v := n.Content[i].Value, n.Content[i+1]
			ours, there := fields[name]
			switch {
			case !there:
				t.Errorf("%q has a field %q for the library", text, name)
			case v.Kind != yamlv3.ScalarNode: // JSON inside of YAML is read by encoding/json
			case ours.IsNull() != (v.Tag == "!!null"), !ours.IsNull() && ours.Text() != v.Value:
				t.Errorf("%q: %q is %q for us, %q (%s) for the library", text, name, ours.Text(), v.Value, v.Tag)
			}
		}
	})
}
