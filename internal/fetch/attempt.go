package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// request is one thing asked of Vault. It is called once per try, with a
// client for the right namespace and a context with the try's own timeout.
type request func(ctx context.Context, client *api.Client) error

// failure is why one try gave nothing.
type failure struct {
	class      Class
	reason     string        // for messages; has no secret in it
	status     int           // HTTP status, 0 without an answer
	said       []string      // Vault's own error strings; nil if the answer was not Vault's
	retryAfter time.Duration // as the server asked; 0 if it did not
	final      bool          // waiting will not help
	broke      bool          // the connection broke off, see probe
}

// exchange is what the api package saw of an HTTP answer and does not hand
// out with all of its errors.
type exchange struct {
	status     int // 0 if there was no answer
	retryAfter string
}

// attempt tries once, as soon as fewer than Concurrency requests are under
// way. It returns nil when the request went well.
func (c *Client) attempt(ctx context.Context, namespace string, do request) *failure {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return &failure{class: ClassTimeout, reason: "no answer"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.requestTimeout)
	defer cancel()
	var seen exchange
	c.tokenMu.RLock() // these two copy the client, and with it the token
	client := c.api.WithNamespace(namespace).WithResponseCallbacks(func(r *api.Response) {
		seen = exchange{r.StatusCode, r.Header.Get("Retry-After")}
	})
	c.tokenMu.RUnlock()
	err := do(ctx, client)
	if err == nil {
		return nil
	}
	var f *failure
	if seen.status != 0 {
		f = diagnoseAnswer(err, seen)
	} else {
		f = diagnoseSilence(err, c.requestTimeout)
		f.broke = f.class == ClassUnreachable && brokeOff(err)
	}
	f.reason = c.scrub(f.reason)
	for i, s := range f.said {
		f.said[i] = c.scrub(s)
	}
	return f
}

// errNotVault is a body that Vault would not have sent: HTML, truncated JSON,
// somebody else's JSON. The body itself is never repeated.
var errNotVault = errors.New("the answer is not Vault's: not the JSON that its API has, or cut off; is there a proxy in between, or is the address wrong")

// diagnoseAnswer explains an HTTP answer that could not be used.
func diagnoseAnswer(err error, seen exchange) *failure {
	f := &failure{
		class:      ClassUnreachable,
		status:     seen.status,
		retryAfter: parseRetryAfter(seen.retryAfter, time.Now()),
	}
	var response *api.ResponseError
	if errors.As(err, &response) && !response.RawError {
		f.said = response.Errors
	}
	said := flatten(f.said)
	switch {
	case seen.status == http.StatusTooManyRequests:
		f.class, f.reason = ClassRateLimited, "Vault's rate limit is reached"
	case seen.status == http.StatusPreconditionFailed:
		f.reason = "this Vault node does not have the latest state yet"
	case seen.status == 472 || seen.status == 473: // disaster recovery and performance standbys
		f.reason = "this Vault node is a standby"
	case strings.Contains(strings.ToLower(said), "vault is sealed"):
		f.class, f.reason = ClassSealed, "Vault is sealed"
	case seen.status >= 500:
		f.reason = "Vault has a problem"
		if said != "" {
			f.reason += ": " + said
		}
	case seen.status >= 400 && response == nil && !isSyntax(err):
		diagnoseBody(f, err)
	case seen.status >= 400:
		f.final = true
		f.reason = said
		if said == "" {
			f.reason = refusalWithoutWords(response)
		}
	case seen.status >= 300:
		f.reason = "redirected more than once"
	default:
		diagnoseBody(f, err)
	}
	return f
}

// servesHTTPS is a reason that MendHealth knows.
const servesHTTPS = "this address serves https"

// refusalWithoutWords explains a 4xx that has no error strings of Vault.
func refusalWithoutWords(response *api.ResponseError) string {
	switch {
	case response != nil && !response.RawError && response.Errors != nil:
		return "no reason given"
	case response != nil && strings.Contains(strings.Join(response.Errors, ""), "HTTP request to an HTTPS server"): // net/http's server
		return servesHTTPS + ": write https:// in VAULT_ADDR"
	}
	return errNotVault.Error()
}

// isSyntax tells a body that is not JSON from one that did not arrive.
func isSyntax(err error) bool {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &mismatch)
}

// diagnoseBody explains an answer whose body could not be read.
func diagnoseBody(f *failure, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		f.reason, f.final = "the answer is larger than 32 MiB", true
	case errors.Is(err, context.DeadlineExceeded):
		f.class, f.reason = ClassTimeout, "the answer did not arrive whole in time"
	default:
		f.reason = errNotVault.Error()
	}
}

// scrub takes tokens and what logins are made with out of what others wrote.
func (c *Client) scrub(s string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range c.secrets {
		if len(secret) >= 4 { // a shorter one would take words apart
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	return s
}
