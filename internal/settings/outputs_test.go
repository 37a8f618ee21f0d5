package settings

import (
	"strings"
	"testing"
)

func TestCheckOutputs(t *testing.T) {
	const keeps = "a command that goes on keeps what it has inherited, so after the signal it would read the old value again: use --file-env, or on_change=restart"
	for args, want := range map[string]string{
		"--fd-env A=kv/a#b":                                             "",
		"--fd-env A=kv/a?on_change=signal:HUP#b":                        "--fd-env A: " + keeps,
		"--fd-env A=kv/a#b --on-change signal:HUP":                      "--fd-env A: " + keeps,
		"--fd-env A=kv/a?on_change=restart#b --on-change signal:HUP":    "",
		"--fd-env A=kv/a?on_change=none#b":                              "",
		"--fd-env A=kv/a?on_change=exec:x#b":                            "",
		"--fd-env A=kv/a?on_change=signal:HUP#b --once":                 "",
		"--file-env A=kv/a?on_change=signal:HUP#b":                      "",
		"--file-env A=kv/a#b --runtime-dir /run/x":                      "",
		"--runtime-dir /run/x":                                          "--runtime-dir: is for the files of --file-env and --credentials, and there is none",
		"--credentials kv/a --runtime-dir /run/x":                       "",
		"--fd-env A=kv/a?on_change=signal:HUP#b --fd-env B=kv/a#b":      "--fd-env A: " + keeps,
		"--mode exec --fd-env A=kv/a#b --file-env B=kv/a?mode=0400&x#b": `--file-env B: unknown parameter "x": there are version, optional, default, decode, namespace, prefix, case, names, only, except, refresh, on_change, format, mode, owner`,
	} {
		_, err := load(t, nil, strings.Fields(args)...)
		if got := message(err); got != want && !strings.HasSuffix(got, want) || want == "" && got != "" {
			t.Errorf("%s:\n%s\nwant\n%s", args, got, want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
