//go:build linux

package integration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// explained is what vaultexec explain --json prints of variables.
type explained struct {
	OK        bool
	Class     string
	Variables []struct {
		Name, State string
		SetBy       string `json:"set_by"`
		From        []struct {
			Path, Key, Mount, Engine, Version, Lease, Refresh string
			APIPath                                           string `json:"api_path"`
		}
		Problems []string
	}
}

// look runs a verb in place of the command, and gives what it prints with --json
// to into, if there is any.
func (c *command) look(verb string, into any) *result {
	c.t.Helper()
	flags := c.flags
	defer func() { c.flags = flags }()
	c.flags = append([]string{verb}, flags...)
	if into != nil {
		c.flags = append([]string{verb, "--json"}, flags...)
	}
	res := c.alone().run()
	if into != nil {
		if err := json.Unmarshal([]byte(res.stdout), into); err != nil {
			c.t.Fatalf("%v: %s\n%s", err, res.stdout, res.stderr)
		}
	}
	return res
}

// Each variable is explained with what Vault says of its lease or its version, and
// the look leaves nothing behind.
func TestExplainLeasesAndVersions(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, time.Hour, 2*time.Hour)
	creds := d.CredsPath(d.name)
	kv := kvMount(t, 2)
	for range 2 {
		kv.put(t, "app", fields{"password": canary(t, "password")})
	}
	a := d.account(t, creds, nil, kv.policy(t, "app"))
	c := a.login(t, d.flags(creds, "--refresh", "5m", "--env", "PASSWORD="+kv.path("app")+"#password", "--env", "FIRST="+kv.path("app")+"#password#1")...)
	table := c.look("explain", nil).exited(0).stdout
	for _, row := range []string{
		"DB_USER ok " + creds + " username - 1h0m0s lease is renewed --env DB_USER",
		"DB_PASSWORD ok " + creds + " password - 1h0m0s lease is renewed --env DB_PASSWORD",
		"PASSWORD ok " + kv.path("app") + " password 2 - every 5m0s --env PASSWORD",
		"FIRST ok " + kv.path("app") + " password 1 - never --env FIRST",
	} {
		if !hasRow(table, row) {
			t.Errorf("no row %q:\n%s", row, table)
		}
	}
	var x explained
	c.look("explain", &x).exited(0)
	var names []string
	for _, v := range x.Variables {
		names = append(names, v.Name)
		got := v.From[0]
		switch want := got; {
		case strings.HasPrefix(v.Name, "DB_"):
			want.Path, want.APIPath, want.Mount, want.Engine, want.Version, want.Lease, want.Refresh = creds, creds, d.Mount+"/", "database", "", "1h0m0s", "lease is renewed"
			if got != want {
				t.Errorf("%s is from %+v, want %+v", v.Name, got, want)
			}
		default:
			want.Path, want.APIPath, want.Mount, want.Engine, want.Lease = kv.path("app"), kv.data("app"), kv.mount+"/", "KV v2", ""
			want.Version, want.Refresh = "2", "every 5m0s"
			if v.Name == "FIRST" {
				want.Version, want.Refresh = "1", "never"
			}
			if got != want {
				t.Errorf("%s is from %+v, want %+v", v.Name, got, want)
			}
		}
		if v.State != "ok" || len(v.From) != 1 || v.SetBy != "--env "+v.Name {
			t.Errorf("%+v", v)
		}
	}
	if slices.Sort(names); !x.OK || !slices.Equal(names, []string{"DB_PASSWORD", "DB_USER", "FIRST", "PASSWORD"}) {
		t.Errorf("%+v", x)
	}
	if left := a.tokens(t); len(left) != 0 {
		t.Errorf("%d tokens are left", len(left))
	}
	await(t, "the end of the leases", func() bool { return len(leases(t, creds)) == 0 }) // Vault takes its time
}

// checked is what vaultexec check --json prints.
type checked struct {
	OK         bool
	Class      string
	References []struct {
		Reference string
		OK        bool
		Problems  []string
	}
}

// A look tells what is missing, with 3, from what nobody can say, with 2, and a
// program reads the same.
func TestLooksTellMissingFromTrouble(t *testing.T) {
	t.Parallel()
	v := ownVault(t, servers.VaultOptions{Durable: true})
	kv := kvMountAt(t, v, "kv", 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	c := kv.run(t, []string{"app", "gone"}, "--env", "THERE=kv/app#password", "--env", "KEY=kv/app#passwort", "--env", "GONE=kv/gone#a",
		"--env", "CLOSED=kv/closed#a", "--startup-timeout", "2s")

	missing := map[string]string{"GONE": "no secret at kv/data/gone", "KEY": "passwort", "CLOSED": "permission denied"}
	var x explained
	table := c.look("explain", nil).exited(3).stdout
	c.look("explain", &x).exited(3)
	for _, variable := range x.Variables {
		says, state := missing[variable.Name], "missing"
		if says == "" {
			state = "ok"
		}
		if !hasRow(table, variable.Name+" "+state+" ") {
			t.Errorf("%s is not %s:\n%s", variable.Name, state, table)
		}
		if variable.State != state || !strings.Contains(strings.Join(variable.Problems, "\n"), says) || (len(variable.Problems) == 0) != (says == "") {
			t.Errorf("%+v", variable)
		}
	}
	var ck checked
	c.look("check", &ck).exited(3)
	if ck.OK || len(ck.References) != 4 || len(x.Variables) != 4 || x.OK || x.Class != ck.Class {
		t.Errorf("check: %+v, explain: %+v", ck, x)
	}
	for _, r := range ck.References {
		if ok := r.Reference == "kv/app#password"; r.OK != ok || (len(r.Problems) == 0) != ok {
			t.Errorf("%+v", r)
		}
	}

	mustDo(t, v.Seal(t.Context()))
	table = c.look("explain", nil).exited(2).stdout
	x, ck = explained{}, checked{}
	c.look("explain", &x).exited(2)
	c.look("check", &ck).exited(2)
	if x.OK || x.Class != "sealed" || ck.OK || ck.Class != "sealed" || len(x.Variables) != 4 || len(ck.References) != 4 {
		t.Errorf("check: %+v, explain: %+v", ck, x)
	}
	for _, variable := range x.Variables {
		if variable.State != "unknown" || len(variable.Problems) != 0 || !hasRow(table, variable.Name+" unknown ") {
			t.Errorf("%+v:\n%s", variable, table)
		}
	}
	for _, r := range ck.References {
		if r.OK || len(r.Problems) != 0 {
			t.Errorf("%+v", r)
		}
	}
	plain := c.look("check", nil).exited(2)
	if !strings.Contains(plain.stdout, "unknown kv/gone#a\n") {
		t.Errorf("stdout is %q", plain.stdout)
	}
}
