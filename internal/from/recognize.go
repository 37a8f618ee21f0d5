package from

import (
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// byName is the format that a file's name tells, as for --file.
func byName(file string) Format {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".sh":
		return Export
	case ".env":
		return Dotenv
	case ".json":
		return JSON
	case ".yaml", ".yml":
		return YAML
	case ".properties":
		return Properties
	}
	return Auto
}

// The first line that says something. Compiled when they are needed: package
// initialization is part of every container's start.
var patterns = sync.OnceValue(func() (p struct{ shell, colon, properties, base64 *regexp.Regexp }) {
	p.shell = regexp.MustCompile(`^[ \t]*(export[ \t]+)?[A-Za-z_][A-Za-z0-9_]*=`)
	p.colon = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.\-/]*:([ \t]|$)`) // strict: a name is printed, and a password has other characters
	p.properties = regexp.MustCompile(`^[ \t]*[A-Za-z0-9_][A-Za-z0-9_.\-]*[ \t]*=`)
	p.base64 = regexp.MustCompile(`^[A-Za-z0-9+/_-]+={1,2}$`)
	return p
})

// recognize tells the format of a text: that of the first line that is neither
// blank nor a comment. Raw is what no format recognizes as its own.
func recognize(text string) (Format, *syntaxError) {
	first, number := firstLine(text)
	p := patterns()
	switch {
	case looksLikeObject(first):
		return JSON, nil
	case p.base64.MatchString(first) && len(first)%4 == 0 && strings.TrimSpace(text) == first:
		return Raw, nil // padding is no assignment of nothing
	case p.shell.MatchString(first):
		return Export, nil
	case isDocumentStart(first), strings.HasPrefix(first, "%YAML"):
		return YAML, nil
	case p.colon.MatchString(first):
		return mapOrYAML(text, number)
	case p.properties.MatchString(first):
		return Properties, nil
	}
	return Raw, nil
}

// looksLikeObject tells a JSON object from a password with a brace.
func looksLikeObject(first string) bool {
	rest, braced := strings.CutPrefix(first, "{")
	rest = strings.TrimSpace(rest)
	return braced && (rest == "" || rest[0] == '"' || rest[0] == '}')
}

func firstLine(text string) (line string, number int) {
	for raw := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(raw)
		if line != "" && line[0] != '#' {
			return line, number
		}
	}
	return "", 1
}

// isMapWithoutEmptyLines tells whether nothing but empty lines is in the way of the
// injector's format. The default template writes one where a value ends in a line
// break, as those do that were put into Vault from a file.
func isMapWithoutEmptyLines(text string) bool {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" {
			kept.WriteString(line)
		}
	}
	_, err := parseMap(kept.String())
	return err == nil
}

// mapOrYAML tells the injector's lines from a YAML map without an ending of its
// own: where both could be meant and are not the same, nobody can.
func mapOrYAML(text string, line int) (Format, *syntaxError) {
	if e := secondVersion(text); e != nil {
		return Map, e
	}
	asMap, notMap := parseMap(text)
	asYAML, notYAML := parseYAML(text)
	switch {
	case notMap != nil && notYAML == nil && isMapWithoutEmptyLines(text):
		return Map, syntax(notMap.line, "an empty line is the end of a value if this is of the Agent Injector's default template, and nothing if it is YAML: say ?format=yaml behind the path, or set the annotation vault.hashicorp.com/agent-inject-default-template: json")
	case notMap != nil && notYAML == nil:
		return YAML, nil
	case notMap != nil || notYAML != nil:
		return Map, nil
	}
	for name, v := range asYAML {
		if w, there := asMap[name]; !there || !v.IsNull() && v.Text() != w.Text() {
			return Map, syntax(line, "this is something else in the Agent Injector's default template (where quotes and # are part of the value) than it is in YAML: say ?format=map or ?format=yaml behind the path")
		}
	}
	return Map, nil
}
