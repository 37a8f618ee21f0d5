package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"vaultexec/internal/fetch/fetchtest"
)

// asVaultexec makes the test binary be vaultexec; it is no VAULTEXEC_ name,
// those are settings.
const asVaultexec = "TEST_BINARY_IS_VAULTEXEC"

func TestMain(m *testing.M) {
	// A supervisor that its init has started is known by its name alone.
	if os.Getenv(asVaultexec) != "" || strings.HasPrefix(os.Args[0], "vaultexec-supervisor:") {
		os.Unsetenv(asVaultexec)
		main()
	}
	os.Exit(m.Run())
}

// result is what a run of vaultexec came to.
type result struct {
	code           int
	stdout, stderr string
}

// vaultexec runs the program with nothing in its environment but PATH and what
// is given.
func vaultexec(t *testing.T, environ []string, args ...string) result {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append([]string{asVaultexec + "=1", "PATH=" + os.Getenv("PATH")}, environ...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// TestP12CommandLine has one line for each way to get it wrong: the message
// names the place and the way out, and nothing is on standard output.
func TestP12CommandLine(t *testing.T) {
	tests := []struct {
		name string
		env  []string
		args []string
		want string // all of standard error
	}{
		{"nothing", nil, nil, "vaultexec: usage: there is no command: vaultexec [flags] -- COMMAND [ARG...], vaultexec --help tells more\n"},
		{"only flags", nil, []string{"--mode", "exec"}, "vaultexec: usage: there is no command: vaultexec [flags] -- COMMAND [ARG...], vaultexec --help tells more\n"},
		{"only dashes", nil, []string{"--"}, "vaultexec: usage: there is no command: vaultexec [flags] -- COMMAND [ARG...], vaultexec --help tells more\n"},
		{"no dashes", nil, []string{"echo", "secret-arg"}, "vaultexec: usage: \"echo\" is no verb of vaultexec: a command goes after two dashes, vaultexec [flags] -- echo ...\n"},
		{"no dashes after a flag", nil, []string{"--mode", "exec", "echo"}, "vaultexec: usage: \"echo\" is no verb of vaultexec: a command goes after two dashes, vaultexec [flags] -- echo\n"},
		{"words before dashes", nil, []string{"echo", "--", "x"}, "vaultexec: usage: \"echo\" is no verb of vaultexec: a command goes after two dashes, vaultexec [flags] -- echo ...\n"},
		{"unknown flag", nil, []string{"--rol", "x", "--", "true"}, "vaultexec: config: --rol: there is no such flag, did you mean --role?\n"},
		{"hopeless flag", nil, []string{"--zzzzzz", "--", "true"}, "vaultexec: config: --zzzzzz: there is no such flag, vaultexec --help has them all\n"},
		{"no value", nil, []string{"--role"}, "vaultexec: usage: --role: needs a value\n"},
		{"choice", nil, []string{"--mode", "supervice", "--", "true"}, "vaultexec: usage: --mode: \"supervice\" is not one of auto, exec, supervise: did you mean supervise?\n"},
		{"duration", nil, []string{"--stop-timeout", "30", "--", "true"}, "vaultexec: usage: --stop-timeout: is not a duration: write a number and a unit, such as 500ms, 30s or 2m\n"},
		{"yes or no", nil, []string{"--pristine=perhaps", "--", "true"}, "vaultexec: usage: --pristine: is either there or not, --pristine=false is possible too\n"},
		{"reference", nil, []string{"--secret", "kv/app?colour=red", "--", "true"}, "vaultexec: usage: --secret: \"kv/app\": unknown parameter \"colour\": there are version, optional, default, namespace, prefix, case, names, only, except, refresh, on_change\n"},
		{"variable", nil, []string{"--env", "A=kv/app", "--", "true"}, "vaultexec: usage: --env A: one variable takes one key: add #KEY\n"},
		{"inherited reference", []string{"DB=vault:kv/app?x#y"}, []string{"--", "true"}, "vaultexec: config: variable DB: unknown parameter \"x\": there are version, optional, default, decode, namespace, refresh, on_change\n"},
		{"environment duration", []string{"VAULTEXEC_STOP_TIMEOUT=30"}, []string{"--", "true"}, "vaultexec: config: VAULTEXEC_STOP_TIMEOUT: is not a duration: write a number and a unit, such as 500ms, 30s or 2m\n"},
		{"environment bool", []string{"VAULTEXEC_ONCE=ja"}, []string{"--", "true"}, "vaultexec: config: VAULTEXEC_ONCE: is either true or false\n"},
		{"environment choice", []string{"VAULTEXEC_LOG_LEVEL=verbose"}, []string{"--", "true"}, "vaultexec: config: VAULTEXEC_LOG_LEVEL: \"verbose\" is not one of debug, info, warn, error\n"},
		{"environment unknown", []string{"VAULTEXEC_ROL=x", "VAULTEXEC_QQQQQQQ="}, []string{"--", "true"}, "vaultexec: config: there is no such setting: VAULTEXEC_QQQQQQQ, VAULTEXEC_ROL (did you mean VAULTEXEC_ROLE?)\n"},
		{"keep alone", nil, []string{"--keep", "A*", "--", "true"}, "vaultexec: config: --keep: has no meaning without --pristine, everything is inherited then\n"},
		{"all conflicts at once", []string{"VAULTEXEC_AUTH=token"}, []string{"--role", "app", "--concurrency", "0", "--mode", "exec", "--remap-exit", "143", "--", "true"},
			"vaultexec: config: --role: belongs to the kubernetes, jwt, approle or cert login, but VAULTEXEC_AUTH says token\n" +
				"  --concurrency: must be at least 1\n" +
				"  --remap-exit: needs vaultexec to stay as the parent, but --mode says exec: leave out one of them\n"},
		{"kubernetes without role", nil, []string{"--auth", "kubernetes", "--", "true"}, "vaultexec: config: --auth: the kubernetes login needs --role\n"},
		{"unknown auth", nil, []string{"--auth", "kubernets", "--", "true"}, "vaultexec: config: --auth: \"kubernets\" is not one of kubernetes, jwt, approle, cert, userpass, ldap, token, token-file: did you mean kubernetes?\n"},
		{"rewritten twice", nil, []string{"--rewrite-signal", "HUP:USR1", "--rewrite-signal", "HUP:USR2", "--", "true"}, "vaultexec: config: --rewrite-signal: HUP is rewritten twice\n"},
		{"parameter behind the key", nil, []string{"--env", "A=kv/app#password?default=canary", "--", "true"}, "vaultexec: usage: --env A: parameters stand before the #, as in PATH?PARAM=VALUE#KEY; a ? in a key is written %3F\n"},
		{"word behind version", nil, []string{"version", "extra"}, "vaultexec: usage: vaultexec version takes nothing more, and there is \"extra\"\n"},
		{"startup timeout", []string{"VAULT_ADDR=http://127.0.0.1:1"}, []string{"--startup-timeout", "1ns", "--", "true"}, "vaultexec: timeout: --startup-timeout: not ready after 1ns: give it more, or look at what took so long with --log-level debug\n"},
		{"no configuration", nil, []string{"--config", "/none", "--", "true"}, "vaultexec: config: /none cannot be read: no such file or directory\n"},
		{"configuration without a name", nil, []string{"--config", "", "--", "true"}, "vaultexec: usage: --config: names no file\n"},
		{"status", nil, []string{"--remap-exit", "256", "--", "true"}, "vaultexec: usage: --remap-exit: an exit status is a number from 0 to 255\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := vaultexec(t, append(tt.env, "VAULTEXEC_LOG_FORMAT=text"), tt.args...)
			if want := (result{125, "", tt.want}); got != want {
				t.Errorf("vaultexec %q gave %d\n%s%s\nwant 125\n%s", tt.args, got.code, got.stdout, got.stderr, tt.want)
			}
		})
	}
}

func TestP3Status(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, mode os.FileMode, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name    string
		command []string
		want    int
	}{
		{"success", []string{"true"}, 0},
		{"failure", []string{"sh", "-c", "exit 7"}, 7},
		{"125 of its own", []string{"sh", "-c", "exit 125"}, 125},
		{"255", []string{"sh", "-c", "exit 255"}, 255},
		{"killed", []string{"sh", "-c", "kill -KILL $$"}, 137},
		{"terminated", []string{"sh", "-c", "kill -TERM $$"}, 143},
		{"not found", []string{"no-such-command"}, 127},
		{"not found with a slash", []string{dir + "/none"}, 127},
		{"not executable", []string{file("plain", 0o644, "x")}, 126},
		{"directory", []string{dir}, 126},
		{"no interpreter line", []string{file("noshebang", 0o755, "echo hi\n")}, 126},
		{"interpreter missing", []string{file("badshebang", 0o755, "#!/no/such/sh\n")}, 127},
	}
	for _, mode := range []string{"exec", "supervise"} {
		for _, tt := range tests {
			t.Run(mode+"/"+tt.name, func(t *testing.T) {
				got := vaultexec(t, nil, append([]string{"--mode", mode, "--"}, tt.command...)...)
				// A process that became the command dies by the signal itself.
				want := tt.want
				if mode == "exec" && want > 128 && want < 160 {
					want = -1
				}
				if got.code != want {
					t.Errorf("%q gave %d, want %d\n%s", tt.command, got.code, want, got.stderr)
				}
				if own := tt.want == 126 || tt.want == 127; own != (got.stderr != "") {
					t.Errorf("%q left on standard error: %q", tt.command, got.stderr)
				}
			})
		}
	}
}

