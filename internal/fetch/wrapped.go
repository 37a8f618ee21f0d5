package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"

	"vaultexec/internal/secret"
)

// wrapping is a token for an answer that Vault keeps for one reader
// (response wrapping), and what became of it. It remembers: nobody can unwrap
// twice, and later logins find the same token in the same place.
type wrapping struct {
	what    string // is wrapped and where, for messages: the secret ID of FILE
	path    string // where the answer is to come from, with * for one name; empty: from anywhere
	content func(*api.Secret) string

	from      secret.Value // the text that was found there last, and
	unwrapped secret.Value // what was in the answer
}

// open gives what is wrapped by the token that the text has.
func (c *Client) open(ctx context.Context, w *wrapping, text string) (string, error) {
	if !w.from.IsNull() && w.from.Text() == text {
		return w.unwrapped.Text(), nil
	}
	token := wrappingToken(text)
	if token == "" {
		return "", configError(fmt.Sprintf("%s: the JSON there has no wrapping token in it (wrap_info.token)", w.what))
	}
	c.keepSecret(token)
	if w.path != "" {
		if err := c.checkOrigin(ctx, w, token); err != nil {
			return "", err
		}
	}
	answer, err := c.unwrap(ctx, w, token)
	if err != nil {
		return "", err
	}
	content := w.content(answer)
	if content == "" {
		fields := strings.Join(slices.Sorted(maps.Keys(answer.Data)), ", ")
		return "", configError(fmt.Sprintf("%s: something else was wrapped, with the fields [%s]", w.what, fields))
	}
	c.keepSecret(content)
	w.from, w.unwrapped = secret.Of(text), secret.Of(content)
	return content, nil
}

// wrappingToken finds the token in what vault -wrap-ttl prints with
// -format=json, in what a wrapping sink of Vault Agent writes, or takes the text.
func wrappingToken(text string) string {
	if !strings.HasPrefix(text, "{") {
		return text
	}
	var sent struct {
		Token    string `json:"token"`
		WrapInfo struct {
			Token string `json:"token"`
		} `json:"wrap_info"`
	}
	if err := json.Unmarshal([]byte(text), &sent); err != nil {
		return ""
	}
	if sent.WrapInfo.Token != "" {
		return sent.WrapInfo.Token
	}
	return sent.Token
}

// unwrap is the one use of a wrapping token.
func (c *Client) unwrap(ctx context.Context, w *wrapping, token string) (*api.Secret, error) {
	tries := 0
	var answer *api.Secret
	words := "unwrapping " + w.what
	err := c.retry(ctx, words, c.namespace, func(ctx context.Context, client *api.Client) error {
		tries++
		client.SetToken(token)
		var err error
		answer, err = client.Logical().WriteWithContext(ctx, "sys/wrapping/unwrap", map[string]any{})
		if err == nil && answer == nil {
			return errNotVault
		}
		return err
	})
	if err != nil {
		hint := ""
		if tries > 1 {
			hint = ", or an earlier try of this start has, whose answer was lost"
		}
		return nil, c.usedUp(words, err, hint)
	}
	return answer, nil
}

// checkOrigin looks up where the answer comes from, which uses nothing up.
// Whoever replaces a wrapping token by one of his own cannot choose that.
func (c *Client) checkOrigin(ctx context.Context, w *wrapping, token string) error {
	var answer *api.Secret
	words := "looking up the wrapping token of " + w.what
	err := c.retry(ctx, words, c.namespace, func(ctx context.Context, client *api.Client) error {
		client.ClearToken() // the one in question is no better than none
		var err error
		answer, err = client.Logical().WriteWithContext(ctx, "sys/wrapping/lookup", map[string]any{"token": token})
		if err == nil && answer == nil {
			return errNotVault
		}
		return err
	})
	if err != nil {
		return c.usedUp(words, err, "")
	}
	origin, _ := answer.Data["creation_path"].(string)
	if !matchesPath(w.path, strings.TrimPrefix(origin, c.namespace+"/")) {
		return &Error{class: ClassAuthDenied, text: fmt.Sprintf("%s: what is wrapped comes from %q and not from %s: somebody may have put another wrapping token there, and it is not unwrapped", w.what, origin, w.path)}
	}
	return nil
}

// matchesPath compares a path with a pattern, whose * is one name.
func matchesPath(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == g || w == "*" && g != "" })
}

// usedUp puts into words why a wrapping token is refused. Vault says the same
// of one that was used, has expired or has never been.
func (c *Client) usedUp(words string, err error, hint string) error {
	var f *failure
	switch {
	case !errors.As(err, &f):
		return err
	case f.said == nil: // TLS, or not Vault
		return c.fatal(words, f)
	}
	return &Error{class: ClassAuthDenied, text: fmt.Sprintf("%s: Vault denied it: %s (HTTP %d); a wrapping token is good for one use and a short time: a start before this one has used it, it has expired, or it is none%s; "+
		"if it is none of that, somebody else has unwrapped it, and what was wrapped has to be revoked", words, f.reason, f.status, hint)}
}

// tokenIn finds a token in an unwrapped answer: of a login or of
// auth/token/create, or of the sys/wrapping/wrap of Vault Agent's sinks.
func tokenIn(answer *api.Secret) string {
	if answer.Auth != nil {
		return answer.Auth.ClientToken
	}
	token, _ := answer.Data["token"].(string)
	return token
}
