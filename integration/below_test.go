//go:build linux

package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// grant is a rule of a policy in a message.
var grant = regexp.MustCompile(`path "[^"]+" \{ capabilities = \[[^\]]+\] \}`)

// All secrets below a path, with a token that is given just what the messages of
// failed starts ask for. What is added later restarts the command with it, what
// is removed or deleted without it, in the environment and in the file; what is
// moved is one restart.
func TestP8Below(t *testing.T) {
	t.Parallel()
	for version := 1; version <= 2; version++ {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			t.Parallel()
			b := newBelow(t, version)
			b.set("db", fields{"password": canary(t, "password"), "user": "app"})
			b.set("team/x", fields{"n": "1"})
			token := b.grantedToken()
			file := filepath.Join(t.TempDir(), "app.json")
			c := b.command(token, file)
			c.flags = append(c.flags, "--debounce", "2s") // a move is two requests, and vaultexec may look between them
			l := c.live(file)
			b.expect(l, 1)

			b.set("new", fields{"key": canary(t, "key")})
			b.expect(l, 2)

			b.set("db", fields{"password": canary(t, "other password"), "user": "app"})
			b.expect(l, 3)

			b.set("other/team/x", b.secrets["team/x"])
			b.remove("team/x")
			b.expect(l, 4)

			if version == 2 {
				mustDo(t, b.kv.vault.Client().KVv2(b.kv.mount).Delete(t.Context(), "app/new"))
			} else {
				b.remove("new")
			}
			delete(b.secrets, "new")
			b.expect(l, 5)

			b.set("new", fields{"key": canary(t, "key again")})
			b.expect(l, 6)
			l.stop()
			l.order(6)
		})
	}
}

// Whatever becomes of the whole path, the command keeps its secrets and its pid:
// a policy that is taken away, all secrets removed, the mount disabled.
func TestP2BelowNothingLeft(t *testing.T) {
	t.Parallel()
	for version := 1; version <= 2; version++ {
		for name, take := range map[string]func(t *testing.T, b *below){
			"removed": func(t *testing.T, b *below) {
				for name := range b.secrets {
					b.remove(name)
				}
			},
			"disabled": func(t *testing.T, b *below) {
				mustDo(t, b.kv.vault.Client().Sys().UnmountWithContext(t.Context(), b.kv.mount))
			},
			"denied": func(t *testing.T, b *below) {
				mustDo(t, b.kv.vault.Client().Sys().DeletePolicyWithContext(t.Context(), b.policy))
			},
		} {
			t.Run(fmt.Sprintf("v%d %s", version, name), func(t *testing.T) {
				t.Parallel()
				b := newBelow(t, version)
				b.set("db", fields{"password": canary(t, "password")})
				b.set("team/x", fields{"n": "1"})
				token := b.grantedToken()
				file := filepath.Join(t.TempDir(), "app.json")
				p := newProxy(t, b.kv.vault.Address)
				l := b.command(token, file).vault(p.address).live(file)
				b.expect(l, 1)
				had := b.secrets
				b.secrets = map[string]fields{"db": had["db"], "team/x": had["team/x"]}
				take(t, b)
				l.waitLog("warn: ")
				l.more(p, 2, http.MethodGet, b.kv.data("app/db"))
				l.more(p, 2, http.MethodGet, b.folder())
				if n := len(l.moments()); n != 1 {
					t.Errorf("%d entries in the journal, want the start alone", n)
				}
				switch name {
				case "disabled":
					mustDo(t, b.kv.vault.EnableKV(t.Context(), b.kv.mount, version))
				case "denied":
					mustDo(t, b.kv.vault.Client().Sys().PutPolicyWithContext(t.Context(), b.policy, strings.Join(b.rules, "\n")))
				}
				// All of it in one restart only if it comes back in one moment.
				b.set("team/x", fields{"n": "2"})
				b.set("db", fields{"password": canary(t, "next password")})
				l.poll("all that is there now", func() bool {
					starts := l.events("start")
					last := starts[len(starts)-1]
					return last.lookup("DB_PASSWORD") == b.secrets["db"]["password"] && last.lookup("TEAM_X_N") == "2"
				})
				l.stop()
			})
		}
	}
}

