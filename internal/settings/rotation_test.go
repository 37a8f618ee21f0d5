package settings

import (
	"os"
	"strings"
	"testing"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/supervise"
)

func TestParseReaction(t *testing.T) {
	for text, want := range map[string]supervise.Reaction{
		"restart": supervise.ReactRestart, "exit": supervise.ReactExit, "none": supervise.ReactNone,
		"signal:HUP": supervise.ReactSignal, "exec:nginx -s reload": supervise.ReactExec,
	} {
		if got, err := ParseReaction(text); err != nil || got.Kind != want {
			t.Errorf("%s: %v, %v", text, got.Kind, err)
		}
	}
	if r, _ := ParseReaction("exec:nginx  -s reload"); strings.Join(r.Hook, "|") != "nginx|-s|reload" {
		t.Errorf("hook %q", r.Hook)
	}
	for text, want := range map[string]string{
		"":            "is not restart, signal:NAME, exec:COMMAND, exit or none",
		"reload":      "is not restart, signal:NAME, exec:COMMAND, exit or none",
		"restart:now": "is not restart, signal:NAME, exec:COMMAND, exit or none",
		"signal":      "names no signal: signal:NAME, such as signal:HUP",
		"signal:":     "names no signal: signal:NAME, such as signal:HUP",
		"signal:HUPP": `no signal is called "HUPP": did you mean HUP?`,
		"exec":        "names no command: exec:COMMAND, such as exec:nginx -s reload",
		"exec: ":      "names no command: exec:COMMAND, such as exec:nginx -s reload",
	} {
		if _, err := ParseReaction(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// What a reference asks for beats the setting, and is as good as one.
func TestReactionTo(t *testing.T) {
	s := Default()
	if r, err := s.ReactionTo(ref.Ref{}); err != nil || r.Kind != supervise.ReactRestart {
		t.Errorf("by default %v, %v", r.Kind, err)
	}
	if r, err := s.ReactionTo(ref.Ref{OnChange: "none"}); err != nil || r.Kind != supervise.ReactNone {
		t.Errorf("with on_change=none %v, %v", r.Kind, err)
	}
	_, err := s.ReactionTo(ref.Ref{Source: ref.Source{Path: "kv/a"}, OnChange: "signal:HUPP"})
	if want := `kv/a: parameter on_change no signal is called "HUPP": did you mean HUP?`; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestWindow(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("Mon 2006-01-02 15:04", text, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tt := range []struct{ window, now, want string }{
		{"0 3 * * */2h", "Tue 2026-11-24 02:59", "Tue 2026-11-24 03:00"},
		{"0 3 * * */2h", "Tue 2026-11-24 03:00", "Tue 2026-11-24 03:00"},
		{"0 3 * * */2h", "Tue 2026-11-24 04:59", "Tue 2026-11-24 04:59"},
		{"0 3 * * */2h", "Tue 2026-11-24 05:00", "Wed 2026-11-25 03:00"},
		{"0 3 * * */2h", "Tue 2026-11-24 12:00", "Wed 2026-11-25 03:00"},
		{"30 22 * * 6/12h", "Sun 2026-11-29 10:29", "Sun 2026-11-29 10:29"},
		{"30 22 * * 6/12h", "Sun 2026-11-29 10:30", "Sat 2026-12-05 22:30"},
		{"*/10 * * * */1m", "Tue 2026-11-24 12:05", "Tue 2026-11-24 12:10"},
	} {
		var w Window
		if err := w.Set(tt.window); err != nil {
			t.Errorf("%s: %v", tt.window, err)
			continue
		}
		if got := w.From(at(tt.now)); !got.Equal(at(tt.want)) {
			t.Errorf("%s at %s: from %s, want %s", tt.window, tt.now, got, tt.want)
		}
	}
	var always Window
	if now := at("Tue 2026-11-24 12:00"); !always.From(now).Equal(now) {
		t.Error("without a window not every time is good")
	}
	for text, want := range map[string]string{
		"0 3 * * *":     "is CRON/DURATION",
		"0 3 * * */2":   "is CRON/DURATION",
		"0 3 * * */0s":  "is CRON/DURATION",
		"0 3 * */2h":    "expected exactly 5 fields",
		"0 25 * * */2h": "is CRON/DURATION",
		"@every 1h/30m": "is CRON/DURATION",
		"@daily/2h":     "is CRON/DURATION",
		"0 0 30 2 */2h": "never opens: there is no such day",
	} {
		var w Window
		if err := w.Set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestRestartPolicy(t *testing.T) {
	for text, want := range map[string]Restart{"never": {}, "on-failure": {OnFailure: true}, "on-failure:5": {OnFailure: true, Max: 5}} {
		var r Restart
		if err := r.Set(text); err != nil || r.OnFailure != want.OnFailure || r.Max != want.Max || r.String() != text {
			t.Errorf("%s: %+v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "always", "on-failure:", "on-failure:0", "on-failure:-1", "never:3"} {
		var r Restart
		if err := r.Set(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestCheckRotation(t *testing.T) {
	for _, tt := range []struct {
		environ map[string]string
		want    string
	}{
		{map[string]string{"VAULTEXEC_REFRESH": "10ms"}, "VAULTEXEC_REFRESH: is at least 1s, or 0 for never"},
		{map[string]string{"VAULTEXEC_DEBOUNCE": "-1s"}, "VAULTEXEC_DEBOUNCE: must not be negative"},
		{map[string]string{"VAULTEXEC_ONCE": "true", "VAULTEXEC_ON_CHANGE": "none"}, "VAULTEXEC_ON_CHANGE: is about secrets that change, but VAULTEXEC_ONCE says to fetch once: leave out one of them"},
		{map[string]string{"VAULTEXEC_MODE": "exec", "VAULTEXEC_RESTART": "on-failure"}, "VAULTEXEC_RESTART: needs vaultexec to stay as the parent, but VAULTEXEC_MODE says exec: leave out one of them"},
		{map[string]string{"VAULTEXEC_MODE": "exec", "VAULTEXEC_REVOKE": "always"}, "VAULTEXEC_REVOKE: needs vaultexec to stay as the parent, but VAULTEXEC_MODE says exec: leave out one of them"},
	} {
		os.Clearenv()
		if _, err := load(t, tt.environ); err == nil || err.Error() != tt.want {
			t.Errorf("%v: %v, want %s", tt.environ, err, tt.want)
		}
	}
}
