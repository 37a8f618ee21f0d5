package fetch

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vaultexec/internal/fetch/fetchtest"
)

// hang is a fault: no answer, for as long as the client waits for one.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// P2, P9: while Vault hangs a new login takes one request timeout a try, the wait
// for a free slot included, and one request.
func TestP9LoginAgainTakesOneTimeout(t *testing.T) {
	for name, busy := range map[string]time.Duration{"at once": 0, "behind another request": 6 * time.Second, "behind one that lasts": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("VAULT_ADDR", "http://vault.test:8200")
			cfg := Config{Role: "app", JWTPath: writeFile(t, "jwt", testJWT, 0o600), Concurrency: 1}
			synctest.Test(t, func(t *testing.T) {
				vault, dial := fetchtest.NewPipe(t)
				vault.FaultOn("", hang)
				c, err := New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				c.transport.latest().DialContext = dial
				if busy > 0 {
					c.slots <- struct{}{}
					time.AfterFunc(busy, func() { <-c.slots })
				}
				begun := time.Now()
				a := c.aboutToken(t.Context(), tokenLogin)
				if took := time.Since(begun); took != defaultRequestTimeout {
					t.Errorf("it took %s, want %s", took, defaultRequestTimeout)
				}
				if a.login == nil || classOf(a.login) != string(ClassTimeout) || !strings.Contains(a.login.Error(), `login with role "app" at auth/kubernetes`) {
					t.Errorf("error %v", a.login)
				}
				want := 1
				if busy > defaultRequestTimeout {
					want = 0
				}
				if n := vault.Count("PUT auth/kubernetes/login"); n != want {
					t.Errorf("%d requests, want %d", n, want)
				}
				time.Sleep(busy) // fake time: the one who is busy ends
				c.transport.CloseIdleConnections()
			})
		})
	}
}

// P9: through an outage of an hour the logins are few, never two at a time, and
// nothing else is asked with the dead token.
func TestP9WatchLoginsInAnOutage(t *testing.T) {
	watch(t, true, nothingMore, []string{"kv/app"}, func(w *watching) {
		w.vault.Revoke(roleToken)
		w.vault.FaultOn("PUT auth/kubernetes/login", hang)
		w.nothing(2 * time.Minute) // the token is found dead meanwhile
		reads, logins := w.vault.Count("GET kv/data/app"), w.vault.Count("PUT auth/kubernetes/login")
		w.nothing(time.Hour)
		if n := w.vault.Count("GET kv/data/app") - reads; n != 0 {
			t.Errorf("%d reads with a dead token", n)
		}
		// A try each minute at most half a minute early, and the ten seconds of the try.
		if n := w.vault.Count("PUT auth/kubernetes/login") - logins; n < 3600/70-2 || n > 3600/40+2 {
			t.Errorf("%d logins in an hour", n)
		}
		w.said("login failed", 6) // at once, then after 1, 3, 7, 15 and 31 minutes
		w.vault.FaultOn("PUT auth/kubernetes/login", nil)
		w.vault.Put("kv/app", `{"user":"new"}`)
		w.within(2 * time.Minute)
		w.said("logged in again", 1)
	})
}

// tokenFile is the settings of a token-file login, whose file has the token.
func tokenFile(t *testing.T, token string) Config {
	return Config{Auth: AuthTokenFile, TokenFile: writeFile(t, "token", token+"\n", 0o600)}
}

func (w *watching) keep(token string) {
	w.Helper()
	if err := os.WriteFile(w.cfg.TokenFile, []byte(token), 0o600); err != nil {
		w.Fatal(err)
	}
}

// P8: a token that another agent puts into the file is used within seconds, and
// before the one that it replaces is over; leases move to it, nothing else does.
func TestP8WatchTokenFileChanges(t *testing.T) {
	second := userToken + "-second"
	watchAs(t, tokenFile(t, userToken), func(v *fetchtest.Server) {
		v.Mount("db", "database")
		v.Dynamic("db/creds/app", fetchtest.Life{TTL: time.Hour, Max: 24 * time.Hour, Renewable: true})
		v.Allow(second, "*", "read")
	}, []string{"kv/app", "db/creds/app"}, func(w *watching) {
		w.nothing(time.Hour)
		w.keep(second)
		w.within(2*peekEvery + overlap)
		if got := w.c.api.Token(); got != second {
			t.Error("the new token is not used")
		}
		w.vault.Revoke(userToken)
		w.vault.Put("kv/app", `{"user":"new"}`)
		if u := w.within(time.Minute + time.Second); field(u, "kv/app", "user") != "new" {
			t.Error("the change has not arrived")
		}
		w.said("logged in again", 0) // there was no trouble that could be over
		w.said("level=WARN", 0)
		w.between("GET auth/token/lookup-self", 2, 2) // of each token
	})
}

