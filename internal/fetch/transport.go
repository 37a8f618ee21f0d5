package fetch

import (
	"net/http"
)

// maxBody bounds what one answer may have. Vault takes requests of up to
// 32 MiB (max_request_size), so no secret is larger.
const maxBody = 32 << 20

// limitBodies keeps a broken or hostile server from filling the memory: the
// api package reads answers to their end.
type limitBodies struct{ base *http.Transport }

func (t limitBodies) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxBody)
	}
	return resp, err
}

// CloseIdleConnections is found by http.Client through an interface.
func (t limitBodies) CloseIdleConnections() { t.base.CloseIdleConnections() }
