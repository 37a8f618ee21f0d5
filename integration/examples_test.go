package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vaultexec/integration/servers"
)

// block is a piece of code in the documentation.
type block struct {
	file, text string
	line       int // of its first line, from 1
}

func (b block) first() string {
	line, _, _ := strings.Cut(b.text, "\n")
	return line
}

// markdownBlocks are the code blocks of a Markdown file, fenced and indented.
func markdownBlocks(t *testing.T, file string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", file))
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	fenced, indented, blank := false, false, true
	for i, line := range strings.Split(string(text), "\n") {
		code, isIndented := strings.CutPrefix(line, "    ")
		last := len(out) - 1
		switch {
		case strings.HasPrefix(line, "```"):
			if fenced = !fenced; fenced {
				out = append(out, block{file, "", i + 2})
			}
		case fenced:
			out[last].text += line + "\n"
		case isIndented && indented:
			out[last].text += code + "\n"
		case isIndented && blank: // else it continues a paragraph
			indented = true
			out = append(out, block{file, code + "\n", i + 1})
		default:
			indented = false
		}
		blank = line == ""
	}
	return out
}

// helpBlocks are the examples of --help: its paragraphs under that title.
func helpBlocks(t *testing.T) []block {
	t.Helper()
	help := vaultexec(t, "--help").alone().run().exited(0).stdout
	_, after, found := strings.Cut(help, "\nExamples:\n")
	if !found {
		t.Fatalf("--help has no examples:\n%s", help)
	}
	var out []block
	for _, paragraph := range strings.Split(after, "\n\n") {
		if !strings.HasPrefix(paragraph, "  ") {
			break
		}
		text := strings.TrimPrefix(strings.ReplaceAll(paragraph, "\n  ", "\n"), "  ")
		out = append(out, block{"--help", text + "\n", 1 + strings.Count(help[:strings.Index(help, paragraph)], "\n")})
	}
	return out
}

// TestExamples runs everything that the documentation shows, as it is there.
func TestExamples(t *testing.T) {
	t.Parallel()
	blocks := slices.Concat(markdownBlocks(t, "README.md"), markdownBlocks(t, "CONTRIBUTING.md"), helpBlocks(t))
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, page := range pages {
		blocks = append(blocks, markdownBlocks(t, "docs/"+filepath.Base(page))...)
	}
	s := newExampleStage(t)
	used := make([]bool, len(examples)) // a row is for one block
	for _, b := range blocks {
		t.Run(fmt.Sprintf("%s:%d", b.file, b.line), func(t *testing.T) {
			i := rowOf(b, used)
			if i < 0 {
				t.Fatalf("examples_table_test.go has no row for this block, or one that is another block's:\n%s", b.text)
			}
			used[i] = true
			s.run(t, b, examples[i])
		})
	}
	for i, x := range examples {
		if !used[i] {
			t.Errorf("%s no longer has the block that starts with %q", x.file, x.first)
		}
	}
}

// exampleStage is where the examples are run.
type exampleStage struct {
	vault    *servers.Vault
	policies []string
	account  *account
	files    map[string]string // path -> content, from blocks that are files
	logins   map[string]string // name below /run/secrets -> content, for logins
}

