package env

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vaultexec/internal/seeds"
)

// withFiles plans with files of these texts.
func withFiles(t *testing.T, v vault, inherited []string, texts []string, flags ...string) (Plan, error) {
	t.Helper()
	s := sources(t, inherited, flags...)
	for i, text := range texts {
		f, err := parseEnvFile(string(rune('a'+i))+".env", text)
		if err != nil {
			return Plan{}, err
		}
		s.EnvFiles = append(s.EnvFiles, f)
	}
	s.Templates = []Template{{Place: "--env-template W", Name: "W", Text: "template"}}
	p, err := NewPlanner(s)
	if err != nil {
		return Plan{}, err
	}
	return p.Plan(v.fetch(t))
}

func TestEnvFile(t *testing.T) {
	v := vault{"kv/app": `{"user":"u","password":"p"}`}
	got, err := withFiles(t, v, []string{"A=inherited", "B=inherited", "O=inherited", "P=inherited"}, []string{
		"# a comment\n\nA=1\nexport B = two words \t\r\nC=\nD='$HOME \\n \"x\"' # comment\nE=\"a\\tb\\n\\\"\\\\\\$x\\`\" \n" +
			"F=$HOME $(id) `id` ${X} a#b\nG=vault:kv/app#password\nH=\"pg://${vault:kv/app#user}:${vault:kv/app#password}@h\"\nI='vault:kv/app#${.user}'\nS=first",
		"S=last\nT=file\nW=file\nO=vault:kv/none?optional#x\nVAULT_TOKEN=vault:kv/app#user\nVAULT_ADDR=http://x\nuser=file",
	}, "--env T=kv/app#user", "--pass VAULT_A*", "--pristine", "--keep [OP]", "--drop A", "--secret kv/app?only=user")
	want := []string{"A=1", "B=two words", "C=", `D=$HOME \n "x"`, "E=a\tb\n\"\\$x`", "F=$HOME $(id) `id` ${X} a#b", "G=p", "H=pg://u:p@h", "I=u", "O=inherited",
		"P=inherited", "S=last", "T=u", "VAULT_ADDR=http://x", "VAULT_TOKEN=u", "W=template", "user=file"}
	if err != nil || !slices.Equal(got.Environ, want) {
		t.Errorf("%q, %v\nwant\n%q", got.Environ, err, want)
	}
}

func TestEnvFileErrors(t *testing.T) {
	for _, tt := range []struct {
		text, class, want string
	}{
		{canary, ClassConfig, "a.env:1: there is no = in it: a line is NAME=VALUE, and a value does not go on in the next one"},
		{"A=1\n\n" + canary + " x=1", ClassConfig, "a.env:3: what stands before the = is no name, which is letters, digits and _ and begins with no digit"},
		{"export=" + canary + "\nexport 1=x", ClassConfig, "a.env:2: what stands before the = is no name, which is letters, digits and _ and begins with no digit"},
		{"A=" + canary + " # x", ClassConfig, "a.env:1: a # behind a blank is a comment to some programs and part of the value to others: put the value in quotes, or the comment on a line of its own"},
		{"A='" + canary, ClassConfig, "a.env:1: " + notClosed},
		{"A=\"" + canary + "\n\"", ClassConfig, "a.env:1: " + notClosed + "\na.env:2: there is no = in it: a line is NAME=VALUE, and a value does not go on in the next one"},
		{`A="` + canary + `\x"`, ClassConfig, `a.env:1: a backslash between double quotes stands before n, r, t, \, ", $ or a backquote: write \\ for the sign itself, or use single quotes`},
		{`A="` + canary + `\`, ClassConfig, `a.env:1: a backslash between double quotes stands before n, r, t, \, ", $ or a backquote: write \\ for the sign itself, or use single quotes`},
		{"A='x'" + canary, ClassConfig, "a.env:1: something follows the closing quote: put all of the value between the quotes"},
		{"A='x'#" + canary, ClassConfig, "a.env:1: something follows the closing quote: put all of the value between the quotes"},
		{"A=1\nB=2\nA=" + canary, ClassConflict, "a.env:3: A is set before, at a.env:1: remove one"},
		{"A=x\x00" + canary, ClassConfig, "a.env:1: the value has a NUL byte in it, which no environment can hold"},
		{"A=${vault:kv/app#x" + canary, ClassConfig, "variable A (a.env:1): ${vault: is not closed by }"},
		{"A=vault:kv/none#x", ClassMissing, "variable A (a.env:1): kv/none#x is missing: correct it, or add optional or default= to the reference"},
		{"VAULT_ADDR=" + canary, ClassConfig, "variable VAULT_ADDR (a.env:1): it is a setting of vaultexec or of Vault's client, and a file sets variables of the command alone: set it in vaultexec's own environment, or hand it to the command with --pass VAULT_ADDR"},
	} {
		_, err := withFiles(t, vault{}, nil, []string{tt.text})
		checkError(t, err, tt.class, strings.Split(tt.want, "\n")...)
	}
	_, err := ReadEnvFile(filepath.Join(t.TempDir(), "none"))
	if err == nil || !strings.HasSuffix(err.Error(), "none cannot be read: no such file or directory") {
		t.Errorf("no file: %v", err)
	}
}

// FuzzEnvFile holds that nothing panics, that no value gets into an error, and
// that what a shell's single quotes keep together comes out as it is.
func FuzzEnvFile(f *testing.F) {
	for _, s := range []string{"A=1\nexport B='x y'\n", "A=\"a\\n\"", "# c\n=", "A = b # c", "A='\nB='"} {
		f.Add(s)
	}
	for _, text := range seeds.Files(f, "seeds/*.env") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = parseEnvFile("f", text)
		if strings.ContainsAny(text, "\x00\n\r'") {
			return
		}
		got, err := parseEnvFile("f", "A='"+text+"'")
		if err != nil || got.entries[0].value != text {
			t.Errorf("%q: %q, %v", text, got.entries, err)
		}
	})
}

func TestReadEnvFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(file, []byte("A=b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := ReadEnvFile(file); err != nil || len(f.entries) != 1 || f.entries[0] != (fileEntry{"A", "b", file + ":1"}) {
		t.Errorf("%v", err)
	}
}
