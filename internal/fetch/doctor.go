package fetch

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// What a doctor asks of Vault beside what it tells everybody: see line.go for
// the way there, permission.go for what the token may do.

// Once makes what is asked with the context it returns be asked once: whoever
// looks for the cause of trouble does not wait for it to pass.
func Once(ctx context.Context) context.Context { return oneTry(ctx) }

// Address is where the client asks, without what may let somebody in.
func (c *Client) Address() string { return c.address }

// Identity is who the client is, once it has logged in.
func (c *Client) Identity() string { return c.who() }

// AuthMount is where the login is made: its kind, and where that is mounted;
// empty where a token is used that is there already.
func (c *Client) AuthMount() (kind, mount string) {
	if !c.method.makes() {
		return "", ""
	}
	return string(c.auth), c.mount
}

// Health is what Vault says of itself to anybody.
type Health struct {
	Initialized bool          `json:"initialized"`
	Sealed      bool          `json:"sealed"`
	Standby     bool          `json:"standby"`
	Performance bool          `json:"performance_standby"`
	Version     string        `json:"version"`
	Skew        time.Duration `json:"-"` // what its clock is ahead of ours; whole seconds are all that it tells
	Clocked     bool          `json:"-"` // Skew is known
}

// healthQuery has every state answered with a body to read.
var healthQuery = url.Values{"standbyok": {"true"}, "perfstandbyok": {"true"}, "sealedcode": {"200"}, "uninitcode": {"200"}, "drsecondarycode": {"200"}}

// Health asks it.
func (c *Client) Health(ctx context.Context) (Health, error) {
	var h Health
	err := c.retry(ctx, "asking for the health", "", func(ctx context.Context, client *api.Client) error {
		client.ClearToken()
		asked := time.Now()
		resp, err := client.Logical().ReadRawWithDataWithContext(ctx, "sys/health", healthQuery)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		answered := time.Now()
		if err := json.NewDecoder(resp.Body).Decode(&h); err != nil || h.Version == "" {
			return errNotVault
		}
		if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
			h.Skew, h.Clocked = skew(date, asked, answered), true
		}
		return nil
	})
	h.Version = c.scrub(h.Version)
	return h, c.inWords("asking for the health", err)
}

// skew is what a clock is ahead that showed date, cut off to the second, at some
// time between asked and answered: 0 where it may be right.
func skew(date, asked, answered time.Time) time.Duration {
	switch {
	case date.After(answered):
		return date.Sub(answered)
	case date.Add(time.Second).Before(asked):
		return date.Add(time.Second).Sub(asked)
	}
	return 0
}

// inWords makes an Error of a failure that is final.
func (c *Client) inWords(words string, err error) error {
	var final *failure
	if errors.As(err, &final) {
		return c.fatal(words, final)
	}
	return err
}

// Token is what Vault knows of the token.
type Token struct {
	Unknown  bool // the token may not look itself up
	Type     string
	Policies []string
	TTL      time.Duration // 0: for ever
	Renews   bool
}

// Token asks for it. The error is that of a token that Vault does not accept.
func (c *Client) Token(ctx context.Context) (Token, error) {
	const words = "looking up the token"
	var a *answer
	if err := c.retry(ctx, words, c.loginNamespace, c.reading("auth/token/lookup-self", nil, &a)); err != nil {
		return Token{}, c.inWords(words, err)
	}
	switch {
	case a.status == http.StatusOK:
	case a.status == http.StatusForbidden && a.deniesLookup():
		return Token{Unknown: true}, nil
	default:
		return Token{}, c.tokenRejected(a)
	}
	t := Token{Type: c.scrub(text(a.data["type"]))}
	for _, p := range append(texts(a.data["policies"]), texts(a.data["identity_policies"])...) {
		t.Policies = append(t.Policies, c.scrub(p))
	}
	t.TTL, _ = seconds(a.data["ttl"])
	t.Renews, _ = a.data["renewable"].(bool)
	return t, nil
}

func text(v any) string { s, _ := v.(string); return s }

// texts reads what is one text or a list of them.
func texts(v any) []string {
	if one, ok := v.(string); ok {
		return []string{one}
	}
	var all []string
	list, _ := v.([]any)
	for _, e := range list {
		all = append(all, text(e))
	}
	return all
}

// Claims are what the JWT of a login says of itself and may be shown.
type Claims struct {
	Audience []string
	Issuer   string
	Subject  string
	Expires  time.Time // zero: never
}

// Claims reads them, where the login is made with a JWT. Nobody checks the
// signature: that is for Vault.
func (c *Client) Claims() (claims Claims, there bool, err error) {
	if c.method.jwt == nil {
		return claims, false, nil
	}
	jwt, err := c.method.jwt()
	if err != nil {
		return claims, true, err
	}
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return claims, true, c.noJWT()
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return claims, true, c.noJWT()
	}
	object := decodeObject(payload)
	if object == nil {
		return claims, true, c.noJWT()
	}
	claims = Claims{Issuer: name(text(object["iss"])), Subject: name(text(object["sub"]))}
	for _, audience := range texts(object["aud"]) {
		claims.Audience = append(claims.Audience, name(audience))
	}
	if n, ok := object["exp"].(json.Number); ok {
		if at, err := n.Float64(); err == nil {
			claims.Expires = time.Unix(int64(min(at, float64(maxLife/time.Second))), 0)
		}
	}
	return claims, true, nil
}

// noJWT is what else may be in the file.
func (c *Client) noJWT() *Error {
	return configError(cmp.Or(c.jwtPath, defaultJWTPath) + " has no JWT in it: that is three parts in base64url with dots between them")
}

// policyFor is what a policy has to say for capabilities of a path.
func policyFor(path string, capabilities ...string) string {
	quoted := make([]string, len(capabilities))
	for i, c := range capabilities {
		quoted[i] = fmt.Sprintf("%q", c)
	}
	return fmt.Sprintf("path %q { capabilities = [%s] }", path, strings.Join(quoted, ", "))
}