func newExampleStage(t *testing.T) *exampleStage {
	t.Helper()
	s := &exampleStage{vault: ownVault(t, servers.VaultOptions{Durable: true}), files: make(map[string]string), logins: make(map[string]string)}
	for mount, secrets := range exampleSecrets {
		kv := kvMountAt(t, s.vault, mount, 2)
		for path, f := range secrets {
			kv.put(t, path, f)
			s.policies = append(s.policies, kv.policy(t, path))
		}
	}
	ctx := t.Context()
	list := unique("list")
	if err := s.vault.Policy(ctx, list, "list", "internal/metadata/app/*"); err != nil {
		t.Fatal(err)
	}
	s.policies = append(s.policies, list)
	if _, err := s.vault.EnablePKI(ctx, "pki"); err != nil {
		t.Fatal(err)
	}
	if err := s.vault.CreatePKIRole(ctx, "pki", servers.PKIRole{Name: "web", TTL: time.Hour, MaxTTL: 2 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	issue := unique("issue")
	if err := s.vault.Policy(ctx, issue, "update", "pki/issue/web"); err != nil {
		t.Fatal(err)
	}
	s.policies = append(s.policies, issue)
	const mount = "kubernetes" // what --auth-mount is if nobody says otherwise
	if err := s.vault.EnableKubernetesAuth(t.Context(), sharedCluster(t), mount); err != nil {
		t.Fatal(err)
	}
	s.account = newAccountAt(t, s.vault, mount, s.policies...)
	err := s.vault.CreateRole(t.Context(), mount, servers.Role{
		Name: exampleRole, Namespace: s.account.namespace, ServiceAccount: s.account.name,
		Audience: "vault", Policies: s.policies, TTL: tokenLife,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.enableLogins(t)
	return s
}

func (s *exampleStage) run(t *testing.T, b block, x example) {
	t.Helper()
	switch x.kind {
	case asGrammar:
	case asPolicy:
		if err := s.vault.Client().Sys().PutPolicyWithContext(t.Context(), unique("example"), b.text); err != nil {
			t.Error(err)
		}
	case asTargets:
		lookUpTargets(t, b.text)
	case asFile:
		s.files[strings.TrimPrefix(b.first(), "# ")] = b.text
	case asImage:
		s.runImage(t, b.text)
	case asPod:
		s.runPod(t, b.text, x)
	case asPodSpec:
		s.runPodSpec(t, b.text, x)
	case onScreen:
		s.runOnScreen(t, b.text, x)
	case inShell:
		s.runShell(t, b.text, x)
	case asEnvrc:
		s.runShell(t, "cat > .envrc <<'end of it'\n"+b.text+"end of it\nexec bash -c '. ./.envrc && exec app'\n", x)
	case asReport:
		s.runReport(t, b.text, x)
	case asVaultEnv:
		s.runShell(t, assignments(b.text)+"vaultexec -- app\n", x)
	case asEnv:
		s.runShell(t, assignments(b.text)+"vaultexec -- app\n", x, "VAULTEXEC_ROLE="+exampleRole)
	default:
		t.Fatalf("kind %q", x.kind)
	}
}

// furnish makes the files that a script takes for granted, below root, and the
// script as it finds them and Vault.
func (s *exampleStage) furnish(t *testing.T, script string, x example, root string) string {
	t.Helper()
	for _, dir := range exampleRoots {
		script = strings.ReplaceAll(script, " "+dir, " "+root+dir)
		script = strings.ReplaceAll(script, "="+dir, "="+root+dir)
		script = strings.ReplaceAll(script, "'"+dir, "'"+root+dir)
	}
	address := s.vault.Address
	if x.tls {
		address = s.vault.TLS.Address
	}
	script = strings.ReplaceAll(script, exampleAddress, address)
	for _, name := range x.files {
		writeFile(t, root+"/run/secrets/"+name, s.logins[name])
	}
	for path, text := range x.others {
		if target, isLink := strings.CutPrefix(text, "->"); isLink {
			if err := errors.Join(os.MkdirAll(filepath.Dir(root+path), 0o700), os.Symlink(target, root+path)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		writeFile(t, root+path, text)
	}
	for path, text := range s.files {
		for _, dir := range exampleRoots {
			text = strings.ReplaceAll(text, `"`+dir, `"`+root+dir)
		}
		writeFile(t, root+path, strings.ReplaceAll(text, exampleAddress, s.vault.Address))
	}
	return script
}

// runShell runs a script in front of the stand-ins, and checks what they got.
func (s *exampleStage) runShell(t *testing.T, script string, x example, vars ...string) {
	t.Helper()
	s.runShellIn(t, t.TempDir(), script, x, vars...)
}

func (s *exampleStage) runShellIn(t *testing.T, root, script string, x example, vars ...string) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	script = s.furnish(t, script, x, root)
	c := vaultexec(t).vault(s.vault.Address).env(vars...)
	verb := "report"
	if x.reads != "" {
		verb = "cat " + root + x.reads + " " + copied
	}
	standIns(t, c, root, verb)
	if x.kind == asVaultEnv {
		c.env("VAULT_JWT_FILE=" + s.account.jwtFile(t, "vault"))
	} else if x.pod {
		c.env("VAULTEXEC_JWT_PATH=" + s.account.jwtFile(t, "vault"))
	} else {
		c.homeFile(".vault-token", newToken(t, s.vault, s.policies...))
	}
	c.binary, c.flags, c.argv = "/bin/sh", []string{"-euc", script}, nil
	res := c.run().exited(0)
	if res.stdout != "" {
		t.Errorf("stdout is %q", res.stdout)
	}
	for name, value := range x.env {
		res.childHas(name, value)
	}
	for name, part := range x.parts {
		if res.child == nil {
			t.Fatal("it did not start")
		}
		if value, _ := res.child.lookup(name); !strings.Contains(value, part) {
			t.Errorf("%s has no %q in it", name, part)
		}
	}
	if !x.beside {
		res.childLacks("VAULT_ADDR", "VAULT_TOKEN")
	}
	if !slices.Equal(res.child.Args[len(res.child.Args)-len(x.args):], x.args) {
		t.Errorf("the command's arguments are %q, want %q at their end", res.child.Args, x.args)
	}
	if x.reads == "" {
		return
	}
	if text, err := os.ReadFile(copied); err != nil || string(text) != x.has {
		t.Errorf("the command reads %q, error %v, want %q", text, err, x.has)
	}
	if st, err := os.Stat(copied); err == nil && st.Mode().Perm() != 0o400 {
		t.Errorf("the file's mode is %v", st.Mode())
	}
	if _, err := os.Stat(root + x.reads); err == nil {
		t.Errorf("%s is still there", x.reads)
	}
}

// runReport runs a script that prints something, and checks what.
func (s *exampleStage) runReport(t *testing.T, script string, x example) {
	t.Helper()
	root := t.TempDir()
	script = s.furnish(t, script, x, root)
	c := vaultexec(t).vault(s.vault.Address)
	standIns(t, c, root, "report")
	if x.pod {
		c.env("VAULTEXEC_JWT_PATH=" + s.account.jwtFile(t, "vault"))
	} else {
		c.homeFile(".vault-token", newToken(t, s.vault, s.policies...))
	}
	c.binary, c.flags, c.argv = "/bin/sh", []string{"-euc", script}, nil
	res := c.run().exited(0)
	for _, part := range x.prints {
		if !strings.Contains(strings.Join(strings.Fields(res.stdout), " "), part) {
			t.Errorf("there is no %q in\n%s", part, res.stdout)
		}
	}
}

// standIns puts vaultexec and the programs of exampleStandIns on PATH and
// below the root; each is the child that reports for this command.
func standIns(t *testing.T, c *command, root, verb string) {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(c.binary, filepath.Join(bin, "vaultexec")); err != nil {
		t.Fatal(err)
	}
	for name := range exampleStandIns {
		file := filepath.Join(bin, name)
		if strings.Contains(name, "/") {
			file = root + name
		}
		writeFile(t, file, fmt.Sprintf("#!/bin/sh\nexec '%s' %s '%s' %s \"$@\"\n", shared.self, childWord, c.report, verb))
		if err := os.Chmod(file, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.env("PATH=" + bin + ":" + os.Getenv("PATH"))
}

// podVariable is one line of a pod's env.
var podVariable = regexp.MustCompile(`^- \{name: (\w+), value: "?([^"]*)"?\}$`)

// assignments makes a script of assignments, or of a pod's env, that exports
// them all.
func assignments(text string) string {
	script := "set -a\n"
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if m := podVariable.FindStringSubmatch(line); m != nil {
			line = m[1] + "='" + m[2] + "'"
		}
		if line != "env:" {
			script += line + "\n"
		}
	}
	return script
}

// runImage builds an example on an image with an application, where vaultexec
// is the image that Dockerfile.example makes, and runs it.
func (s *exampleStage) runImage(t *testing.T, dockerfile string) {
	t.Helper()
	e := needEngine(t)
	entrypoint := filepath.Join(shared.dir, unique("entrypoint"))
	buildStatic(t, entrypoint, "./testdata/entrypoint")
	app, err := e.buildImage("FROM scratch\nCOPY . /\n", "", map[string]string{"app": entrypoint})
	if err != nil {
		t.Fatal(err)
	}
	dockerfile = "FROM " + e.image + " AS vaultexec\n" + strings.Replace(dockerfile, "FROM my-app\n", "FROM "+app+"\n", 1)
	image, err := e.buildImage(dockerfile, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	c := runImage(t, image).loginAs(s.account).env("SERVER_NAME=vault:internal/database/config#username")
	if res := c.run().exited(0); res.stdout != "/app\ndb-readonly-username\n" {
		t.Errorf("stdout is %q; stderr:\n%s", res.stdout, res.stderr)
	}
}

// buildStatic builds a package of this module, without cgo.
func buildStatic(t *testing.T, out, pkg string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, text)
	}
}

// lookUpTargets checks that the Makefile has what a block tells to make.
func lookUpTargets(t *testing.T, text string) {
	t.Helper()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if words[0] != "make" || !strings.Contains(string(makefile), "\n"+words[1]+":") {
			t.Errorf("the Makefile has no such target: %s", line)
		}
	}
}
