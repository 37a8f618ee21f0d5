package fetch

import (
	"cmp"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// What may mend a login. Of each kind said is why Vault has refused it; empty:
// it was not asked, because a file could not be read or nobody typed a password,
// or it does not take the token that there is.

func (c *Client) mendKubernetes(cfg Config, said string) Fix {
	claims, _, err := c.Claims()
	role := fmt.Sprintf("auth/%s/role/%s", ShellWord(c.mount), ShellWord(c.role))
	has := func(words string) bool { return strings.Contains(said, words) }
	bound := claims.bound()
	switch {
	case said == "" || err != nil || has("expired") || claims.ended():
		return c.AnotherJWT()
	case has("audience") && bound != "":
		return Paste(c.rebind(role, claims.audience("audience"), "replaces the one that it has: do others log in with that?"), c.onLogin("read", role)+"   # or ask for a token for the audience that it has")
	case has("invalid role name") && bound != "":
		return Paste(c.onLogin("write", role+bound+claims.audience("audience")+" policies="+ShellWord(c.role)), c.listRoles())
	case has("invalid role name"):
		return Paste(c.listRoles())
	case has("not authorized") && bound != "":
		return Paste(c.rebind(role, bound, addToList))
	case unmounted(said):
		return c.mendMount("is it mounted there?").Or(c.onLogin("read", "auth/"+ShellWord(c.mount)+"/config") + "   # if it is: does this cluster's API server answer there, and let Vault review tokens?")
	}
	return Paste(c.onLogin("read", role)+"   # what it is bound to", c.onLogin("read", "auth/"+ShellWord(c.mount)+"/config"))
}

func (c *Client) mendJWT(cfg Config, said string) Fix {
	claims, _, err := c.Claims()
	mount := "auth/" + ShellWord(c.mount)
	has := func(words string) bool { return strings.Contains(said, words) }
	role := c.listRoles()
	if c.role != "" {
		role = c.onLogin("read", mount+"/role/"+ShellWord(c.role)) + "   # what its claims have to be"
	}
	switch {
	case said == "" || err != nil || has("expired") || claims.ended():
		return c.AnotherJWT()
	case has("audience") && c.role != "" && len(claims.Audience) > 0:
		settings := " role_type=jwt" + claims.audience("bound_audiences") // without its type the others are lost
		return Paste(c.rebind(mount+"/role/"+ShellWord(c.role), settings, addToList))
	case has("missing role"), has("could not be found"):
		return Paste(c.listRoles())
	case has("could not load configuration") && strings.HasPrefix(claims.Issuer, "https://"):
		return Paste(c.onLogin("write", mount+"/config oidc_discovery_url="+ShellWord(claims.Issuer)))
	case unmounted(said):
		return c.mendMount("is it mounted there?")
	}
	return Paste(role, c.onLogin("read", mount+"/config")+"   # it has to know the keys of "+orUnknown(claims.Issuer))
}

const addToList = "replaces the list: add what it has already"

// rebind is how a role takes this login too. Vault replaces what a role is bound to
// by what is written, and who else logs in with the role is locked out then: it is
// shown what there is, and the remark says what to do with it.
func (c *Client) rebind(role, settings, remark string) string {
	return c.onLogin("read", role) + "   # what it is bound to\n" + c.onLogin("write", role+settings) + "   # " + remark
}

func orUnknown(issuer string) string { return cmp.Or(issuer, "the JWT's issuer") }

func (c *Client) mendAppRole(cfg Config, said string) Fix {
	role := "auth/" + ShellWord(c.mount) + "/role"
	which := c.onLogin("list", role) + "   # ROLE is one of these\n"
	roleID := which + c.onLogin("read", "-field=role_id", role+"/ROLE/role-id") + " > " + ShellWord(cfg.RoleIDPath)
	secretID := func(file string) string {
		return which + privately(c.onLogin("write", "-f", "-field=secret_id", role+"/ROLE/secret-id"), file)
	}
	switch {
	case unmounted(said):
		return c.mendMount("is it mounted there?")
	case cfg.SecretIDPath == "" && strings.Contains(said, "missing secret_id"):
		return Paste(secretID("secret-id") + "\nexport VAULTEXEC_SECRET_ID_PATH=$PWD/secret-id")
	case cfg.SecretIDPath == "":
		return Paste(roleID)
	}
	return Paste(secretID(cfg.SecretIDPath), roleID)
}

// privately is a command whose output, a credential, goes to a file that nobody else
// can read.
func privately(command, file string) string {
	return "(umask 077; " + command + " > " + ShellWord(file) + ")"
}

func (c *Client) mendUserpass(cfg Config, said string) Fix {
	fix := c.mendPassword(cfg, said)
	if strings.Contains(said, "invalid") {
		return fix.Or(c.onLogin("write", "auth/"+ShellWord(c.mount)+"/users/"+ShellWord(cfg.Username)+"/password", "password=-") + "   # sets another")
	}
	return fix
}

func (c *Client) mendLDAP(cfg Config, said string) Fix {
	config := c.onLogin("read", "auth/"+ShellWord(c.mount)+"/config")
	switch {
	case said == "" || unmounted(said):
	case strings.Contains(said, "not configured"), !refusesPassword(0, said):
		return Paste(config + "   # does Vault reach its url?")
	}
	return c.mendPassword(cfg, said)
}

// mendPassword is for both kinds of login with a password.
func (c *Client) mendPassword(cfg Config, said string) Fix {
	login := fmt.Sprintf("%s -method=%s -path=%s username=%s", c.loginCommand(), c.auth, ShellWord(c.mount), ShellWord(cfg.Username))
	switch {
	case said == "" && cfg.PasswordPath != "":
		return Paste(privately("cat", cfg.PasswordPath)+"   # type the password, Enter, Ctrl-D", login+"   # and --auth token")
	case said == "":
		return Paste(login+"   # where there is a terminal, and --auth token", privately("cat", "password")+"   # type it, Enter, Ctrl-D\nexport VAULTEXEC_PASSWORD_PATH=$PWD/password")
	case unmounted(said):
		accessor := "$(" + c.onLogin("read", "-field=accessor", "sys/auth/"+ShellWord(c.mount)) + ")"
		unlock := c.onLogin("write", "-f", "sys/locked-users/"+accessor+"/unlock/"+ShellWord(cfg.Username)) + "   # after too many wrong passwords"
		return c.mendMount("is it mounted there?").Or(unlock)
	}
	return Paste(login + "   # does it take this password?")
}

func (c *Client) mendCert(cfg Config, said string) Fix {
	file, _ := cfg.Defaults.value(api.EnvVaultClientCert)
	certs := "auth/" + ShellWord(c.mount) + "/certs"
	name := cmp.Or(c.role, strings.TrimSuffix(path.Base(file), path.Ext(file)))
	switch {
	case strings.Contains(said, "tls connection required"):
		return Paste(c.export(strings.Replace(c.shownAddress(), "http://", "https://", 1)))
	case unmounted(said):
		return c.mendMount("is it mounted there?")
	}
	return Paste(c.onLogin("list", certs)+"   # which certificates it takes",
		c.onLogin("write", certs+"/"+ShellWord(name), "certificate=@"+ShellWord(file), "policies="+ShellWord(name)))
}

func (c *Client) mendGivenToken(Config, string) Fix { return Paste(c.anotherToken()) }

func (c *Client) mendTokenFile(cfg Config, _ string) Fix {
	return Paste("ls -l "+ShellWord(path.Dir(cfg.TokenFile))+"   # whoever keeps the file there: does it run?",
		privately(c.loginCommand()+" -token-only", cfg.TokenFile))
}

// unmounted tells of what Vault says where no auth method is mounted; of some
// methods it says the same of more.
func unmounted(said string) bool {
	return strings.Contains(said, "permission denied") || strings.Contains(said, "unsupported path") || strings.Contains(said, "no handler")
}

func (c *Client) mendMount(question string) Fix {
	return Paste(c.onLogin("auth list")+"   # "+question, c.onLogin("auth enable", "-path="+ShellWord(c.mount), string(c.auth)))
}

// onLogin is a command for whoever may change the login.
func (c *Client) onLogin(verb string, words ...string) string {
	return administer(verb, c.loginNamespace, words...)
}

func (c *Client) listRoles() string {
	return c.onLogin("list", "auth/"+ShellWord(c.mount)+"/role") + "   # which roles there are, for --role"
}

// LoginCommand is how a person gets a token that is good here.
func (c *Client) LoginCommand() Fix { return Paste(c.anotherToken()) }

// AnotherJWT is how to get another JWT in the place of one that is not there, is
// none or has expired.
func (c *Client) AnotherJWT() Fix {
	file := cmp.Or(c.jwtPath, defaultJWTPath)
	claims, _, _ := c.Claims()
	namespace, account, ok := claims.serviceAccount()
	switch {
	case !ok && c.auth == AuthJWT && c.jwtPath != "":
		return Paste("ls -l " + ShellWord(file) + "   # " + orUnknown(claims.Issuer) + " has to put one there: run the job again, or renew it")
	case !ok && c.jwtPath == "":
		return Paste(projected(file, ""), c.loginCommand()+" && export VAULTEXEC_AUTH=token   # outside of a pod")
	case !ok:
		namespace, account = "default", cmp.Or(c.role, "default")
	}
	if len(claims.Audience) == 0 {
		claims.Audience = []string{"vault"}
	}
	create := privately(fmt.Sprintf("kubectl --namespace %s create token %s%s", ShellWord(namespace), ShellWord(account), strings.Replace(claims.audience("--audience"), "=", " ", 1)), file)
	if !ok {
		create += "   # of the account that the role is bound to"
	}
	volume := projected(file, claims.Audience[0])
	switch {
	case path.Dir(file) == "/": // no volume can be there
		return Paste(create)
	case ok && c.jwtPath != "":
		return Paste(create, volume)
	}
	return Paste(volume, create)
}

// projected is what a pod's manifest has to say for a JWT at a place where the
// kubelet keeps it good.
func projected(file, audience string) string {
	if file == defaultJWTPath {
		return "automountServiceAccountToken: true   # in the pod's spec"
	}
	return fmt.Sprintf("volumes: [{name: vault-token, projected: {sources: [{serviceAccountToken: {path: %s, audience: %s}}]}}]   # in the pod's spec\n"+
		"volumeMounts: [{name: vault-token, mountPath: %s, readOnly: true}]   # in the container's",
		yamlWord(path.Base(file)), yamlWord(audience), yamlWord(path.Dir(file)))
}

// yamlWord is a text as YAML's double-quoted style has it, JSON's too.
func yamlWord(s string) string { return fmt.Sprintf("%q", s) }

// ended tells whether the JWT is past its life, by our clock.
func (c Claims) ended() bool { return !c.Expires.IsZero() && time.Now().After(c.Expires) }

// serviceAccount takes the subject of a Kubernetes token apart.
func (c Claims) serviceAccount() (namespace, account string, ok bool) {
	rest, ok := strings.CutPrefix(c.Subject, "system:serviceaccount:")
	if !ok {
		return "", "", false
	}
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
