package fetchtest

import (
	"encoding/json"
	"net/http"
)

// login is a login of a method other than kubernetes.
type login struct {
	fields map[string]string // field -> what has to be sent
	grant  *role
}

// Login makes a login: who sends these fields to auth/PATH, such as
// userpass/login/NAME, gets the token, with which may be done what Allow says.
// The second login gives token-2.
func (s *Server) Login(path string, fields map[string]string, token string, policies ...string) {
	s.LoginIn("", path, fields, token, policies...)
}

// LoginIn does that in a namespace.
func (s *Server) LoginIn(namespace, path string, fields map[string]string, token string, policies ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[token] == nil {
		s.tokens[token] = make(map[string]string)
	}
	s.logins[namespace+"|auth/"+path] = &login{fields, &role{token: token, policies: policies, rights: s.tokens[token]}}
}

// serveLogin answers a login that Login made; false: it is none of them.
func (s *Server) serveLogin(w http.ResponseWriter, namespace, path string, body []byte) bool {
	l := s.logins[namespace+"|"+path]
	if l == nil {
		return false
	}
	var sent map[string]any
	if err := json.Unmarshal(body, &sent); err != nil {
		refuse(w, http.StatusBadRequest, "failed to parse JSON input")
		return true
	}
	for name, want := range l.fields {
		if sent[name] != want {
			refuse(w, http.StatusBadRequest, refusal(l.fields))
			return true
		}
	}
	s.giveToken(w, l.grant, nil)
	return true
}

// refusal is what Vault 1.21 says to those who do not know what they should.
func refusal(fields map[string]string) string {
	switch {
	case fields["role_id"] != "":
		return "invalid role or secret ID"
	case fields["password"] != "":
		return "invalid username or password"
	case fields["jwt"] != "":
		return "error validating token: error verifying token signature: no known key successfully validated the token signature"
	}
	return "permission denied"
}

// giveToken is the answer to a login that succeeds. Callers hold mu.
func (s *Server) giveToken(w http.ResponseWriter, r *role, metadata map[string]string) {
	token, ttl, renewable := s.newToken(r)
	answer(w, http.StatusOK, nil, map[string]any{"auth": map[string]any{
		"client_token": token, "accessor": "IVT4hGTmxK4tZKlBXdK1SPXc", "policies": r.policies,
		"token_policies": r.policies, "metadata": metadata,
		"lease_duration": ttl, "renewable": renewable, "token_type": "service",
	}})
}
