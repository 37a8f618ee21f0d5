package integration

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"vaultexec/integration/servers"
)

// readExample is the text of an example, with the Vault of the test in it.
func readExample(t *testing.T, name string, v *servers.Vault) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../examples", name))
	mustDo(t, err)
	if !strings.Contains(string(text), exampleAddress) {
		t.Fatalf("%s names no Vault", name)
	}
	return strings.ReplaceAll(string(text), exampleAddress, v.Address)
}

// parseUnit is what a systemd unit says in its section Service: key -> values.
func parseUnit(t *testing.T, text string) map[string][]string {
	t.Helper()
	section, service := "", make(map[string][]string)
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		key, value, isSetting := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = line
		case !isSetting:
			t.Fatalf("neither a section nor a setting: %s", line)
		case section == "[Service]":
			service[key] = append(service[key], value)
		}
	}
	return service
}

// The unit is one that systemd takes, and starts a program that finds its
// secrets as systemd's own credentials, and not what vaultexec logged in with.
func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	v := exampleVault(t)
	mustDo(t, v.EnableAuth(t.Context(), "approle", "approle"))
	runVaultScript(t, v, "approle.sh")
	text := readExample(t, "systemd/app.service", v)
	service := parseUnit(t, text)

	// What systemd does for it: specifiers, credentials, a directory.
	credentials, run := t.TempDir(), t.TempDir()
	mustDo(t, os.Mkdir(filepath.Join(run, service["RuntimeDirectory"][0]), 0o700))
	for _, line := range service["LoadCredential"] {
		name, file, _ := strings.Cut(line, ":")
		if file != "/etc/app/"+name {
			t.Errorf("the credential %s is of %s", name, file)
		}
		writeFile(t, filepath.Join(credentials, name), appRoleCredential(t, v, name))
	}
	specifiers := strings.NewReplacer("%d", credentials, "%t", run, "%%", "%")
	root, c := t.TempDir(), vaultexec(t).env("CREDENTIALS_DIRECTORY="+credentials)
	for _, line := range service["Environment"] {
		c.env(specifiers.Replace(line))
	}
	copied := filepath.Join(root, "copy")
	app := writeFile(t, filepath.Join(root, "app"), fmt.Sprintf("#!/bin/sh\ncat \"$CREDENTIALS_DIRECTORY/password\" > '%s'\nexec '%s' %s '%s' report \"$@\"\n",
		copied, shared.self, childWord, c.report))
	mustDo(t, os.Chmod(app, 0o755))
	words := strings.Fields(service["ExecStart"][0])
	if words[0] != "/usr/local/bin/vaultexec" {
		t.Fatalf("it starts %s", words[0])
	}
	for i, word := range words {
		words[i] = strings.Replace(word, "/usr/local/bin/app", app, 1)
	}
	c.flags, c.argv = words[1:], nil
	res := c.run().exited(0)
	res.childHas("CREDENTIALS_DIRECTORY", filepath.Join(run, "app", "credentials.d")).childLacks("VAULT_ADDR", "VAULTEXEC_AUTH")
	if got, err := os.ReadFile(copied); err != nil || string(got) != "db-secret-password" {
		t.Errorf("the password is %q, error %v", got, err)
	}

	text = strings.ReplaceAll(text, "/usr/local/bin/vaultexec", c.binary)
	if said := verifyUnit(t, text); said != "" {
		t.Errorf("systemd-analyze verify:\n%s", said)
	}
	// It does look: a name that is none is seen.
	if said := verifyUnit(t, strings.Replace(text, "LoadCredential=", "LoadCredentials=", 1)); !strings.Contains(said, "LoadCredentials") {
		t.Errorf("systemd-analyze verify finds nothing in a wrong unit: %s", said)
	}
}

// verifyUnit is what systemd says of a unit, empty if there is nothing wrong. It
// looks at units of this machine too, and may find fault with them.
func verifyUnit(t *testing.T, text string) string {
	t.Helper()
	unit := writeFile(t, filepath.Join(t.TempDir(), "app.service"), text)
	// 'make integration' installs it where it is missing.
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	said := ""
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "app.service") {
			said += line
		}
	}
	return said
}

