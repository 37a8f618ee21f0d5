package settings

import (
	"fmt"
	"slices"
	"strings"
)

// login is a way to log in and the settings that belong to it.
type login struct {
	name  string
	needs string   // setting without which it cannot be made; empty: there is none
	takes []string // the others
}

// logins are the values of --auth.
var logins = []login{
	{"kubernetes", "role", []string{"auth-mount", "jwt-path"}},
	{"jwt", "", []string{"role", "auth-mount", "jwt-path", "remove-jwt"}},
	{"approle", "role-id-path", []string{"secret-id-path", "remove-secret-id", "wrapped", "role", "auth-mount"}},
	{"cert", "", []string{"role", "auth-mount"}},
	{"userpass", "username", []string{"password-path", "auth-mount"}},
	{"ldap", "username", []string{"password-path", "auth-mount"}},
	{"token", "", []string{"wrapped"}},
	{"token-file", "token-file", []string{"wrapped"}},
}

func loginNames() []string {
	var names []string
	for _, l := range logins {
		names = append(names, l.name)
	}
	return names
}

// loginSettings are those that say how to log in.
var loginSettings = []string{"auth", "role", "auth-mount", "jwt-path", "remove-jwt", "role-id-path", "secret-id-path", "remove-secret-id",
	"username", "password-path", "token-file", "wrapped"}

// has tells whether a setting belongs to the login.
func (l login) has(setting string) bool {
	return setting == l.needs || slices.Contains(l.takes, setting)
}

// needed is the value of a setting that some login needs.
func (s *Settings) needed(setting string) string {
	switch setting {
	case "role":
		return s.Role
	case "role-id-path":
		return s.RoleIDPath
	case "username":
		return s.Username
	case "token-file":
		return s.TokenFile
	}
	panic("BUG: no login needs " + setting)
}

// loginOf is the login that the settings ask for, and what says so; nothing
// where it is the default.
func (s *Settings) loginOf() (l login, why string) {
	name := "token"
	switch {
	case s.Auth != "":
		name, why = s.Auth, fmt.Sprintf("%s says %s", s.Origin("auth"), s.Auth)
	case s.Role != "":
		name, why = "kubernetes", fmt.Sprintf("%s without --auth means kubernetes", s.Origin("role"))
	}
	return logins[slices.IndexFunc(logins, func(l login) bool { return l.name == name })], why
}

func (s *Settings) checkLogin(bad func(string, ...any)) {
	if s.Auth != "" {
		if err := choose(s.Auth, loginNames()...); err != nil {
			bad("%s: %v", s.Origin("auth"), err)
			return
		}
	}
	chosen, why := s.loginOf()
	if chosen.needs != "" && s.needed(chosen.needs) == "" {
		bad("%s: the %s login needs --%s", s.Origin("auth"), chosen.name, chosen.needs)
	}
	for _, name := range loginSettings[1:] {
		if s.IsSet(name) && !chosen.has(name) {
			bad("%s: %s", s.Origin(name), s.misfit(name, why))
		}
	}
	switch {
	case chosen.name == "approle":
		s.checkSecretID(bad)
	case chosen.name == "jwt" && s.RemoveJWT && s.JWTPath == "":
		bad("%s: without --jwt-path the JWT is the pod's service account token, which has to stay: set --jwt-path, or leave it out", s.Origin("remove-jwt"))
	}
}

// checkSecretID checks what approle's secret ID is the subject of.
func (s *Settings) checkSecretID(bad func(string, ...any)) {
	for _, name := range []string{"remove-secret-id", "wrapped"} {
		if s.IsSet(name) && s.SecretIDPath == "" {
			bad("%s: there is no secret ID without --secret-id-path", s.Origin(name))
		}
	}
	if s.Role != "" && !s.Wrapped {
		bad("%s: the approle login has a role ID in its place, and names the role only of a secret ID that is wrapped: set --wrapped, or leave it out", s.Origin("role"))
	}
}

// misfit says where a setting belongs that does not belong to the login that is
// asked for, and why that is.
func (s *Settings) misfit(setting, why string) string {
	var owners []string
	for _, l := range logins {
		if l.has(setting) {
			owners = append(owners, l.name)
		}
	}
	last := len(owners) - 1
	text := "belongs to the " + owners[last] + " login"
	if last > 0 {
		text = fmt.Sprintf("belongs to the %s or %s login", strings.Join(owners[:last], ", "), owners[last])
	}
	switch {
	case s.Auth != "":
		return fmt.Sprintf("%s, but %s", text, why)
	case why != "":
		return fmt.Sprintf("%s, but %s: set --auth", text, why)
	case slices.Contains(owners, "kubernetes"):
		return text + ": set --auth, or --role, which means kubernetes"
	}
	return text + ": set --auth"
}
