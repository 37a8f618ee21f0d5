package from

import (
	"strings"

	"vaultexec/internal/secret"
)

// parseMap reads the Agent Injector's default template, key: value for each
// field. Its values are not quoted in any way: they end with the line, and one
// of several lines cannot be told from other fields. An empty line is such a
// value's, at the end of the file too: the template ends each field with one
// line break.
func parseMap(text string) (secret.Fields, *syntaxError) {
	if err := secondVersion(text); err != nil {
		return nil, err
	}
	fields, number := secret.Fields{}, 0
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		number++
		name, value, ok := strings.Cut(line, ": ")
		if line == "" && len(fields) == 0 {
			continue
		}
		if !ok || name == "" || name[0] == '#' || strings.TrimSpace(name) != name {
			return nil, syntax(number, "this is no key: value line, and a value of several lines cannot be told from the next field: set the annotation vault.hashicorp.com/agent-inject-default-template: json, or give the secret a template of export lines")
		}
		if _, twice := fields[name]; twice {
			// Not repeated: it may be part of a value of several lines.
			return nil, syntax(number, "the name of this line is there already, and a value of several lines cannot be told from the next field: set the annotation vault.hashicorp.com/agent-inject-default-template: json")
		}
		fields[name] = secret.Of(value)
	}
	return fields, nil
}

// secondVersion finds what the default template makes of a secret of KV version
// 2: two lines that Go printed, out of which nobody can tell the fields.
func secondVersion(text string) *syntaxError {
	if strings.HasPrefix(text, "data: ") && strings.Contains(text, "\nmetadata: map[created_time:") {
		return syntax(1, "this is what the Agent Injector's default template makes of a secret of KV version 2, and its fields cannot be told apart any more: set the annotation vault.hashicorp.com/agent-inject-default-template: json, give the secret a template of export lines, or let vaultexec read it from Vault with --secret")
	}
	return nil
}
