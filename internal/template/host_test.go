package template

import (
	"net"
	"strings"
	"testing"
)

func TestParseYAML(t *testing.T) {
	for source, want := range map[string]string{
		`{{ with parseYAML "a: {b: [1, yes]}\nc: |\n  x\n" }}{{ .a.b }} {{ .c }}{{ end }}`: "[1 true] x\n",
		`{{ range $k, $v := parseYAML "b: 1\na: two\n" }}{{ $k }}={{ $v }};{{ end }}`:      "a=two;b=1;",
		`{{ range parseYAML "- x\n- z" }}{{ . }}{{ end }}`:                                 "xz",
		`{{ len (parseYAML "") }}`: "0",
	} {
		if got, err := render(t, source); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", source, got, err, want)
		}
	}
	_, err := render(t, `{{ parseYAML "a: &x hunter2" }}`)
	if err == nil || !strings.Contains(err.Error(), "parseYAML: the text cannot be read: anchors and aliases are not read here") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func TestSocketAddress(t *testing.T) {
	got, err := render(t, `{{ sockaddr "GetAllInterfaces | include \"flags\" \"loopback\" | include \"type\" \"IPv4\" | limit 1 | attr \"address\"" }}`)
	if ip := net.ParseIP(got); err != nil || !ip.IsLoopback() {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := render(t, `{{ sockaddr "NoSuchThing" "hunter2" }}`); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