// appRoleCredential is the role ID or a secret ID of the role app.
func appRoleCredential(t *testing.T, v *servers.Vault, name string) string {
	t.Helper()
	client, path := v.Client().Logical(), "auth/approle/role/"+exampleRole+"/"+name
	s, err := client.ReadWithContext(t.Context(), path)
	if name == "secret-id" {
		s, err = client.WriteWithContext(t.Context(), path, nil)
	}
	mustDo(t, err)
	value := s.Data[strings.ReplaceAll(name, "-", "_")].(string)
	register(t.Name()+"'s "+name, value)
	return value
}

// direnv sources the file with bash, in the directory that it is in.
func TestEnvrc(t *testing.T) {
	t.Parallel()
	v := exampleVault(t)
	run := func(t *testing.T, token string) *result {
		t.Helper()
		c := vaultexec(t).homeFile(".vault-token", token)
		writeFile(t, filepath.Join(c.dir, ".envrc"), readExample(t, "direnv/.envrc", v))
		standIns(t, c, t.TempDir(), "report")
		c.binary, c.flags, c.argv = "bash", []string{"-euc", `source ./.envrc && app`}, nil
		return c.run()
	}
	policy, err := os.ReadFile("../examples/vault/app.hcl")
	mustDo(t, err)
	mustDo(t, v.Client().Sys().PutPolicyWithContext(t.Context(), exampleRole, string(policy)))
	res := run(t, newToken(t, v, exampleRole)).exited(0)
	res.childHas("DB_USERNAME", "db-readonly-username").childHas("DB_PASSWORD", "db-secret-password").childLacks("secrets")
	res = run(t, newToken(t, v, "none")).exited(1).says("internal/database/config")
	if res.child != nil {
		t.Error("the shell went on without its secrets")
	}
}

// The steps of the workflow, as GitHub runs them, with an identity that stands in
// for GitHub's.
func TestWorkflow(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("the workflow needs %s: %v; go -C integration run ./prepare says how to get it", program, err)
		}
	}
	v := exampleVault(t)
	mustDo(t, v.EnableAuth(t.Context(), "jwt", "jwt"))
	issuer, err := servers.NewIssuer()
	mustDo(t, err)
	mustDo(t, v.TrustIssuer(t.Context(), "jwt", issuer))
	runVaultScript(t, v, "github.sh")
	const requestToken = "request-token"
	identity := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "bearer "+requestToken {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		token := issue(t, issuer, fields{"sub": "repo:shop/app:ref:refs/heads/main", "aud": r.FormValue("audience"),
			"iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix()})
		fmt.Fprintf(w, `{"value": %q}`, token)
	}))
	defer identity.Close()

	var workflow struct {
		Name        string
		On          any
		Permissions map[string]string
		Jobs        map[string]struct {
			RunsOn string `json:"runs-on"`
			Env    map[string]string
			Steps  []struct{ Name, Run string }
		}
	}
	// YAML's first version takes the key on for a boolean, GitHub does not.
	text := strings.Replace(readExample(t, "github/workflow.yaml", v), "\non:", "\n\"on\":", 1)
	mustDo(t, yaml.UnmarshalStrict([]byte(text), &workflow))
	if workflow.Permissions["id-token"] != "write" {
		t.Error("GitHub gives the job no identity")
	}
	job, temp := workflow.Jobs["deploy"], t.TempDir()
	for _, step := range job.Steps {
		t.Run(step.Name, func(t *testing.T) {
			c := vaultexec(t).env("RUNNER_TEMP="+temp, "ACTIONS_ID_TOKEN_REQUEST_TOKEN="+requestToken,
				"ACTIONS_ID_TOKEN_REQUEST_URL="+identity.URL+"/?api-version=2.0")
			for name, value := range job.Env {
				c.env(name + "=" + value)
			}
			standIns(t, c, t.TempDir(), "report")
			c.binary, c.flags, c.argv = "bash", []string{"--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run}, nil
			if res := c.run().exited(0); step.Name == "deploy" {
				res.childHas("PGPASSWORD", "db-secret-password").childLacks("VAULT_ADDR")
			}
		})
	}
}
