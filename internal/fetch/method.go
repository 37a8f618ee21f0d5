package fetch

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"
)

// Auth is a way to log in.
type Auth string

const (
	AuthDefault    Auth = ""           // kubernetes where a role is given, else token
	AuthKubernetes Auth = "kubernetes" // the pod's service account token
	AuthJWT        Auth = "jwt"        // a JWT in a file
	AuthAppRole    Auth = "approle"    // a role ID and a secret ID in files
	AuthCert       Auth = "cert"       // the TLS client certificate of VAULT_CLIENT_CERT
	AuthUserpass   Auth = "userpass"   // a name and a password that Vault knows
	AuthLDAP       Auth = "ldap"       // a name and a password that a directory knows
	AuthToken      Auth = "token"      // VAULT_TOKEN, else the token helper (vault login)
	AuthTokenFile  Auth = "token-file" // a file that somebody else keeps a token in
)

// kind is what New has to know of a way to log in: where it is mounted unless
// somebody says otherwise (nothing: it has no mount, there is a token already),
// what the settings lack for it (nothing: they are fine), how it is made, and what
// mends it, given Vault's words.
type kind struct {
	mount string
	lacks func(Config) string
	make  func(*Client, Config) method
	mend  func(*Client, Config, string) Fix
}

// kinds are all ways to log in.
var kinds = map[Auth]kind{
	AuthKubernetes: {"kubernetes", lacksRole, (*Client).kubernetes, (*Client).mendKubernetes},
	AuthJWT:        {"jwt", lacksNothing, (*Client).jwt, (*Client).mendJWT},
	AuthAppRole:    {"approle", lacksRoleID, (*Client).appRole, (*Client).mendAppRole},
	AuthCert:       {"cert", lacksCertificate, (*Client).cert, (*Client).mendCert},
	AuthUserpass:   {"userpass", lacksUsername, (*Client).userpass, (*Client).mendUserpass},
	AuthLDAP:       {"ldap", lacksUsername, (*Client).ldap, (*Client).mendLDAP},
	AuthToken:      {"", lacksNothing, (*Client).givenToken, (*Client).mendGivenToken},
	AuthTokenFile:  {"", lacksTokenFile, (*Client).tokenFile, (*Client).mendTokenFile},
}

// method is a way to log in of one client. What all have in common is in
// login.go. Its functions are called by one login at a time.
type method struct {
	// find gets a token that is there already. Where there is none of it, the
	// method makes a token, with what follows.
	find func(ctx context.Context) (token, identity string, err error)

	// as says in messages who logs in, as in: role "app".
	as string
	// prepare is what is done once a login and may take long; nil: nothing.
	prepare func(ctx context.Context) error
	// request makes the login's request, of what files hold at that moment. It
	// is called for each try. An error of it is final.
	request func() (api.AuthMethod, error)
	// jwt is the JWT that the request would be made with; nil: it has none.
	jwt func() (string, error)
	// refused hears of Vault's answer; nil: nobody does.
	refused func(status int, said string)
	// hint says what to do when Vault refuses for the reason that it gives.
	hint func(said string) string
	// person is set where it is somebody at a keyboard who logs in.
	person bool

	// accepted hears that there is a token, of either kind of method; nil: nobody does.
	accepted func()
	// changed tells whether there is another token to be found than the one
	// that was found last, without asking anything of Vault; nil: nobody knows.
	changed func() bool
	// another says how another token comes, once this one is not good any more.
	another string
}

// makes tells whether a login makes a token, which nobody else has.
func (m method) makes() bool { return m.find == nil }

func lacksNothing(Config) string { return "" }

// write is the login of a method for which the api module has no helper.
type write struct {
	path string
	body map[string]any
}

// Login makes write an api.AuthMethod.
func (w write) Login(ctx context.Context, client *api.Client) (*api.Secret, error) {
	return client.Logical().WriteWithContext(ctx, w.path, w.body)
}

// auth decides how to log in. An explicit way or a role wins over whatever
// token is lying about.
func (cfg Config) auth() Auth {
	switch {
	case cfg.Auth != AuthDefault:
		return cfg.Auth
	case cfg.Role != "":
		return AuthKubernetes
	}
	return AuthToken
}

// authMount is where the method is mounted, without auth/ and slashes at its ends.
func (cfg Config) authMount() string {
	mount := strings.Trim(cmp.Or(cfg.AuthMount, kinds[cfg.auth()].mount), "/")
	return strings.Trim(strings.TrimPrefix(mount+"/", "auth/"), "/")
}

// checkLogin finds settings with which no login can be made.
func (cfg Config) checkLogin() error {
	auth := cfg.auth()
	k, known := kinds[auth]
	if !known {
		var all []string
		for _, name := range slices.Sorted(maps.Keys(kinds)) {
			all = append(all, string(name))
		}
		return configError(fmt.Sprintf("auth %q is unknown: there are %s", auth, strings.Join(all, ", ")))
	}
	if lack := k.lacks(cfg); lack != "" {
		return configError(fmt.Sprintf("auth %s needs %s", auth, lack))
	}
	if k.mount != "" && cfg.authMount() == "" {
		return configError(fmt.Sprintf("auth mount %q has no name in it: write it as %[2]s or auth/%[2]s", cfg.AuthMount, k.mount))
	}
	return nil
}
