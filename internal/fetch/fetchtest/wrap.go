package fetchtest

import (
	"encoding/json"
	"net/http"
)

// wrapped is an answer that is kept for one reader.
type wrapped struct {
	path string
	data any
	auth any
}

// Wrap keeps an answer to a request of path for whoever has the wrapping token:
// data, or with a token in it under auth, as logins have it.
func (s *Server) Wrap(token, path string, data, auth map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &wrapped{path: path}
	if data != nil {
		w.data = data
	}
	if auth != nil {
		w.auth = auth
	}
	s.wraps[token] = w
}

// serveWrapping answers what is about wrapping tokens; false: it is about
// something else. Whatever else such a token is used for uses it up, too.
func (s *Server) serveWrapping(w http.ResponseWriter, token, path string, body []byte) bool {
	kept := s.wraps[token]
	switch path {
	case "sys/wrapping/lookup":
		var sent struct{ Token string }
		_ = json.Unmarshal(body, &sent)
		if kept = s.wraps[sent.Token]; kept != nil {
			answer(w, http.StatusOK, map[string]any{"creation_path": kept.path, "creation_time": "2026-11-24T10:34:41.974133857Z", "creation_ttl": 300}, nil)
			return true
		}
	case "sys/wrapping/unwrap":
		if delete(s.wraps, token); kept != nil {
			answer(w, http.StatusOK, kept.data, map[string]any{"auth": kept.auth})
			return true
		}
	default:
		delete(s.wraps, token)
		return false
	}
	refuse(w, http.StatusBadRequest, "wrapping token is not valid or does not exist")
	return true
}
