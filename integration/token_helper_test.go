package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What vault login leaves behind is what is used: in ~/.vault-token, or with the
// program that ~/.vault or the file of VAULT_CONFIG_PATH names.
func TestP1TokenOfVaultLogin(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	password := canary(t, "password of the secret")
	c.kv.put(t, "app", fields{"password": password})
	for _, place := range []string{"~/.vault-token", "~/.vault", "VAULT_CONFIG_PATH"} {
		t.Run(place, func(t *testing.T) {
			v := vaultexec(t, "--env", "PASSWORD=kv/app#password").vault(c.vault.Address).env("PATH=" + vaultCommand(t) + ":" + os.Getenv("PATH"))
			store := filepath.Join(t.TempDir(), "store")
			helper := writeFile(t, filepath.Join(t.TempDir(), "helper"), "#!/bin/sh\nset -eu\ncase $1 in\nstore) cat > "+store+" ;;\nget) cat "+store+" 2>/dev/null || : ;;\nerase) rm -f "+store+" ;;\nesac\n")
			mustDo(t, os.Chmod(helper, 0o700))
			own := filepath.Join(v.home, ".vault-token")
			config := `token_helper = "` + helper + `"`
			switch place {
			case "~/.vault":
				v.homeFile(".vault", config)
				own, store = store, own
			case "VAULT_CONFIG_PATH":
				v.env("VAULT_CONFIG_PATH=" + writeFile(t, filepath.Join(t.TempDir(), "config"), config))
				own, store = store, own
			}
			v.paste(logsIn("vault login", c.tokenOf(t))).run().exited(0).childHas("PASSWORD", password).childLacks("VAULT_TOKEN")
			if _, err := os.Stat(own); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(store); err == nil {
				t.Errorf("%s is there too", store)
			}
		})
	}
}

// A token that has ended is found with the first request, whatever there is to do:
// the message has the command that gets another, and nothing else has happened.
func TestP12TokenHasEnded(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"password": canary(t, "password")})
	token, err := kv.vault.CreateToken(t.Context(), time.Second, kv.policy(t, "app"), "default")
	mustDo(t, err)
	register("a token that ends", token)
	await(t, "the token's end", func() bool {
		_, err := kv.vault.Client().Auth().Token().LookupWithContext(t.Context(), token)
		return err != nil
	})
	p := newProxy(t, kv.vault.Address)
	login := "vault login -address=" + p.address
	for place, give := range map[string]func(*command){
		"VAULT_TOKEN":    func(c *command) { c.token(token) },
		"~/.vault-token": func(c *command) { c.homeFile(".vault-token", token) },
	} {
		for _, verb := range []string{"", "env", "render"} {
			t.Run(strings.TrimSpace(place+" "+verb), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "new", "file")
				c := vaultexec(t, "--env", "PASSWORD="+kv.path("app")+"#password", "--env", "OTHER="+kv.path("other")+"#password").vault(p.address)
				give(c)
				if verb != "env" { // which prints and writes nothing
					c.flags = append(c.flags, "--file", file+"="+kv.path("app")+"#password")
				}
				if verb != "" {
					c.alone().flags = append([]string{verb}, c.flags...)
				}
				before := len(p.requests())
				c.run().refused("auth_denied", "log in again: "+login)
				if _, err := os.Stat(filepath.Dir(file)); err == nil {
					t.Error("a directory is made")
				}
				if seen := p.requests()[before:]; len(seen) != 1 {
					for _, r := range seen {
						t.Errorf("it asks %s %s", r.Method, r.URL)
					}
				}
			})
		}
	}
}
