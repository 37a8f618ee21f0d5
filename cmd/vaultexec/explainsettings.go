package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"vaultexec/internal/settings"
)

// explainedSetting is a setting, or a variable of the vault command, and where it
// was set.
type explainedSetting struct {
	Name  string `json:"name"`            // --role, VAULT_ADDR
	Value string `json:"value,omitempty"` // not of lists and of what may hold a credential
	Items int    `json:"items,omitempty"` // of a list
	SetBy string `json:"set_by"`
	Set   bool   `json:"set"` // it is not at its default
}

// names are all that the setting can be asked for by.
func (x explainedSetting) names() []string {
	flag, ok := strings.CutPrefix(x.Name, "--")
	if !ok {
		return []string{x.Name}
	}
	return []string{x.Name, flag, settings.EnvName(flag)}
}

// isSettingName tells names that no variable of the command can have for long:
// to explain them nothing is fetched.
func isSettingName(name string) bool {
	return strings.HasPrefix(name, "--") || strings.HasPrefix(name, "VAULTEXEC_")
}

// openVariables are those of the vault command whose values are no secret.
var openVariables = []string{"VAULT_ADDR", "VAULT_AGENT_ADDR", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_CAPATH", "VAULT_CLIENT_CERT",
	"VAULT_CLIENT_KEY", "VAULT_TLS_SERVER_NAME", "VAULT_SKIP_VERIFY", "VAULT_CLIENT_TIMEOUT", "VAULT_CONFIG_PATH"}

// isHidden tells whether a variable's value may be a secret.
func isHidden(name string) bool {
	return strings.HasPrefix(name, "VAULT_") && !slices.Contains(openVariables, name)
}

// explainSettings are all settings, and the variables of the vault command that
// are set.
func (s *stage) explainSettings() []explainedSetting {
	var list []explainedSetting
	for _, st := range s.settings.States(s.flags) {
		list = append(list, explainedSetting{st.Name, st.Value, st.Items, st.Origin, st.Set})
	}
	byName := map[string]explainedSetting{}
	note := func(name, value, by string) {
		if _, twice := byName[name]; twice || value == "" {
			return
		}
		x := explainedSetting{Name: name, SetBy: by, Set: true}
		if !isHidden(name) {
			x.Value = withoutCredentials(value)
		}
		byName[name] = x
	}
	for _, entry := range s.environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "VAULT_") {
			note(name, value, "the environment")
		}
	}
	for name, given := range s.settings.Files().Vault {
		note(name, given.Value, given.Place)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		list = append(list, byName[name])
	}
	return list
}

// withoutCredentials takes out of a URL what may let somebody in.
func withoutCredentials(value string) string {
	if !strings.Contains(value, "://") {
		return value
	}
	u, err := url.Parse(value)
	if err != nil {
		return "(not a URL)"
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}

// writeSettings writes those that are set, or with all of them given because one
// was asked for, that one.
func writeSettings(w io.Writer, list []explainedSetting, onlySet bool) {
	if len(list) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "SETTING\tVALUE\tSET BY")
	others := 0
	for _, x := range list {
		if onlySet && !x.Set {
			others++
			continue
		}
		value := x.Value
		switch {
		case x.Items > 0:
			value = fmt.Sprintf("(%d given)", x.Items)
		case x.Set && value == "" && isHidden(x.Name):
			value = "(not shown)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", printable(x.Name), cmp.Or(printable(value), "-"), printable(x.SetBy))
	}
	_ = t.Flush() // w is a Builder
	if others > 0 {
		fmt.Fprintf(w, "%d more settings have their defaults: vaultexec explain NAME, or --json, shows them\n", others)
	}
}
