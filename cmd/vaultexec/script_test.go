package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"vaultexec/internal/fetch/fetchtest"
)

// TestScript runs the command lines in testdata/script, a file for each subject.
// Beside what testscript has there is the command
//
//	status N vaultexec [ARG...]
//
// which runs a program whose exit status is to be N, and a Vault with the secret
// kv/app at $VAULT_ADDR, where the token "token" may read.
//
// With UPDATE_SCRIPTS=1 the output that a script compares with is written into it.
func TestScript(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "vaultexec")); err != nil {
		t.Fatal(err)
	}
	vault := fetchtest.New(t)
	vault.MountKV("kv/", 2)
	vault.Put("kv/app", `{"user": "app", "password": "it's a canary"}`)
	vault.Put("kv/odd", `{"LINES": "one\ntwo", "EMPTY": "", "a.b": "dotted"}`)
	vault.Allow("token", "kv/*", "read", "list")
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv(asVaultexec, "1")
			e.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("VAULT_ADDR", vault.URL)
			e.Setenv("VAULT_TOKEN", "token")
			e.Setenv("VAULTEXEC_LOG_FORMAT", "text")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": exitStatus},
	})
}

func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(interface{ ExitCode() int })
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %s", got, fmt.Sprint(want))
	}
}
