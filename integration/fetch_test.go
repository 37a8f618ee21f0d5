package integration

import (
	"fmt"
	"strings"
	"testing"
)

// What a user types for vault kv get works on both versions of KV, and so does
// the path of the API.
func TestP1EverySpelling(t *testing.T) {
	t.Parallel()
	for version := 1; version <= 2; version++ {
		kv := kvMount(t, version)
		password := canary(t, fmt.Sprintf("password %d", version))
		kv.put(t, "database/config", fields{"username": "app", "password": password})
		paths := []string{kv.path("database/config"), "/" + kv.path("database/config"), kv.path("database/config") + "/"}
		if version == 2 {
			paths = append(paths, kv.data("database/config"))
		}
		for _, path := range paths {
			for name, prepare := range map[string]func(t *testing.T) *command{
				"flag": func(t *testing.T) *command {
					return kv.run(t, []string{"database/config"}, "--env", "PASSWORD="+path+"#password")
				},
				"flag, vault:": func(t *testing.T) *command {
					return kv.run(t, []string{"database/config"}, "--env", "PASSWORD=vault:"+path+"#password")
				},
				"inherited": func(t *testing.T) *command {
					return kv.run(t, []string{"database/config"}).env("PASSWORD=vault:" + path + "#password")
				},
				"whole": func(t *testing.T) *command {
					return kv.run(t, []string{"database/config"}, "--secret", path, "--case", "upper")
				},
			} {
				t.Run(fmt.Sprintf("v%d/%s/%s", version, path, name), func(t *testing.T) {
					res := prepare(t).run()
					res.exited(0)
					res.childHas("PASSWORD", password)
				})
			}
		}
	}
}

// A reference inside a longer value is replaced where it stands.
func TestP1InlineReferences(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"user": "app", "password": password})
	path := kv.path("app")
	res := kv.run(t, []string{"app"}).
		env("DSN=postgres://${vault:"+path+"#user}:${vault:"+path+"#password}@db/app", "PLAIN=${HOME} stays").run()
	res.exited(0)
	res.childHas("DSN", "postgres://app:"+password+"@db/app")
	res.childHas("PLAIN", "${HOME} stays")
}

// A version pin holds, in both spellings, while there are newer ones.
func TestP1VersionPin(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	first, second := canary(t, "first"), canary(t, "second")
	kv.put(t, "app", fields{"password": first})
	kv.put(t, "app", fields{"password": second})
	path := kv.path("app")
	res := kv.run(t, []string{"app"}, "--env", "A="+path+"#password#1", "--env", "B="+path+"?version=1#password",
		"--env", "C="+path+"#password", "--env", "D="+path+"#password#2").run()
	res.exited(0)
	for name, want := range map[string]string{"A": first, "B": first, "C": second, "D": second} {
		res.childHas(name, want)
	}
	kv.run(t, []string{"app"}, "--env", "A="+path+"#password#3").run().refused(path, "version 3")
	v1 := kvMount(t, 1)
	v1.put(t, "app", fields{"password": first})
	v1.run(t, []string{"app"}, "--env", "A="+v1.path("app")+"#password#1").run().refused(v1.path("app"), "KV v2")
}

// A deleted version can be told from a destroyed one and from none: what to do
// differs.
func TestP1RemovedVersions(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	client := kv.vault.Client().KVv2(kv.mount)
	for _, name := range []string{"deleted", "destroyed"} {
		kv.put(t, name, fields{"password": canary(t, name)})
	}
	if err := client.Delete(t.Context(), "deleted"); err != nil {
		t.Fatal(err)
	}
	if err := client.Destroy(t.Context(), "destroyed", []int{1}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deleted", "destroyed"} {
		t.Run(name, func(t *testing.T) {
			kv.run(t, []string{name}, "--env", "A="+kv.path(name)+"#password").run().refused(kv.path(name), name)
		})
		t.Run(name+", with a default", func(t *testing.T) {
			res := kv.run(t, []string{name}, "--env", "A="+kv.path(name)+"?default=none#password").run()
			res.exited(0)
			res.childHas("A", "none")
		})
	}
}

// A secret of KV version 1 may have fields that are called like the frame of
// version 2.
func TestP1Version1WithFieldsOfVersion2(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 1)
	password := canary(t, "password")
	kv.put(t, "app", fields{"password": password, "data": fields{"password": "inner"}, "metadata": fields{"version": 7}})
	path := kv.path("app")
	res := kv.run(t, []string{"app"}, "--env", "PASSWORD="+path+"#password", "--env", "DATA="+path+"#data", "--env", "META="+path+"#metadata").run()
	res.exited(0)
	res.childHas("PASSWORD", password)
	res.childHas("DATA", `{"password":"inner"}`)
	res.childHas("META", `{"version":7}`)
}

// Numbers keep all the digits that Vault sends, and what has structure comes
// as JSON. KV version 2 rounds numbers to float64 when it is read (Vault's own
// doing: it decodes what it has stored); there nothing more is lost.
func TestP1Scalars(t *testing.T) {
	t.Parallel()
	numbers := map[int][2]string{1: {"12345678901234567890", "1.50"}, 2: {"12345678901234567000", "1.5"}}
	for version, number := range numbers {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			kv := kvMount(t, version)
			kv.putJSON(t, "app", `{"big":12345678901234567890,"real":1.50,"yes":true,"empty":"","list":[1,"<a>",{"b":null}],"text":" a\nb\"c$d "}`)
			var flags []string
			for _, key := range []string{"big", "real", "yes", "empty", "list", "text"} {
				flags = append(flags, "--env", strings.ToUpper(key)+"="+kv.path("app")+"#"+key)
			}
			res := kv.run(t, []string{"app"}, flags...).run()
			res.exited(0)
			for name, want := range map[string]string{
				"BIG": number[0], "REAL": number[1], "YES": "true", "EMPTY": "",
				"LIST": `[1,"<a>",{"b":null}]`, "TEXT": " a\nb\"c$d ",
			} {
				res.childHas(name, want)
			}
		})
	}
}