func TestRemapExit(t *testing.T) {
	got := vaultexec(t, []string{"VAULTEXEC_REMAP_EXIT=3,143"}, "--", "sh", "-c", "kill -TERM $$")
	if got.code != 0 {
		t.Errorf("exit status %d, want 143 mapped to 0", got.code)
	}
}

// A status is mapped only if it is the command's: here there was none.
func TestRemapExitNotWithoutCommand(t *testing.T) {
	cmd := start(t, silentVault(t), "--remap-exit", "143", "--secret", "kv/app", "--", "true")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 143 {
		t.Errorf("exit status %d, want 143", code)
	}
}

func TestArgumentsPassThrough(t *testing.T) {
	words := []string{"", "a b", "$HOME", "--help", "--", "*", "'", "\"", "\\", "\n", "\xff\xfe"}
	for _, mode := range []string{"exec", "supervise"} {
		got := vaultexec(t, []string{"VAULTEXEC_MODE=" + mode}, append([]string{"--", "printf", `%s|`}, words...)...)
		if want := strings.Join(words, "|") + "|"; got != (result{0, want, ""}) {
			t.Errorf("%s: %+v, want %q", mode, got, want)
		}
	}
}

func TestP7OwnSettingsAreNotInherited(t *testing.T) {
	got := vaultexec(t, []string{"VAULT_TOKEN=canary-token", "VAULT_ADDR=http://127.0.0.1:1", "VAULTEXEC_MODE=supervise", "PLAIN=1"}, "--", "env")
	if want := "PATH=" + os.Getenv("PATH") + "\nPLAIN=1\n"; got != (result{0, want, ""}) {
		t.Errorf("%+v, want %q", got, want)
	}
}