// P2: a token that is found dead is replaced by the one in the file, be that
// there later. Nobody asks anything of Vault meanwhile but whether the token is
// dead indeed.
func TestP2WatchTokenFileIsLate(t *testing.T) {
	second := userToken + "-second"
	watchAs(t, tokenFile(t, userToken), func(v *fetchtest.Server) { v.Allow(second, "*", "read") }, []string{"kv/app"}, func(w *watching) {
		w.vault.Revoke(userToken)
		w.nothing(time.Hour)
		w.said("the token is not accepted any more and there is no other: whoever keeps "+w.cfg.TokenFile+" has to put a new one there", 6)
		w.between("GET kv/data/app", 1, 2)
		w.between("GET auth/token/lookup-self", 60, 130)
		w.vault.Put("kv/app", `{"user":"new"}`) // before the token, which may be found at once
		w.keep(second)
		if u := w.within(2 * peekEvery); field(u, "kv/app", "user") != "new" {
			t.Error("the change has not arrived")
		}
		w.said("logged in again", 1)
	})
}

// A file that is empty, gone or has nonsense in it for a while changes nothing:
// the token that there is lives on, and is renewed.
func TestP2WatchTokenFileIsWrong(t *testing.T) {
	watchAs(t, tokenFile(t, userToken), func(v *fetchtest.Server) {
		v.TokenLife(userToken, fetchtest.Life{TTL: time.Hour, Renewable: true})
	}, []string{"kv/app"}, func(w *watching) {
		w.keep("")
		w.nothing(3 * time.Hour)
		w.said("level=WARN", 0)
		w.keep("no\x01token")
		w.nothing(3 * time.Hour)
		if n := strings.Count(w.log.String(), "login failed"); n < 1 || n > 9 {
			t.Errorf("the nonsense is reported %d times: %s", n, w.log)
		}
		w.between("PUT auth/token/renew-self", 8, 11)
		w.keep(userToken)
		w.vault.Put("kv/app", `{"user":"new"}`)
		w.within(time.Minute + time.Second)
	})
}

// A token without the right to renew itself, which its keeper renews: there is
// nothing to complain of as long as it lives.
func TestWatchTokenFileIsRenewedByItsKeeper(t *testing.T) {
	watchAs(t, tokenFile(t, userToken), func(v *fetchtest.Server) {
		v.TokenLife(userToken, fetchtest.Life{TTL: time.Hour})
	}, []string{"kv/app"}, func(w *watching) {
		for range 12 {
			w.nothing(50 * time.Minute)
			w.vault.TokenLife(userToken, fetchtest.Life{TTL: time.Hour})
		}
		w.said("level=WARN", 0)
		w.between("GET auth/token/lookup-self", 12, 120)
		w.nothing(58 * time.Minute)
		if !strings.Contains(w.log.String(), "the token cannot be renewed and there is no other") {
			t.Errorf("not said that the keeper is gone and the token ends soon: %s", w.log)
		}
	})
}

// Methods that make a token make another when the first is over, also where
// what they did it with is gone by then and nobody can be asked again.
func TestP8WatchMethodsLogInAgain(t *testing.T) {
	asked := 0
	for name, test := range map[string]struct {
		cfg  Config
		path string
	}{
		"approle, removed": {Config{Auth: AuthAppRole, RoleIDPath: writeFile(t, "r", "r", 0o600), SecretIDPath: writeFile(t, "s", "s", 0o600), RemoveSecretID: true}, "approle/login"},
		"userpass, typed":  {Config{Auth: AuthUserpass, Username: "alice", Prompt: typing(testPassword, &asked)}, "userpass/login/alice"},
		"jwt":              {Config{Auth: AuthJWT, Role: "ci", JWTPath: writeFile(t, "jwt", testJWT, 0o600)}, "jwt/login"},
	} {
		t.Run(name, func(t *testing.T) {
			watchAs(t, test.cfg, func(v *fetchtest.Server) {
				v.Login(test.path, nil, "hvs.made", "app")
				v.Allow("hvs.made", "*", "read")
				v.TokenLife("hvs.made", fetchtest.Life{TTL: time.Hour})
			}, []string{"kv/app"}, func(w *watching) {
				w.nothing(12 * time.Hour)
				w.between("PUT auth/"+test.path, 18, 22)
				w.between("GET auth/token/lookup-self", 0, 0) // the login says how long it lives
				w.vault.Put("kv/app", `{"user":"new"}`)
				w.within(time.Minute + time.Second)
				w.said("", 1) // not a line, and the empty text once
			})
		})
	}
	if asked != 1 {
		t.Errorf("the password was asked for %d times", asked)
	}
}

// P9: a password that was changed meanwhile is sent once, not each minute until
// the account is locked.
func TestP9WatchPasswordWasChanged(t *testing.T) {
	asked := 0
	watchAs(t, Config{Auth: AuthUserpass, Username: "alice", Prompt: typing(testPassword, &asked)}, func(v *fetchtest.Server) {
		v.Login("userpass/login/alice", map[string]string{"password": testPassword}, "hvs.made", "app")
		v.Allow("hvs.made", "*", "read")
		v.TokenLife("hvs.made", fetchtest.Life{TTL: time.Hour})
	}, []string{"kv/app"}, func(w *watching) {
		w.vault.Login("userpass/login/alice", map[string]string{"password": "another"}, "hvs.another", "app")
		w.nothing(12 * time.Hour)
		w.between("PUT auth/userpass/login/alice", 2, 2)
		w.said("start vaultexec anew", strings.Count(w.log.String(), "login failed")-1)
	})
}
