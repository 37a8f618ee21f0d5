package from

import (
	"testing"

	yamlv3 "go.yaml.in/yaml/v3"

	"vaultexec/internal/seeds"
)

func TestYAML(t *testing.T) {
	check(t, YAML, []readTest{
		{"a: b\n'c d': 'it''s'\n\"e\\n\": \"f\\u00e9\\x41\\U0001F600\\\\ \\\"\"\n", "a=\"b\" c d=\"it's\" e\n=\"f\u00e9A😀\\\\ \\\"\"", ""},
		{"--- # no\n# no\n\na: b # no\nc: d#e\n...\n\n# end\n", `a="b" c="d#e"`, ""},
		{"a: yes\nb: 0777\nc: 1e3\nd: ~\ne: null\nf:\ng: # no\nh: 2026-01-01\n", `a="yes" b="0777" c="1e3" d=null e=null f=null g=null h="2026-01-01"`, ""},
		{"a: -b\nc: ?d\ne: :f\ng-h: http://i?j=#k\n", `a="-b" c="?d" e=":f" g-h="http://i?j=#k"`, ""},
		{"a: [1, \"b\", {\"c\": null}] # no\nb: {}\n", `a=[1,"b",{"c":null}] b={}`, ""},
		{"a: |\n  one\n   two\n\n  three\n\nb: |-\n  x\nc: |+\n  y\n\n", `a="one\n two\n\nthree\n" b="x" c="y\n\n"`, ""},
		{"a: b\n\t\n", "", "2: this line begins with a tab"},
		{"a: |\nb: |-\n\nc: |+\n\n", `a="" b="" c="\n"`, ""},
		{"a: |\n  x", `a="x"`, ""},
		{"a: b\r\nc: |\r\n  d\r\n", `a="b" c="d\n"`, ""},
		{"a:\tb\t# c\n", `a="b"`, ""},
		{"true: b\n~: c\n1: d\n", `1="d" true="b" ~="c"`, ""},
		{"", "", ""},
		{"---\n", "", ""},
		{"a: >\n  b\n  c\n", `a="b c\n"`, ""},
		{"a:\n  b: [1, 1.50, true, null, x]\n  c: '1'\nd:\n- e\n", `a={"b":[1,1.50,true,null,"x"],"c":"1"} d=["e"]`, ""},
		{"a: {b: yes}", "", "1: this value is a number or a truth value to some"},
		{"a:\n- 0777", "", "2: this value is a number or a truth value to some"},
		{"a: {b: 1, b: " + canary + "}", "", "1: a key is there twice"},
		{"- " + canary, "", "1: only a map has names for variables"},
		{canary, "", "1: only a map has names for variables"},
		{"a: b\n  c: " + canary, "", "2: this line is indented further"},
		{"a: b\na: " + canary, "", `2: the field "a" is there twice`},
		{"a: &b " + canary, "", "1: anchors and aliases"},
		{"a: 'b' c", "", "1: something follows the closing quote"},
		{"%YAML 1.2\n---\na: b", "", "1: directives"},
		{"a: b\n---\nc: d", "", "2: a second document"},
		{"a: b\nc: \xff", "", "2: there is a byte that is not UTF-8"},
	})
}

// FuzzYAML: what we read, the library reads alike.
func FuzzYAML(f *testing.F) {
	for _, s := range []string{"a: b\nc: 'd'\n", "--- #x\n\"a\\t\": \"\\x41\\e\\N\"\n...\n", "a: |+\n\n\n b\n  c\n\n\n", "a: |-\n  b \n\t\n", "a: [1,{\"b\":null}]\n", "? a", "a : b", "a: - b",
		"a: |\n\n  \n   b", "a:   # c\nb: ~", "a: \"\\_\\L\\P\\0\"", "'': ''", "a: b\t#c", "a: -\n", "-a: ?b\n", ": a", "a: |\r\n  b\r\n\r\n", "a: |\n \t\n b", "a: |\n b\n# c\n c"} {
		f.Add(s)
	}
	for _, text := range seeds.Files(f, "seeds/*.yaml") {
		f.Add(text)
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
