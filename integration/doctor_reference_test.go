package integration

import (
	"path/filepath"
	"strings"
	"testing"
)

// opens writes the policies that a fix asks for.
func (c *clinic) opens(t *testing.T, rules string) {
	t.Helper()
	mustDo(t, c.vault.Client().Sys().PutPolicyWithContext(t.Context(), c.extra, rules))
}

// KV v1 has no versions: the reference goes without, or the engine is upgraded.
func TestDoctorMendsVersions(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	kvMountAt(t, c.vault, "old", 1).put(t, "app", fields{"password": canary(t, "old password")})
	both := unique("both")
	mustDo(t, c.vault.Policy(t.Context(), both, "read", "old/app", "old/data/app"))
	token := newToken(t, c.vault, append(c.policies, both)...)
	patient := c.holder(t, token, "--env", "OLD=old/app#password#1")
	res, d := patient.examine()
	res.exited(3)
	s := d.find(t, "capabilities", "failed")
	if !strings.Contains(s.Detail, "old/app#password: version 1 ") || len(s.Fix) != 2 || s.Fix[0] != "--env 'OLD=old/app#password'   # without the version" ||
		s.Fix[1] != "vault kv enable-versioning old/   # makes it KV v2, for all who read it" {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	res, _ = c.holder(t, token).paste(s.Fix[0]).examine()
	res.exited(0)
	c.administer(t, s.Fix[1])
	await(t, "the upgrade", func() bool {
		s, err := c.vault.Client().Logical().ReadWithContext(t.Context(), "old/data/app")
		return err == nil && s != nil && s.Data["metadata"] != nil
	})
	res, d = patient.examine()
	res.exited(0)
	d.find(t, "secrets", "ok")
}

// All secrets of a folder take a policy that lists them, and those below.
func TestDoctorMendsFolders(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	for _, path := range []string{"team/a", "team/b/c"} {
		c.kv.put(t, path, fields{"key_" + path[len(path)-1:]: canary(t, path)})
	}
	patient := c.holder(t, newToken(t, c.vault, append(c.policies, c.kv.policy(t, "team/a", "team/b/c"))...), "--secret", "kv/team/*")
	res, d := patient.examine()
	res.exited(3)
	s := d.find(t, "capabilities", "failed")
	if !strings.HasPrefix(s.Detail, "kv/team/*: the policies do not allow list of kv/metadata/team") || len(s.Fix) != 1 {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	c.opens(t, s.Fix[0])
	res, d = patient.examine()
	res.exited(0)
	if s := d.find(t, "secrets", "ok"); s.Detail != "all are there (2)" {
		t.Errorf("it says %q", s.Detail)
	}
}

// A slip in the name of a secret is seen by who may list those beside it.
func TestDoctorKnowsNames(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	c.opens(t, `path "kv/metadata/*" { capabilities = ["list"] } path "kv/data/*" { capabilities = ["read"] }`)
	token := newToken(t, c.vault, c.policies...)
	res, d := c.holder(t, token, "--file", "/dev/shm/x=kv/closd#password").examine()
	res.exited(3)
	s := d.find(t, "secrets", "failed")
	if len(s.Fix) != 2 || s.Fix[0] != "--file '/dev/shm/x=kv/closed#password'   # in place of kv/closd#password" || s.Fix[1] != "vault kv put kv/closd password=-" {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	res, _ = c.holder(t, token).paste(s.Fix[0]).examine()
	res.exited(0)
}

// Files that others have to write are not there, or not what they should be.
func TestDoctorMendsSources(t *testing.T) {
	t.Parallel()
	c := newClinic(t)
	token := newToken(t, c.vault, c.policies...)
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	res, d := c.holder(t, token, "--from", none).examine()
	res.exited(3)
	s := d.find(t, "sources", "failed")
	if len(s.Fix) != 2 || s.Fix[0] != "ls -lR "+dir+"   # whoever writes it: does it run?" || s.Fix[1] != "--from '"+none+"?optional'   # if it may be missing" {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	c.administer(t, s.Fix[0])
	res, _ = c.holder(t, token).paste(s.Fix[1]).examine()
	res.exited(0)

	config := writeFile(t, filepath.Join(dir, "config"), "A=b\nnonsense\n")
	patient := c.holder(t, token, "--from", config)
	res, d = patient.examine()
	res.exited(3)
	s = d.find(t, "sources", "failed")
	if len(s.Fix) < 1 || s.Fix[0] != "${EDITOR:-vi} +2 "+config {
		t.Fatalf("%q is mended by %q", s.Detail, s.Fix)
	}
	editor := writeFile(t, filepath.Join(dir, "editor"), `sed -i "${1#+}d" "$2"`) // deletes the line
	c.administer(t, "EDITOR='sh "+editor+"'; "+s.Fix[0])
	res, d = patient.examine()
	res.exited(0)
	d.find(t, "sources", "ok")
}
