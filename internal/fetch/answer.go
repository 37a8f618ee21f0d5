package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hashicorp/vault/api"

	"vaultexec/internal/secret"
)

// answer is what Vault says to a GET that it understood: 2xx, or one of the
// refusals that no waiting changes.
type answer struct {
	status   int
	data     map[string]any // numbers are json.Number; nil where there is none
	said     []string       // errors and warnings
	lease    string         // ID of the lease; empty where there is none
	ttl      time.Duration  // of the lease or of the login's token
	renewing bool           // lease or token can be renewed
	wrapped  bool           // response wrapping: only a token for the answer
	auth     bool           // the answer is a login
	mimeType string         // where the body is no JSON
	request  string         // ID of the request
	warnings []string
}

// body is the frame of every JSON answer of Vault's API.
type body struct {
	RequestID     string          `json:"request_id"`
	LeaseID       string          `json:"lease_id"`
	LeaseDuration int64           `json:"lease_duration"` // seconds
	Renewable     bool            `json:"renewable"`
	Data          json.RawMessage `json:"data"`
	Errors        []string        `json:"errors"`
	Warnings      []string        `json:"warnings"`
	WrapInfo      json.RawMessage `json:"wrap_info"`
	Auth          json.RawMessage `json:"auth"`
}

// fetching is the request for what a location has. An answer of 400 up comes as
// an answer.
func (c *Client) fetching(at location, got **answer) request {
	if at.body != "" {
		return c.writing(at.path, []byte(at.body), got)
	}
	return c.reading(at.path, at.query(), got)
}

// reading is the request of one GET; it leaves its answer in got.
func (c *Client) reading(path string, query url.Values, got **answer) request {
	return c.asking(path, got, func(ctx context.Context, client *api.Client) (*api.Response, error) {
		return client.Logical().ReadRawWithDataWithContext(ctx, path, query)
	})
}

// writing is the request of one PUT of a JSON object.
func (c *Client) writing(path string, object []byte, got **answer) request {
	return c.asking(path, got, func(ctx context.Context, client *api.Client) (*api.Response, error) {
		r := client.NewRequest(http.MethodPut, "/v1/"+path)
		// Not Logical's: with its bytes alone a redirect to the active node
		// would send null (api.Request.ResetJSONBody).
		if err := r.SetJSONBody(json.RawMessage(object)); err != nil {
			return nil, err
		}
		//lint:ignore SA1019 nothing else takes a Request
		return client.RawRequestWithContext(ctx, r)
	})
}

// asking is a request whose answer is left in got.
func (c *Client) asking(path string, got **answer, ask func(context.Context, *api.Client) (*api.Response, error)) request {
	return func(ctx context.Context, client *api.Client) error {
		resp, err := ask(ctx, client)
		if resp == nil {
			return err
		}
		defer resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK, http.StatusNoContent:
		case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		default:
			if err == nil {
				err = fmt.Errorf("unexpected status %d", resp.StatusCode)
			}
			return err
		}
		a, bad := decode(resp)
		if bad != nil {
			if err != nil { // the refusal says more than that its body is odd
				return err
			}
			return bad
		}
		for i, s := range a.said {
			a.said[i] = c.scrub(s)
			c.log.Debug("vault remarks", "path", path, "status", a.status, "remark", flatten(a.said[i:i+1]))
		}
		*got = a
		return nil
	}
}

// decode reads an answer. It refuses bodies that are not Vault's, because the
// 404 of some proxy must not pass for a secret that does not exist.
func decode(resp *api.Response) (*answer, error) {
	a := &answer{status: resp.StatusCode}
	if resp.StatusCode == http.StatusNoContent {
		return a, nil
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var b body
	if err := json.Unmarshal(text, &b); err != nil {
		if a.mimeType = rawType(resp.Header.Get("Content-Type")); a.mimeType != "" && resp.StatusCode == http.StatusOK {
			return a, nil
		}
		return nil, errNotVault
	}
	if b.RequestID == "" && b.Errors == nil && resp.StatusCode >= 400 {
		return nil, errNotVault
	}
	a.said = append(b.Errors, b.Warnings...)
	a.request, a.warnings = b.RequestID, b.Warnings
	a.wrapped, a.auth = present(b.WrapInfo), present(b.Auth)
	a.lease, a.renewing, a.ttl = b.LeaseID, b.Renewable, time.Duration(b.LeaseDuration)*time.Second
	if a.auth {
		var auth struct {
			LeaseDuration int64 `json:"lease_duration"`
			Renewable     bool  `json:"renewable"`
		}
		if err := json.Unmarshal(b.Auth, &auth); err != nil {
			return nil, errNotVault
		}
		a.ttl, a.renewing = time.Duration(auth.LeaseDuration)*time.Second, auth.Renewable
	}
	if present(b.Data) {
		a.data = decodeObject(b.Data)
	}
	return a, nil
}

// whole is the answer as the API has it, for ref.WholeAnswer.
func (a *answer) whole() secret.Fields {
	warnings := make([]any, len(a.warnings))
	for i, w := range a.warnings {
		warnings[i] = w
	}
	return secret.Fields{
		"request_id":     secret.Of(a.request),
		"lease_id":       secret.Of(a.lease),
		"lease_duration": secret.Of(json.Number(strconv.Itoa(int(a.ttl / time.Second)))),
		"renewable":      secret.Of(a.renewing),
		"data":           secret.Of(a.data),
		"warnings":       secret.Of(warnings),
	}
}

// rawType names the content type of an endpoint that answers with something
// other than JSON (pki/ca/pem, for one). Empty for what a proxy's error page
// or a broken Vault would send.
func rawType(contentType string) string {
	switch mimeType, _, err := mime.ParseMediaType(contentType); {
	case err != nil, mimeType == "application/json", mimeType == "text/html", mimeType == "text/plain":
		return ""
	default:
		return mimeType
	}
}

func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// decodeObject keeps numbers as they are written. What is no object (a list, a
// scalar) is no secret, and nil.
func decodeObject(raw json.RawMessage) map[string]any {
	var object map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&object); err != nil {
		return nil
	}
	return object
}
