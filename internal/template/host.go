package template

import (
	"strings"

	sockaddr "github.com/hashicorp/go-sockaddr/template"

	"vaultexec/internal/yaml"
)

// parseYAML reads a document, a map where there is none, as consul-template does.
func parseYAML(s string) (any, error) {
	if s == "" {
		return map[string]any{}, nil
	}
	node, err := yaml.Parse(s)
	if err != nil {
		return nil, failf("parseYAML: the text cannot be read: %v", err) // it repeats nothing of it
	}
	return node.Value(), nil
}

// socketAddress asks for an address of this machine, in the language of
// hashicorp/go-sockaddr.
func socketAddress(args ...string) (string, error) {
	address, err := sockaddr.Parse("{{ " + strings.Join(args, " ") + " }}")
	if err != nil {
		return "", failf("sockaddr: the arguments are none of github.com/hashicorp/go-sockaddr/template, or there is no such address")
	}
	return address, nil
}