// Engines other than KV list roles, not secrets.
func TestP12BelowOtherEngine(t *testing.T) {
	t.Parallel()
	v := sharedVault(t)
	mount := unique("pki")
	if _, err := v.EnablePKI(t.Context(), mount); err != nil {
		t.Fatal(err)
	}
	vaultexec(t, "--secret", mount+"/roles/*").vault(v.Address).token(v.Token).run().
		refused(mount+"/roles/*", "only KV can list its secrets")
}

// below is a tree of secrets, and what the command is to have of it.
type below struct {
	t       *testing.T
	kv      *kv
	policy  string
	rules   []string
	secrets map[string]fields // name below app -> fields
}

func newBelow(t *testing.T, version int) *below {
	b := &below{t: t, kv: kvMount(t, version), policy: unique("below"), secrets: map[string]fields{}}
	b.kv.put(t, "beside", fields{"password": canary(t, "of somebody else")})
	return b
}

func (b *below) set(name string, f fields) {
	b.t.Helper()
	b.kv.put(b.t, "app/"+name, f)
	b.secrets[name] = f
}

func (b *below) remove(name string) {
	b.t.Helper()
	delete(b.secrets, name)
	if b.kv.version == 1 {
		mustDo(b.t, b.kv.vault.Client().KVv1(b.kv.mount).Delete(b.t.Context(), "app/"+name))
		return
	}
	mustDo(b.t, b.kv.vault.Client().KVv2(b.kv.mount).DeleteMetadata(b.t.Context(), "app/"+name))
}

// folder is the API path of the listing.
func (b *below) folder() string {
	if b.kv.version == 1 {
		return b.kv.mount + "/app"
	}
	return b.kv.mount + "/metadata/app"
}

func (b *below) command(token, file string) *command {
	return vaultexec(b.t, append(quick, "--secret", b.kv.path("app/*")+"?names=path&case=upper",
		"--file", file+"="+b.kv.path("app/*"))...).vault(b.kv.vault.Address).token(token)
}

// grantedToken makes a token whose policy has what vaultexec says that it takes.
func (b *below) grantedToken() string {
	b.t.Helper()
	token := newToken(b.t, b.kv.vault, b.policy, b.kv.policy(b.t, "beside"))
	for range 3 {
		c := b.command(token, filepath.Join(b.t.TempDir(), "app.json"))
		res := c.run()
		if res.status == 0 {
			return token
		}
		rules := grant.FindAllString(res.stderr, -1)
		if len(rules) == 0 {
			b.t.Fatalf("the message does not say what it takes:\n%s", res.stderr)
		}
		for _, rule := range rules {
			if !slices.Contains(b.rules, rule) {
				b.rules = append(b.rules, rule)
			}
		}
		mustDo(b.t, b.kv.vault.Client().Sys().PutPolicyWithContext(b.t.Context(), b.policy, strings.Join(b.rules, "\n")))
	}
	b.t.Fatal("it is not enough to do as the messages say")
	return ""
}

// expect waits for the n-th start, and that it has the secrets as they are now,
// and nothing else of the tree.
func (b *below) expect(l *life, n int) {
	b.t.Helper()
	m := l.nth(n, "start")
	want := map[string]string{}
	tree := map[string]any{}
	for name, f := range b.secrets {
		at := tree
		for _, element := range strings.Split(name, "/") {
			if at[element] == nil {
				at[element] = map[string]any{}
			}
			at = at[element].(map[string]any)
		}
		for key, value := range f {
			at[key] = value
			want[strings.ToUpper(strings.ReplaceAll(name, "/", "_")+"_"+key)] = fmt.Sprint(value)
		}
	}
	got := map[string]string{}
	for _, entry := range m.Env {
		name, value, _ := strings.Cut(entry, "=")
		for _, first := range []string{"DB_", "TEAM_", "NEW_", "OTHER_"} {
			if strings.HasPrefix(name, first) {
				got[name] = value
			}
		}
	}
	if !reflect.DeepEqual(got, want) {
		b.t.Errorf("start %d: the child has %d variables of the tree, want %d with the values of now", n, len(got), len(want))
	}
	for _, text := range m.Files {
		var has map[string]any
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&has); err != nil || !reflect.DeepEqual(has, tree) {
			b.t.Errorf("start %d: the file is not what there is now: %v", n, err)
		}
	}
}
