// Package fetchtest is a small Vault for unit tests: a real HTTP server with
// state that answers as Vault 1.21 does, down to the status codes and error
// strings. It knows KV v1 and v2, plain engines, logins, policies on paths,
// namespaces, sealing, and faults on demand.
package fetchtest

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// RootToken may do everything.
const RootToken = "hvs.fetchtest-root"

// Request is one request as it arrived.
type Request struct {
	Method    string
	Path      string // without /v1/
	Query     string
	Namespace string
	Token     string
	Body      string
}

// Server is a Vault. Its methods may be called while it serves.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	mounts   map[string]*mount            // namespace|prefix with a slash at its end -> mount
	tokens   map[string]map[string]string // token -> path pattern -> capabilities (r, l)
	roles    map[string]*role             // namespace|auth mount|role -> role
	auth     map[string]bool              // namespace|auth mount
	logins   map[string]*login            // namespace|auth/PATH -> login
	wraps    map[string]*wrapped          // wrapping token -> answer
	sealed   bool
	faults   []http.HandlerFunc          // each answers one request, in order
	lasting  map[string]http.HandlerFunc // prefix of "METHOD PATH" -> fault
	requests []Request
	inFlight int
	peak     int
	gate     func(*http.Request)

	lives   map[string]*lifetime // token -> its life; one that is not here has no end
	dynamic map[string]Life      // path -> the life of what it gives out
	leases  map[string]*lease    // ID -> lease
	issued  int
	puts    int // writes so far; each has a time of its own
}

type mount struct {
	engine  string
	version int // of KV, else 0
	secrets map[string][]*version
}

type version struct {
	json      string
	created   string
	deleted   string
	destroyed bool
}

type role struct {
	jwt      string
	token    string // of the first login; later ones have a number behind it
	policies []string
	rights   map[string]string // of every token of the role
	life     *Life             // likewise; nil: 768 hours
	logins   int
}

