package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/kubernetes"
)

// Login gets the token that Fetch will use. With a token that is already there
// (VAULT_TOKEN, the token helper) it asks nothing of Vault: the first read
// shows what the token is good for. It waits for Vault as long as ctx allows.
func (c *Client) Login(ctx context.Context) error {
	if c.auth == AuthKubernetes {
		return c.loginKubernetes(ctx)
	}
	return c.findToken(ctx)
}

// loginKubernetes trades the pod's service account token for one of Vault.
func (c *Client) loginKubernetes(ctx context.Context) error {
	words := fmt.Sprintf("login with role %q at auth/%s", c.role, c.mount)
	var auth *api.SecretAuth
	var jwtErr error
	err := c.retry(ctx, words, c.namespace, func(ctx context.Context, client *api.Client) error {
		jwt, err := c.readJWT() // anew each time: the kubelet rotates it while we wait
		if err != nil {
			jwtErr = err
			return nil
		}
		client.ClearToken() // a login is not made with the token of an earlier one
		auth, err = exchangeJWT(ctx, client, c.role, c.mount, jwt)
		return err
	})
	var refused *failure
	switch {
	case jwtErr != nil:
		return jwtErr
	case errors.As(err, &refused):
		return c.loginRefused(words, refused)
	case err != nil:
		return err
	case auth.ClientToken == "":
		return &Error{class: ClassAuthDenied, text: words + ": Vault wants a second factor (MFA), which a workload does not have: exempt the role from it"}
	}
	c.keepGrant(auth)
	c.useToken(auth.ClientToken, fmt.Sprintf("role %q at auth/%s with policies %s", c.role, c.mount, strings.Join(auth.Policies, ", ")))
	return nil
}

// exchangeJWT is the one request of a kubernetes login.
func exchangeJWT(ctx context.Context, client *api.Client, role, mount, jwt string) (*api.SecretAuth, error) {
	method, err := kubernetes.NewKubernetesAuth(role, kubernetes.WithServiceAccountToken(jwt), kubernetes.WithMountPath(mount))
	if err != nil {
		panic("BUG: kubernetes auth with a role and a JWT: " + err.Error())
	}
	answer, err := method.Login(ctx, client)
	switch {
	case err != nil:
		return nil, err
	case answer == nil || answer.Auth == nil || answer.Auth.ClientToken == "" && answer.Auth.MFARequirement == nil:
		return nil, errNotVault
	}
	return answer.Auth, nil
}

// readJWT reads the service account token. What is wrong with the file now
// will be wrong with it later: Kubernetes mounts it before it starts anything.
func (c *Client) readJWT() (string, error) {
	text, err := readSmall(c.jwtPath)
	if err != nil {
		var path *fs.PathError
		if !errors.As(err, &path) {
			return "", configError(fmt.Sprintf("the service account token %s cannot be read: %v", c.jwtPath, err))
		}
		hint := ""
		if errors.Is(err, fs.ErrNotExist) {
			hint = "; outside of a pod use VAULT_TOKEN or vault login, inside check automountServiceAccountToken or set --jwt-path"
		}
		return "", configError(fmt.Sprintf("the service account token %s cannot be read: %v%s", c.jwtPath, path.Err, hint))
	}
	jwt := strings.TrimSpace(string(text))
	if jwt == "" {
		return "", configError(fmt.Sprintf("the service account token %s is empty", c.jwtPath))
	}
	c.keepSecret(jwt)
	return jwt, nil
}

// maxJWT is more than any token that a server takes in a header.
const maxJWT = 1 << 20

// readSmall reads a file that may be anything, a device without end too.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxJWT+1))
	if err == nil && len(text) > maxJWT {
		err = errors.New("it is longer than any token")
	}
	return text, err
}

// loginRefused puts a final answer to a login into words. Vault tells the
// unauthenticated little: 403 permission denied is also what it says where no
// auth method is mounted.
func (c *Client) loginRefused(words string, f *failure) *Error {
	said := flatten(f.said)
	var hint string
	switch {
	case f.said == nil: // TLS, or not Vault
		return c.fatal(words, f)
	case f.status == http.StatusNotFound || f.status == http.StatusMethodNotAllowed:
		hint = fmt.Sprintf("no kubernetes auth method is mounted at auth/%s: set --auth-mount", c.mount)
	case strings.Contains(said, "invalid role name"):
		hint = fmt.Sprintf("there is no such role at auth/%s", c.mount)
	case strings.Contains(said, "audience"):
		hint = "the service account token has to be issued for the role's audience: set it on the projected volume (audience: ...) or on the role"
	case strings.Contains(said, "expired"):
		hint = fmt.Sprintf("the token in %s is not refreshed: mount it as a projected volume", c.jwtPath)
	default:
		hint = fmt.Sprintf("compare the role's bound service account names, namespaces and audience with this pod's, and check that kubernetes auth is mounted at auth/%s", c.mount)
	}
	return &Error{class: ClassAuthDenied, text: fmt.Sprintf("%s: Vault denied it: %s (HTTP %d); %s", words, f.reason, f.status, hint)}
}

// keepGrant notes the token that a login made.
func (c *Client) keepGrant(auth *api.SecretAuth) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grant = life{ttl: time.Duration(auth.LeaseDuration) * time.Second, renewable: auth.Renewable}
	c.made = append(c.made, auth.ClientToken)
	if len(c.made) > keptTokens {
		c.made = slices.Clone(c.made[len(c.made)-keptTokens:])
	}
}

// keptTokens is how many tokens may live: the newest, the one before, whose last
// leases are being replaced, and one more for luck. Those before are over.
const keptTokens = 3

// tokenGrant is what the newest login granted; nothing of a token that was
// there already.
func (c *Client) tokenGrant() life {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.grant
}

// useToken is the end of every login that has a token.
func (c *Client) useToken(token, identity string) {
	c.keepSecret(token)
	c.tokenMu.Lock()
	c.api.SetToken(token)
	c.tokenMu.Unlock()
	c.setIdentity(identity)
	c.log.Debug("logged in", "as", identity)
}

func (c *Client) setIdentity(identity string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.identity = identity
	if c.namespace != "" {
		c.identity += " in namespace " + c.namespace
	}
}

// who says in messages whose permissions count.
func (c *Client) who() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cmp.Or(c.identity, "no login")
}

// tokenRejected ends everything: with a token that Vault does not know no
// reference has a chance.
func (c *Client) tokenRejected(a *answer) *Error {
	hint := "it is expired, revoked or of another Vault"
	if c.auth == AuthToken {
		hint += ": log in again (vault login), or set --role to log in with the pod's service account"
	}
	return &Error{class: ClassAuthDenied, text: fmt.Sprintf("Vault at %s does not accept %s: %s (HTTP %d); %s",
		c.address, c.who(), c.scrub(flatten(a.said)), a.status, hint)}
}
