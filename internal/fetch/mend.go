package fetch

import (
	"errors"
	"fmt"
	"strings"
)

// MendLogin is what may mend a login that failed with err: commands to paste,
// the likeliest first. What they write is made of the JWT that was refused.
func (c *Client) MendLogin(err error) []string {
	var refused *Error
	if !c.method.makes() {
		return []string{c.loginCommand()}
	}
	if !errors.As(err, &refused) || refused.refusal == "" {
		return nil
	}
	claims, _, _ := c.Claims()
	said, mount, role := refused.refusal, ShellWord(c.mount), ShellWord(c.role)
	write := fmt.Sprintf("vault write auth/%s/role/%s", mount, role)
	has := func(words string) bool { return strings.Contains(said, words) }
	kubernetes := c.auth == AuthKubernetes && claims.bound() != ""
	switch {
	case kubernetes && has("audience"):
		return []string{write + claims.audience("audience"), fmt.Sprintf("vault read auth/%s/role/%s   # or ask for a token for the audience that it has", mount, role)}
	case c.auth == AuthJWT && has("audience"):
		return []string{write + claims.audience("bound_audiences")}
	case kubernetes && has("invalid role name"):
		return []string{write + claims.bound() + claims.audience("audience") + " policies=" + role, c.listRoles()}
	case has("invalid role name"), has("could not be found"):
		return []string{c.listRoles()}
	case kubernetes && has("not authorized"):
		return []string{write + claims.bound()}
	case kubernetes && has("expired"):
		return []string{c.AnotherJWT()}
	case has("permission denied"), has("unsupported path"), has("no handler"):
		return []string{"vault auth list   # is it mounted there?", fmt.Sprintf("vault auth enable -path=%s %s", mount, c.auth)}
	}
	return nil
}

// Mend is what may put in its place what a finding misses; its value is read from
// standard input.
func (f Finding) Mend() []string {
	typed, _, _ := strings.Cut(f.Reference, "#")
	kv := strings.HasSuffix(f.Mount, "KV v1") || strings.HasSuffix(f.Mount, "KV v2")
	if !kv || f.List || f.Version != 0 || strings.ContainsAny(typed, " %") {
		return nil
	}
	switch {
	case (f.Kind == KeyMissing || f.Kind == KeyNull) && strings.HasSuffix(f.Mount, "KV v2"):
		return []string{fmt.Sprintf("vault kv patch %s %s=-", ShellWord(typed), ShellWord(f.Key))}
	case f.Kind == NotFound && len(f.Near) == 0 && f.Key == "":
		return []string{fmt.Sprintf("vault kv put %s KEY=-", ShellWord(typed))}
	}
	return nil
}

func (c *Client) listRoles() string {
	return fmt.Sprintf("vault list auth/%s/role   # which roles there are", ShellWord(c.mount))
}

// AnotherJWT is how to get another JWT in the place of one that has expired.
func (c *Client) AnotherJWT() string {
	claims, _, _ := c.Claims()
	namespace, account, ok := claims.serviceAccount()
	if !ok || c.jwtPath == "" {
		return "kubectl rollout restart deployment/NAME   # the kubelet puts a new one into each pod"
	}
	return fmt.Sprintf("kubectl --namespace %s create token %s%s > %s", ShellWord(namespace), ShellWord(account), strings.Replace(claims.audience("--audience"), "=", " ", 1), ShellWord(c.jwtPath))
}

// serviceAccount takes the subject of a Kubernetes token apart.
func (c Claims) serviceAccount() (namespace, account string, ok bool) {
	rest, _ := strings.CutPrefix(c.Subject, "system:serviceaccount:")
	return strings.Cut(rest, ":")
}

// bound is the setting of a role that is for the service account.
func (c Claims) bound() string {
	namespace, account, ok := c.serviceAccount()
	if !ok {
		return ""
	}
	return fmt.Sprintf(" bound_service_account_names=%s bound_service_account_namespaces=%s", ShellWord(account), ShellWord(namespace))
}

// audience is a setting for the audience of the JWT; nothing where it has none.
func (c Claims) audience(setting string) string {
	if len(c.Audience) == 0 {
		return ""
	}
	return " " + setting + "=" + ShellWord(c.Audience[0])
}
