package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fileOf makes a file, below a directory of its own.
func fileOf(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// plainLog is the environment of a run that has no Vault.
var plainLog = []string{"VAULTEXEC_LOG_FORMAT=text", "VAULTEXEC_STARTUP_TIMEOUT=20s"}

// What others have written into files needs no Vault, is planned as a secret of
// Vault is, and every verb sees it.
func TestFromWithoutVault(t *testing.T) {
	file := fileOf(t, "config", "export USER_NAME='it'\\''s'\nB=\"2\"\n")
	for _, mode := range []string{"exec", "supervise"} {
		got := vaultexec(t, plainLog, "--from", file, "--once", "--mode", mode, "--", "sh", "-c", `echo "$USER_NAME $B"`)
		if want := (result{0, "it's 2\n", ""}); got != want {
			t.Errorf("%s: %+v, want %+v", mode, got, want)
		}
	}
	got := vaultexec(t, append([]string{"VAULTEXEC_FROM=" + file + "?prefix=X_&except=B"}, plainLog...), "env")
	if want := (result{0, "export X_USER_NAME='it'\\''s'\n", ""}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	got = vaultexec(t, plainLog, "check", "--from", file)
	if want := (result{0, "ok      " + file + "\n", ""}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestP12From has a line for each way in which a file can be wrong.
func TestP12From(t *testing.T) {
	bad := fileOf(t, "bad", "A=1\nB=canary$HOME\n")
	good := fileOf(t, "good", "A=1\nLD_PRELOAD=x\n")
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"parameter", []string{"--from", good + "?mode=0400"}, "usage: --from: \"" + good + "\": parameter mode has no meaning here\n"},
		{"format", []string{"--from", good + "?format=toml"}, "usage: --from: \"" + good + "\": format=toml is none of export, dotenv, map, json, yaml, properties, raw\n"},
		{"key", []string{"--from", good + "#A"}, "usage: --from: \"" + good + "#A\": a file or a directory is taken whole: choose with only=KEY in place of #KEY; a # that is part of the path is written %23\n"},
		{"content", []string{"--from", bad}, "malformed: " + bad + ":2: sh would expand a variable after the $, and nothing is expanded here: put single quotes around the value if the $ is part of it (by its content this is export; ?format= behind the path says what it is)\n"},
		{"missing", []string{"--from", bad + "x", "--startup-timeout", "1ms"}, "missing: " + bad + "x: there is no such file or directory yet: correct the path, see to it that something writes it, or add ?optional to it\n"},
		{"reserved", []string{"--from", good}, "config: --from " + good + ": LD_PRELOAD decides which programs or libraries run, so no secret sets it by itself: leave it out with except=, or set it with --env LD_PRELOAD=REF\n"},
		{"names", []string{"--from", fileOf(t, "j", `{"a b": 1}`)}, "the field \"a b\" gives no variable's name: use case=upper, or leave it out with except=\n"},
		{"prefix", []string{"--from", good + "?prefix=1"}, "config: --from " + good + ": prefix \"1\" cannot begin a variable's name"},
		{"reaction", []string{"--from", good + "?on_change=signal:NONE"}, "parameter on_change"},
	} {
		got := vaultexec(t, plainLog, append(tt.args, "--", "true")...)
		if got.code != 125 || got.stdout != "" || !strings.Contains(got.stderr, tt.want) || strings.Contains(got.stderr, "canary") {
			t.Errorf("%s: %+v\nwant %s", tt.name, got, tt.want)
		}
	}
	conflict := vaultexec(t, append([]string{"A=0"}, plainLog...), "--from", good+"?only=A", "--", "true")
	if !strings.Contains(conflict.stderr, "variable A comes from the inherited variable and from --from "+good) {
		t.Errorf("%+v", conflict)
	}
	check := vaultexec(t, plainLog, "check", "--from", good+"?except=LD*", "--from", bad, "--env", "X=kv/app#x")
	if check.code != 3 || check.stdout != "unknown kv/app#x\nok      "+good+"\nmissing "+bad+"\n" {
		t.Errorf("%+v", check)
	}
}