func TestP1OptionalAndDefault(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"user": "app"})
	allowed := []string{"app", "none"}
	res := kv.run(t, allowed,
		"--env", "A="+kv.path("none")+"?optional#key", "--env", "B="+kv.path("none")+"?default=x%26y#key",
		"--env", "C="+kv.path("app")+"?optional#none", "--env", "D="+kv.path("app")+"?default=#none",
		"--env", "E="+kv.path("app")+"?default=z#user", "--secret", kv.path("none")+"?optional").run()
	res.exited(0)
	res.childLacks("A", "C")
	res.childHas("B", "x&y")
	res.childHas("D", "")
	res.childHas("E", "app")
	// Not to be allowed is not the same as not to be there.
	kv.run(t, []string{"app"}, "--env", "A="+kv.path("none")+"?optional#key").run().refused(kv.path("none"), "403")
}

func TestP1WholeSecret(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"db-user": "app", "db-password": password, "api.url": "https://x", "note": "n"})
	path := kv.path("app")
	tests := []struct {
		name  string
		flags []string
		has   map[string]string
		lacks []string
	}{
		{"upper", []string{"--secret", path, "--case", "upper"},
			map[string]string{"DB_USER": "app", "DB_PASSWORD": password, "API_URL": "https://x", "NOTE": "n"}, []string{"note"}},
		{"kept, only", []string{"--secret", path + "?only=note"}, map[string]string{"note": "n"}, []string{"NOTE", "db-user"}},
		{"only by glob", []string{"--secret", path + "?only=db-*&case=upper"},
			map[string]string{"DB_USER": "app", "DB_PASSWORD": password}, []string{"API_URL", "NOTE"}},
		{"except", []string{"--secret", path + "?except=db-*,api*&case=upper"}, map[string]string{"NOTE": "n"}, []string{"DB_USER", "API_URL"}},
		{"prefix of the reference", []string{"--secret", path + "?prefix=APP_&case=upper&only=note"}, map[string]string{"APP_NOTE": "n"}, []string{"NOTE"}},
		{"prefix of all", []string{"--secret", path + "?only=note", "--prefix", "app_", "--case", "upper"}, map[string]string{"APP_NOTE": "n"}, []string{"NOTE"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := kv.run(t, []string{"app"}, tt.flags...).run()
			res.exited(0)
			for name, want := range tt.has {
				res.childHas(name, want)
			}
			res.childLacks(tt.lacks...)
		})
	}
}

// Everything that is missing is in one message, with what it takes to put it
// right, and the child never starts.
func TestP1AllThatIsMissingAtOnce(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app/web", fields{"password": canary(t, "password"), "user": "app"})
	kv.put(t, "app/secret", fields{"password": canary(t, "forbidden password")})
	policy := kv.policy(t, "app/web", "app/wbe")
	a := newAccount(t, policy)
	ref := func(name, path, key string) []string {
		return []string{"--env", name + "=" + kv.path(path) + "#" + key}
	}
	flags := append(append(append(
		ref("A", "app/web", "pasword"), ref("B", "app/wbe", "password")...), ref("C", "app/secret", "password")...), ref("D", "app/web", "user")...)
	a.login(t, flags...).run().refused(
		a.role, "auth/"+loginMount(t),
		kv.path("app/web")+"#pasword", "password", // a near name
		kv.path("app/wbe"), "404",
		kv.path("app/secret"), "403", `path "`+kv.data("app/secret")+`"`, `capabilities = ["read"]`,
		"KV v2",
	)
}

// With list permission the path that was meant is found too.
func TestP1NearPaths(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app/web", fields{"user": "app"})
	name := unique("list")
	if err := kv.vault.Policy(t.Context(), name, "list", kv.mount+"/metadata/app/*"); err != nil {
		t.Fatal(err)
	}
	token := newToken(t, kv.vault, name, kv.policy(t, "app/*"))
	vaultexec(t, "--env", "A="+kv.path("app/wbe")+"#user").vault(kv.vault.Address).token(token).run().
		refused(kv.path("app/wbe"), "did you mean "+kv.path("app/web")+"?")
	vaultexec(t, "--env", "A="+kv.path("app/other")+"#user").vault(kv.vault.Address).token(token).run().
		refused(kv.path("app/other"), "beside it there is web")
}

// A token that may read one path and do nothing else, not even look up itself,
// is enough.
func TestP1LeastPrivilege(t *testing.T) {
	t.Parallel()
	for version := 1; version <= 2; version++ {
		kv := kvMount(t, version)
		kv.put(t, "deep/down/app", fields{"user": "app"})
		res := kv.run(t, []string{"deep/down/app"}, "--secret", kv.path("deep/down/app"), "--case", "upper").run()
		res.exited(0)
		res.childHas("USER", "app")
	}
}
