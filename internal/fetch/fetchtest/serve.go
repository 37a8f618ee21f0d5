package fetchtest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What Vault 1.21 says when it refuses.
const (
	invalidToken = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"
	denied       = "1 error occurred:\n\t* permission denied\n\n"
	noToken      = "permission denied"
)

// ServeHTTP answers one request as Vault would.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	s.mu.Lock()
	s.requests = append(s.requests, Request{
		Method: r.Method, Path: path, Query: r.URL.RawQuery, Body: string(body),
		Namespace: r.Header.Get("X-Vault-Namespace"), Token: r.Header.Get("X-Vault-Token"),
	})
	s.inFlight++
	s.peak = max(s.peak, s.inFlight)
	gate := s.gate
	var fault http.HandlerFunc
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	for prefix, h := range s.lasting {
		if strings.HasPrefix(r.Method+" "+path, prefix) {
			fault = h
		}
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.inFlight--
		s.mu.Unlock()
	}()
	if gate != nil {
		gate(r)
	}
	if fault != nil {
		fault(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve(w, r, path, body)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, path string, body []byte) {
	namespace := strings.Trim(r.Header.Get("X-Vault-Namespace"), "/")
	token := r.Header.Get("X-Vault-Token")
	if path == "sys/health" {
		write(w, http.StatusOK, map[string]any{"initialized": true, "sealed": s.sealed, "standby": false, "version": "1.21.0"})
		return
	}
	if s.sealed {
		refuse(w, http.StatusServiceUnavailable, "Vault is sealed")
		return
	}
	if s.serveWrapping(w, token, path, body) {
		return
	}
	if r.Method != http.MethodGet && s.serveLogin(w, namespace, path, body) {
		return
	}
	if login, ok := strings.CutSuffix(path, "/login"); ok && r.Method != http.MethodGet {
		s.login(w, namespace, strings.TrimPrefix(login, "auth/"), body)
		return
	}
	s.expire(time.Now())
	_, known := s.tokens[token]
	switch {
	case token == "":
		refuse(w, http.StatusForbidden, noToken)
	case !known && token != RootToken:
		refuse(w, http.StatusForbidden, invalidToken)
	case s.serveLife(w, token, path, body):
	case path == "sys/capabilities-self":
		s.capabilities(w, token, body)
	case strings.HasPrefix(path, "sys/internal/ui/mounts/"):
		s.preflight(w, namespace, token, strings.TrimPrefix(path, "sys/internal/ui/mounts/"))
	case r.URL.Query().Get("list") == "true":
		s.list(w, namespace, token, path)
	default:
		s.read(w, namespace, token, path, r.URL.Query().Get("version"))
	}
}

func (s *Server) login(w http.ResponseWriter, namespace, authMount string, body []byte) {
	var sent struct{ Role, JWT string }
	if err := json.Unmarshal(body, &sent); err != nil {
		refuse(w, http.StatusBadRequest, "failed to parse JSON input")
		return
	}
	role, ok := s.roles[namespace+"|"+authMount+"|"+sent.Role]
	switch {
	case !s.auth[namespace+"|"+authMount]:
		refuse(w, http.StatusForbidden, "permission denied") // as for any unauthenticated path
	case sent.JWT == "":
		refuse(w, http.StatusBadRequest, "missing jwt")
	case !ok:
		refuse(w, http.StatusBadRequest, fmt.Sprintf("invalid role name %q", sent.Role))
	case role.jwt != sent.JWT:
		refuse(w, http.StatusForbidden, "permission denied")
	default:
		s.giveToken(w, role, map[string]string{"role": sent.Role})
	}
}

// preflight is sys/internal/ui/mounts: for every token that may do anything
// below the mount, whatever its policies say of sys.
func (s *Server) preflight(w http.ResponseWriter, namespace, token, path string) {
	prefix, m := s.mountOf(namespace, path)
	if m == nil || !s.anywhereBelow(token, prefix) {
		refuse(w, http.StatusForbidden, fmt.Sprintf("preflight capability check returned 403, please ensure client's policies grant access to path %q", path+"/"))
		return
	}
	var options map[string]string
	if m.version != 0 {
		options = map[string]string{"version": strconv.Itoa(m.version)}
	}
	answer(w, http.StatusOK, map[string]any{
		"accessor": m.engine + "_86ee5bee", "path": prefix, "type": m.engine, "options": options,
		"description": "", "local": false, "seal_wrap": false, "uuid": "e3b08f0d-860b-0845-3fe8-1ef2d237aac4",
	}, nil)
}

func (s *Server) read(w http.ResponseWriter, namespace, token, path, wanted string) {
	prefix, m := s.mountOf(namespace, path)
	switch {
	case !s.may(token, path, "read"):
		refuse(w, http.StatusForbidden, denied)
		return
	case m == nil:
		refuse(w, http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", path))
		return
	}
	if l, ok := s.dynamic[path]; ok {
		s.issue(w, token, path, l)
		return
	}
	name := strings.TrimPrefix(path, prefix)
	if m.version == 2 {
		readV2(w, m, name, wanted)
		return
	}
	versions := m.secrets[name]
	if len(versions) == 0 {
		refuse(w, http.StatusNotFound)
		return
	}
	answer(w, http.StatusOK, json.RawMessage(versions[0].json), nil)
}

func readV2(w http.ResponseWriter, m *mount, path, wanted string) {
	if name, ok := strings.CutPrefix(path, "metadata/"); ok && len(m.secrets[name]) > 0 {
		answer(w, http.StatusOK, map[string]any{"current_version": len(m.secrets[name]), "max_versions": 0}, nil)
		return
	}
	name, ok := strings.CutPrefix(path, "data/")
	if !ok {
		answer(w, http.StatusNotFound, nil, map[string]any{"warnings": []string{
			"Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv get' for this operation."}})
		return
	}
	versions := m.secrets[name]
	n := len(versions)
	if wanted != "" {
		n, _ = strconv.Atoi(wanted)
	}
	if n < 1 || n > len(versions) {
		refuse(w, http.StatusNotFound)
		return
	}
	v := versions[n-1]
	status, fields := http.StatusOK, json.RawMessage(v.json)
	if v.destroyed || v.deleted != "" {
		status, fields = http.StatusNotFound, json.RawMessage("null")
	}
	answer(w, status, map[string]any{"data": fields, "metadata": map[string]any{
		"created_time": v.created, "custom_metadata": nil, "deletion_time": v.deleted, "destroyed": v.destroyed, "version": n,
	}}, nil)
}

func (s *Server) list(w http.ResponseWriter, namespace, token, path string) {
	prefix, m := s.mountOf(namespace, path)
	if !s.may(token, path+"/", "list") {
		refuse(w, http.StatusForbidden, denied)
		return
	}
	if m == nil {
		refuse(w, http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", path))
		return
	}
	dir := strings.TrimPrefix(path+"/", prefix)
	if m.version == 2 {
		dir = strings.TrimPrefix(dir, "metadata/")
	}
	names := make(map[string]bool)
	for name := range m.secrets {
		if below, ok := strings.CutPrefix(name, dir); ok {
			first, _, deeper := strings.Cut(below, "/")
			if deeper {
				first += "/"
			}
			names[first] = true
		}
	}
	if len(names) == 0 {
		refuse(w, http.StatusNotFound)
		return
	}
	answer(w, http.StatusOK, map[string]any{"keys": slices.Sorted(maps.Keys(names))}, nil)
}

func (s *Server) may(token, path, capability string) bool {
	if token == RootToken {
		return true
	}
	for pattern, capabilities := range s.tokens[token] {
		prefix, glob := strings.CutSuffix(pattern, "*")
		if strings.Contains(capabilities, capability) && (pattern == path || glob && strings.HasPrefix(path, prefix)) {
			return true
		}
	}
	return false
}

// capabilities answers what a token may do with paths.
func (s *Server) capabilities(w http.ResponseWriter, token string, body []byte) {
	var sent struct {
		Paths []string `json:"paths"`
	}
	_ = json.Unmarshal(body, &sent)
	data := map[string]any{}
	for _, path := range sent.Paths {
		has := []string{}
		for _, capability := range []string{"create", "read", "update", "list"} {
			if s.may(token, path, capability) {
				has = append(has, capability)
			}
		}
		if len(has) == 0 {
			has = []string{"deny"}
		}
		data[path] = has
	}
	answer(w, http.StatusOK, data, nil)
}

func (s *Server) anywhereBelow(token, prefix string) bool {
	if token == RootToken {
		return true
	}
	for pattern := range s.tokens[token] {
		if strings.HasPrefix(pattern, prefix) || strings.HasSuffix(pattern, "*") && strings.HasPrefix(prefix, strings.TrimSuffix(pattern, "*")) {
			return true
		}
	}
	return false
}

// answer writes Vault's frame around data.
func answer(w http.ResponseWriter, status int, data any, frame map[string]any) {
	body := map[string]any{
		"request_id": "4754283c-6d87-f247-62ff-4453c72efeea", "lease_id": "", "renewable": false, "lease_duration": 0,
		"data": data, "wrap_info": nil, "warnings": nil, "auth": nil, "mount_type": "",
	}
	maps.Copy(body, frame)
	write(w, status, body)
}
