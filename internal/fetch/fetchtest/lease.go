package fetchtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Life is how long a token or a lease is good for.
type Life struct {
	TTL       time.Duration // of each grant and renewal; 0: for ever
	Max       time.Duration // from the beginning on; 0: no limit
	Renewable bool
}

// lifetime is a Life that has begun.
type lifetime struct {
	Life
	begun, ends time.Time
}

func (l Life) begin(now time.Time) *lifetime {
	t := &lifetime{Life: l, begun: now}
	t.renew(now)
	return t
}

// renew grants another TTL, as far as Max allows.
func (t *lifetime) renew(now time.Time) {
	t.ends = now.Add(t.TTL)
	if limit := t.begun.Add(t.Max); t.Max > 0 && t.ends.After(limit) {
		t.ends = limit
	}
}

func (t *lifetime) left(now time.Time) int {
	if t.TTL == 0 {
		return 0
	}
	return int(t.ends.Sub(now).Round(time.Second) / time.Second)
}

func (t *lifetime) over(now time.Time) bool { return t.TTL > 0 && !now.Before(t.ends) }

// TokenLife gives a token an end, and those of the role whose first it is.
func (s *Server) TokenLife(token string, l Life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens[token] == nil {
		s.tokens[token] = make(map[string]string)
	}
	s.lives[token] = l.begin(time.Now())
	for _, r := range s.roles {
		if r.token == token {
			r.life = &l
		}
	}
	for _, made := range s.logins {
		if made.grant.token == token {
			made.grant.life = &l
		}
	}
}

// newToken is what a login gives. Callers hold mu.
func (s *Server) newToken(r *role) (token string, ttl int, renewable bool) {
	r.logins++
	token = r.token
	if r.logins > 1 {
		token += fmt.Sprintf("-%d", r.logins)
	}
	s.tokens[token] = r.rights
	if r.life == nil {
		return token, 2764800, true
	}
	s.lives[token] = r.life.begin(time.Now())
	return token, s.lives[token].left(time.Now()), r.life.Renewable
}

// Dynamic makes credentials of their own for each read of a path, as a database
// role does.
func (s *Server) Dynamic(path string, l Life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dynamic[path] = l
}

// Leases are those that live, ID -> path.
func (s *Server) Leases() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := make(map[string]string)
	for id, l := range s.leases {
		if !l.over(time.Now()) {
			live[id] = l.path
		}
	}
	return live
}

// EndLease ends a lease before its time, as an operator would.
func (s *Server) EndLease(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.leases, id)
}

// lease is one that was given out.
type lease struct {
	*lifetime
	path, token string
}

// expire forgets tokens whose life is over, and their leases. Callers hold mu.
func (s *Server) expire(now time.Time) {
	for token, l := range s.lives {
		if l.over(now) {
			s.forget(token)
		}
	}
}

func (s *Server) forget(token string) {
	delete(s.tokens, token)
	delete(s.lives, token)
	for id, l := range s.leases {
		if l.token == token {
			delete(s.leases, id)
		}
	}
}

// serveLife answers what is about tokens and leases; false: it is about
// something else.
func (s *Server) serveLife(w http.ResponseWriter, token, path string, body []byte) bool {
	now := time.Now()
	switch path {
	case "auth/token/lookup-self":
		l := s.lives[token]
		if l == nil {
			l = &lifetime{}
		}
		answer(w, http.StatusOK, map[string]any{"ttl": l.left(now), "renewable": l.Renewable, "num_uses": 0, "type": "service"}, nil)
	case "auth/token/renew-self":
		l := s.lives[token]
		if l == nil || !l.Renewable {
			refuse(w, http.StatusBadRequest, "lease is not renewable")
			return true
		}
		l.renew(now)
		answer(w, http.StatusOK, nil, map[string]any{"auth": map[string]any{
			"client_token": token, "lease_duration": l.left(now), "renewable": true, "policies": []string{"default"},
		}})
	case "auth/token/revoke-self":
		s.forget(token)
		w.WriteHeader(http.StatusNoContent)
	case "sys/leases/renew", "sys/leases/revoke":
		var sent struct {
			LeaseID string `json:"lease_id"`
		}
		_ = json.Unmarshal(body, &sent)
		s.serveLease(w, strings.TrimPrefix(path, "sys/leases/"), sent.LeaseID, now)
	default:
		return false
	}
	return true
}

func (s *Server) serveLease(w http.ResponseWriter, verb, id string, now time.Time) {
	l := s.leases[id]
	switch {
	case verb == "revoke":
		delete(s.leases, id)
		w.WriteHeader(http.StatusNoContent)
	case l == nil || l.over(now):
		refuse(w, http.StatusBadRequest, "lease not found")
	case !l.Renewable:
		refuse(w, http.StatusBadRequest, "lease is not renewable")
	default:
		l.renew(now)
		answer(w, http.StatusOK, nil, map[string]any{"lease_id": id, "renewable": true, "lease_duration": l.left(now)})
	}
}

// issue answers a read of a path that Dynamic named.
func (s *Server) issue(w http.ResponseWriter, token, path string, l Life) {
	s.issued++
	id := fmt.Sprintf("%s/lease-%d", path, s.issued)
	given := &lease{l.begin(time.Now()), path, token}
	s.leases[id] = given
	answer(w, http.StatusOK, map[string]any{
		"username": fmt.Sprintf("user-%d", s.issued), "password": fmt.Sprintf("password-%d", s.issued),
	}, map[string]any{"lease_id": id, "renewable": l.Renewable, "lease_duration": given.left(time.Now())})
}