// What is fetched in vain is not left behind: neither files, where the command
// cannot take them over, nor the token, where there is nothing to fetch.
func TestNothingIsLeftBehind(t *testing.T) {
	vault := fetchtest.New(t)
	vault.MountKV("kv/", 2)
	vault.Put("kv/app", `{"password": "canary"}`)
	vault.Allow("token", "*", "read")
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"exec", "supervise"} {
		got := vaultexec(t, []string{"VAULT_ADDR=" + vault.URL, "VAULT_TOKEN=token"},
			"--mode", mode, "--file", dir+"/new/secret=kv/app#password", "--", bad)
		if _, err := os.Stat(dir + "/new"); got.code != 127 || !os.IsNotExist(err) {
			t.Errorf("%s: %+v, and the file's directory: %v", mode, got, err)
		}
	}
	if runtime.GOOS != "linux" {
		return // no /proc
	}
	got := vaultexec(t, []string{"VAULT_TOKEN=canary", "VAULT_HEADERS=canary"}, "--mode", "supervise", "--", "sh", "-c", "cat /proc/$PPID/environ")
	if got.code != 0 || !strings.Contains(got.stdout, "VAULT_TOKEN=") || strings.Contains(got.stdout, "canary") {
		t.Errorf("environment of vaultexec: %+v", got)
	}
}

func TestTerminationLog(t *testing.T) {
	for name, tt := range map[string]struct{ env, args []string }{
		"no token":             {[]string{"VAULT_ADDR=http://127.0.0.1:1", "HOME=/nonexistent"}, []string{"--secret", "kv/app", "--", "true"}},
		"a variable is wrong":  {[]string{"VAULTEXEC_STOP_TIMEOUT=30"}, []string{"--", "true"}},
		"a variable is none":   {[]string{"VAULTEXEC_ROLL=app"}, []string{"--", "true"}},
		"flags do not go well": {nil, []string{"--jwt-path", "/jwt", "--", "true"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "log")
			got := vaultexec(t, tt.env, append([]string{"--termination-log", file}, tt.args...)...)
			text, err := os.ReadFile(file)
			if err != nil || got.code != 125 || !strings.HasPrefix(string(text), "vaultexec: config: ") {
				t.Errorf("%+v, termination log %q, %v", got, text, err)
			}
		})
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"-h"}, {"run", "--help"}} {
		got := vaultexec(t, []string{"VAULTEXEC_NONSENSE=1"}, args...)
		if got.code != 0 || got.stderr != "" || !strings.Contains(got.stdout, "Exit status:") {
			t.Errorf("%q: %+v", args, got)
		}
		for line := range strings.Lines(got.stdout) {
			if head, _, found := strings.Cut(strings.TrimPrefix(line, "  "), "  "); strings.HasPrefix(line, "  --") && (!found || strings.Count(head, " ") > 1) {
				t.Errorf("%q: a flag runs into its text: %s", args, line)
			}
			if len(line) > 81 {
				t.Errorf("%q: a line is wider than 80 columns: %s", args, line)
			}
		}
	}
	for _, args := range [][]string{{"version"}, {"--version"}} {
		if got := vaultexec(t, nil, args...); got.code != 0 || !strings.HasPrefix(got.stdout, "vaultexec ") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	if got := vaultexec(t, []string{"VAULTEXEC_SERVICE_HOST=10.0.0.1", "VAULTEXEC_PORT=tcp://10.0.0.1:80", "VAULTEXEC_PORT_80_TCP=x"}, "--", "true"); got != (result{}) {
		t.Errorf("beside a Kubernetes Service called vaultexec: %+v", got)
	}
}