// New starts a Vault without TLS that ends with the test.
func New(t testing.TB) *Server {
	s := unstarted()
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// NewTLS starts a Vault with TLS; Certificate is its own CA.
func NewTLS(t testing.TB) *Server {
	s := unstarted()
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are the client's to report
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func unstarted() *Server {
	return &Server{
		mounts: make(map[string]*mount),
		tokens: make(map[string]map[string]string),
		roles:  make(map[string]*role),
		auth:   make(map[string]bool),
		logins: make(map[string]*login),
		wraps:  make(map[string]*wrapped),

		lasting: make(map[string]http.HandlerFunc),
		lives:   make(map[string]*lifetime),
		dynamic: make(map[string]Life),
		leases:  make(map[string]*lease),
	}
}

// MountKV mounts the KV engine, version 1 or 2.
func (s *Server) MountKV(path string, kv int) { s.mount("", path, "kv", kv) }

// MountKVIn does that in a namespace.
func (s *Server) MountKVIn(namespace, path string, kv int) { s.mount(namespace, path, "kv", kv) }

// Mount mounts another engine; what is put there is read back as it is.
func (s *Server) Mount(path, engine string) { s.mount("", path, engine, 0) }

func (s *Server) mount(namespace, path, engine string, kv int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mounts[namespace+"|"+strings.Trim(path, "/")+"/"] = &mount{engine: engine, version: kv, secrets: make(map[string][]*version)}
}

// Put writes a secret, given as a JSON object, at MOUNT/NAME; in KV v2 it
// becomes the next version.
func (s *Server) Put(path, object string) { s.PutIn("", path, object) }

// PutIn does that in a namespace.
func (s *Server) PutIn(namespace, path, object string) {
	if !json.Valid([]byte(object)) {
		panic("fetchtest: not JSON: " + object)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, name := s.find(namespace, path)
	s.puts++
	v := &version{json: object, created: fmt.Sprintf("2026-11-22T13:39:01.%09dZ", s.puts)}
	if m.version == 2 {
		m.secrets[name] = append(m.secrets[name], v)
		return
	}
	m.secrets[name] = []*version{v}
}

// Delete deletes the newest version of a KV v2 secret.
func (s *Server) Delete(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest(path).deleted = "2026-11-22T13:39:01.426008403Z"
}

// Undelete takes that back.
func (s *Server) Undelete(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest(path).deleted = ""
}

// Remove removes a secret with all its versions, as if it had never been there.
func (s *Server) Remove(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, name := s.find("", path)
	delete(m.secrets, name)
}

// Destroy destroys the newest version of a KV v2 secret.
func (s *Server) Destroy(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest(path).destroyed = true
}

// newest is the newest version of a secret; callers hold mu.
func (s *Server) newest(path string) *version {
	m, name := s.find("", path)
	versions := m.secrets[name]
	return versions[len(versions)-1]
}

// find returns the mount and the name below it of a path; callers hold mu.
func (s *Server) find(namespace, path string) (*mount, string) {
	prefix, m := s.mountOf(namespace, path)
	if m == nil {
		panic("fetchtest: no mount for " + path)
	}
	return m, strings.TrimPrefix(path, prefix)
}

func (s *Server) mountOf(namespace, path string) (string, *mount) {
	for key, m := range s.mounts {
		prefix, ok := strings.CutPrefix(key, namespace+"|")
		if ok && strings.HasPrefix(path+"/", prefix) {
			return prefix, m
		}
	}
	return "", nil
}

// Allow lets a token use the API paths that match the pattern (exact, or a
// prefix before a * at its end) with the capabilities "read", "list" or both.
func (s *Server) Allow(token, pattern string, capabilities ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[token] == nil {
		s.tokens[token] = make(map[string]string)
	}
	if pattern != "" {
		s.tokens[token][pattern] = strings.Join(capabilities, ",")
	}
}

// Role makes a kubernetes auth mount with a role that one JWT may log in with.
// The token it gives may do what Allow says. The second login gives token-2.
func (s *Server) Role(authMount, name, jwt, token string, policies ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth["|"+authMount] = true
	if s.tokens[token] == nil {
		s.tokens[token] = make(map[string]string)
	}
	s.roles["|"+authMount+"|"+name] = &role{jwt: jwt, token: token, policies: policies, rights: s.tokens[token]}
}

// DeleteRole takes a role away, Role gives it back.
func (s *Server) DeleteRole(authMount, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.roles, "|"+authMount+"|"+name)
}

// Revoke makes a token unknown, and ends its leases.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(token)
}

// Seal seals or unseals.
func (s *Server) Seal(sealed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = sealed
}

// Fault gives the next request to h in place of Vault, n times.
func (s *Server) Fault(n int, h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.faults = append(s.faults, h)
	}
}

// FaultOn gives each request whose "METHOD PATH" begins with prefix to h in
// place of Vault; nil ends that.
func (s *Server) FaultOn(prefix string, h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == nil {
		delete(s.lasting, prefix)
		return
	}
	s.lasting[prefix] = h
}

// Status is a fault: a status with Vault's error strings and headers, given as
// name, value, name, value.
func Status(status int, said string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		refuse(w, status, said)
	}
}

// Gate calls f at the start of each request, outside of any lock, so that a
// test can hold requests back.
func (s *Server) Gate(f func(*http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = f
}

// Requests are all requests so far, in order of arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Count counts the requests whose "METHOD PATH" begins with prefix.
func (s *Server) Count(prefix string) int {
	n := 0
	for _, r := range s.Requests() {
		if strings.HasPrefix(r.Method+" "+r.Path, prefix) {
			n++
		}
	}
	return n
}

// Peak is the largest number of requests that were under way at one time.
func (s *Server) Peak() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak
}

func refuse(w http.ResponseWriter, status int, said ...string) {
	if said == nil || said[0] == "" {
		said = []string{}
	}
	write(w, status, map[string]any{"errors": said})
}

func write(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("fetchtest: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
