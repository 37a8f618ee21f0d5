package integration

import (
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// A token that was given to vaultexec, and whose renewal fails for so long that
// a new login would be due, is renewed once Vault answers again: there is
// nothing to log in with, and it lives.
func TestP2TokenRenewalOutlivesTrouble(t *testing.T) {
	t.Parallel()
	const life = 30 * time.Second
	v := sharedVault(t)
	s := newSubject(t, "token", v, nil).behind(servers.ProxyOptions{Targets: []string{v.Address}, TLS: true})
	token := s.token(life)
	begin := time.Now()
	s.start(s.command().token(token))
	s.arrives()
	r := s.p.Add(servers.Rule{Prefix: "/v1/auth/token/renew-self", Do: servers.Answer(503)})
	s.felt(r, 1)
	<-time.After(time.Until(begin.Add(life * 4 / 5))) // the last chance, a quarter before the end, is past
	r.Lift()
	<-time.After(time.Until(begin.Add(life + time.Second)))
	s.rotate()
	s.arrives()
	s.stop()
}
