package integration

import (
	"strings"
	"testing"
)

// What the doctor says of a login that is refused mends it.
func TestDoctorMendsLogins(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	for _, tt := range []struct {
		name, fails string // and the check that does
		flags       func(t *testing.T, a *account) []string
		fix         string // how the command begins that mends it
	}{
		{"wrong audience", "login", func(t *testing.T, a *account) []string {
			return []string{"--jwt-path", a.jwtFile(t, "https://elsewhere.example")}
		}, "vault read auth/kubernetes/role/"},
		{"unknown role", "login", func(*testing.T, *account) []string { return []string{"--role", unique("unknown")} }, "vault write auth/kubernetes/role/unknown-"},
		{"another service account", "login", func(t *testing.T, _ *account) []string {
			return []string{"--jwt-path", newAccountAt(t, c.vault, clinicMount).jwtFile(t, "vault")}
		}, "vault read auth/kubernetes/role/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAccountAt(t, c.vault, clinicMount, c.policies...)
			flags := tt.flags(t, a)
			res, d := c.patient(t, a, flags...).examine()
			res.exited(3)
			s := d.find(t, tt.fails, "failed")
			if len(s.Fix) == 0 || !strings.HasPrefix(s.Fix[0], tt.fix) {
				t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
			}
			for _, check := range []string{"token", "capabilities", "secrets"} {
				d.find(t, check, "skipped")
			}
			d.find(t, "pid 1", "ok") // it goes on
			c.administer(t, s.Fix[0])
			_, d = c.patient(t, a, flags...).examine()
			d.find(t, tt.fails, "ok")
		})
	}
}

// A JWT that has expired, an auth method that is not there and a token that is
// not there are found, with the line that helps.
func TestDoctorFindsNoLogin(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	expired, err := sharedCluster(t).ExpiredToken(t.Context(), a.namespace, a.name, "vault")
	mustDo(t, err)
	registerJWT(t, expired)
	file := jwtFile(t, expired)
	res, d := c.patient(t, a, "--jwt-path", file).examine()
	res.exited(3)
	s := d.find(t, "jwt", "failed")
	if want := "(umask 077; kubectl --namespace " + a.namespace + " create token app --audience vault > " + file + ")"; !strings.Contains(s.Detail, "expired 1h") || s.Fix[0] != want {
		t.Errorf("%q is mended by %q, want %q", s.Detail, s.Fix, want)
	}
	d.find(t, "login", "failed")

	res, d = c.patient(t, a, "--auth-mount", "elsewhere").examine()
	res.exited(3)
	if s := d.find(t, "login", "failed"); len(s.Fix) < 2 || s.Fix[1] != "vault auth enable -path=elsewhere kubernetes" {
		t.Errorf("%q is mended by %q", s.Detail, s.Fix)
	}

	res, d = vaultexec(t, "--env", "PASSWORD=kv/app#password").vault(c.vault.Address).examine()
	res.exited(3)
	if s := d.find(t, "login", "failed"); len(s.Fix) == 0 || s.Fix[0] != "vault login -address="+c.vault.Address {
		t.Errorf("%q is mended by %q", s.Detail, s.Fix)
	}
}

// The policy that the doctor asks for is the one that is needed.
func TestDoctorMendsPolicies(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	flags := []string{"--env", "CLOSED=kv/closed#password", "--secret", "nowhere/app?optional"}
	res, d := c.patient(t, a, flags...).examine()
	res.exited(3)
	d.find(t, "capabilities", "ok") // of the other reference
	policy := ""
	for _, s := range d.Checks {
		switch {
		case s.State != "failed":
		case strings.HasPrefix(s.Detail, "kv/closed#password: the policies do not allow read of kv/data/closed") && len(s.Fix) == 1:
			policy = s.Fix[0]
		case strings.HasPrefix(s.Detail, "nowhere/app: permission denied: the policies open nothing below its mount, or there is no mount for it") && len(s.Fix) == 3:
		default:
			t.Errorf("it finds %+v", s)
		}
	}
	mustDo(t, c.vault.Client().Sys().PutPolicyWithContext(t.Context(), c.extra, policy))
	res, d = c.patient(t, a, flags[:2]...).examine()
	if res.exited(0); !d.OK {
		t.Errorf("with %s: %+v", policy, d)
	}
}

// A key that is missing is put there by the command that the doctor has.
func TestDoctorMendsSecrets(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	a := newAccountAt(t, c.vault, clinicMount, c.policies...)
	res, d := c.patient(t, a, "--env", "USER=kv/app#user").examine()
	res.exited(3)
	s := d.find(t, "secrets", "failed")
	if len(s.Fix) != 1 {
		t.Fatalf("%+v", s)
	}
	c.administer(t, "echo value | "+s.Fix[0])
	res, _ = c.patient(t, a, "--env", "USER=kv/app#user", "--drop", "USER").examine()
	res.exited(0)
}
