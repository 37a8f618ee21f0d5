package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// What has no effect is said once a file, with its line.
func TestNotes(t *testing.T) {
	c := mustParse(t, "f", "listener \"tcp\" { address = \"x\" }\nlistener \"unix\" { }\ncache { }\n"+
		"template {\n destination = \"a\"\n contents = \"\"\n error_fatal = false }\ntemplate {\n destination = \"b\"\n contents = \"\"\n error_fatal = false }\n")
	var at []string
	for _, n := range c.Notes {
		at = append(at, n.Place)
	}
	if !reflect.DeepEqual(at, []string{"f:1", "f:3", "f:7"}) {
		t.Errorf("%+v", c.Notes)
	}
}

// What asks for something else than the agent and envconsul do anyway, or than
// vaultexec does, is said: nothing is passed over in silence.
func TestMoot(t *testing.T) {
	const (
		logs        = "vaultexec logs to standard error"
		connections = "vaultexec keeps the connections that it has to Vault"
		waits       = "vaultexec has its own waits between logins"
		threshold   = "vaultexec has its own time at which a lease is renewed or replaced"
		tries       = "a request is tried again until --startup-timeout, and later for ever"
		pauses      = "vaultexec has its own waits between requests"
		whole       = "the command starts with all that is asked for, or not at all, and keeps what it has later"
		runs        = "a command that is there is run"
		long        = "changes that keep coming are waited for five times as long as min, and a minute at most"
	)
	for _, tt := range []struct {
		block string // with % for what stands in it
		key   string // as notes call it
		usual []string
		other string
		why   string
	}{
		{"%", "log_rotate_bytes", nil, "1", logs},
		{"%", "log_rotate_duration", nil, `"24h"`, logs},
		{"%", "log_rotate_max_files", nil, "3", logs},
		{"%", "disable_mlock", []string{"true", "false"}, "", ""},
		{"%", "disable_idle_connections", []string{"[]", `""`}, `["auto-auth"]`, connections},
		{"%", "disable_keep_alives", []string{"[]", `""`}, `["templating"]`, connections},
		{"template_config { % }", "template_config.lease_renewal_threshold", []string{"0.9", "0.90", `"0.9"`}, "0.5", threshold},
		{`template { destination = "d" contents = "" % }`, "template.error_fatal", []string{"true"}, "false", whole},
		{`env_template "A" { contents = "" % }`, "env_template.error_fatal", []string{"true"}, "false", whole},
		{`template { destination = "d" contents = "" exec { command = "c" % } }`, "template.exec.enabled", []string{"true"}, "false", runs},
		{`template { destination = "d" contents = "" wait { min = "1s" % } }`, "template.wait.max", []string{`"4s"`, `"5s"`}, `"9s"`, long},
		{`wait { % min = "1s" }`, "wait.max", []string{`"4s"`, "5"}, `"9s"`, long},
		{`wait { min = "1s" % }`, "wait.enabled", []string{"true"}, "false", "min is what there is to be waited for, and without it wait says nothing"},
		{`auto_auth { % method "a" {} }`, "auto_auth.enable_reauth_on_new_credentials", []string{"false"}, "true", "the next login is made with what the files hold by then"},
		{`auto_auth { method "a" { % } }`, "auto_auth.method.min_backoff", []string{`"1s"`, "1", "0"}, `"2s"`, waits},
		{`auto_auth { method "a" { % } }`, "auto_auth.method.max_backoff", []string{`"5m"`, "300", "0"}, `"1m"`, waits},
		{`auto_auth { method "a" { % } }`, "auto_auth.method.exit_on_err", []string{"false"}, "true", "a login that is refused ends the start, and never a running command"},
		{"vault { % }", "vault.enabled", []string{"true"}, "false", "Vault is asked where something of Vault's is asked for, and not otherwise"},
		{"vault { % }", "vault.transport", nil, "{ dial_timeout = 1 }", connections},
		{"vault { % }", "vault.client_user_agent", nil, `"x"`, "vaultexec gives its requests no name"},
		{"vault { % }", "vault.renew_token", []string{"true"}, "false", "a token is renewed where its policies allow it"},
		{"vault { % }", "vault.lease_renewal_threshold", []string{"0.9"}, "0.8", threshold},
		{"vault { % }", "vault.grace", nil, `"15s"`, threshold},
		{"vault { retry { % } }", "vault.retry.num_retries", []string{"0", "12"}, "-1", tries},
		{"vault { retry { % } }", "vault.retry.enabled", []string{"true"}, "false", tries},
		{"vault { retry { % } }", "vault.retry.attempts", []string{"0", "12"}, "3", tries},
		{"vault { retry { % } }", "vault.retry.backoff", []string{`"250ms"`}, `"1s"`, pauses},
		{"vault { retry { % } }", "vault.retry.max_backoff", []string{`"1m"`}, `"10s"`, pauses},
		{"exec { % }", "exec.enabled", []string{"true"}, "false", runs},
		{"exec { % }", "exec.timeout", []string{"0"}, `"1m"`, "the command may run for as long as it likes"},
	} {
		notes := func(value string) []Note {
			key := tt.key[strings.LastIndex(tt.key, ".")+1:]
			return mustParse(t, "f", strings.Replace(tt.block, "%", key+" = "+value, 1)).Notes
		}
		for _, value := range tt.usual {
			if got := notes(value); len(got) > 0 {
				t.Errorf("%s = %s: %v", tt.key, value, got)
			}
		}
		if tt.other == "" {
			continue
		}
		want := []Note{{"f:1", tt.key + " has no effect: " + tt.why}}
		if got := notes(tt.other); !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %s: %v, want %v", tt.key, tt.other, got, want)
		}
	}
	for text, want := range map[string]int{`wait = "1s"`: 0, `wait = "1s:4s"`: 0, `wait = "1s:9s"`: 1} {
		c := mustParse(t, "f", text)
		if c.Wait.Value != time.Second || len(c.Notes) != want || want > 0 && c.Notes[0].Text != "wait.max has no effect: "+long {
			t.Errorf("%s: %+v", text, c)
		}
	}
	for text, want := range map[string]string{
		`template_config { lease_renewal_threshold = "high" }`: "f:1: lease_renewal_threshold is not a number, such as 0.90",
		`auto_auth { method "a" { max_backoff = "long" } }`:    "f:1: max_backoff is not a duration: write a number and a unit, such as 500ms, 30s or 2m",
		`auto_auth { method "a" { exit_on_err = "maybe" } }`:   "f:1: exit_on_err is either true or false",
		`vault { retry { attemps = 1 } }`:                      `f:1: there is no key "attemps" in vault.retry: did you mean attempts?`,
		`wait = "1s:later"`:                                    "f:1: max is not a duration: write a number and a unit, such as 500ms, 30s or 2m",
	} {
		if _, err := Parse("f", []byte(text), testOptions); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// consul-template leaves the settings of TLS aside where they are switched off.
func TestSSLAside(t *testing.T) {
	for _, enabled := range []string{"", "enabled = true", "enabled = false"} {
		v := mustParse(t, "f", `vault { ca_cert = "/own" ssl { ca_cert = "/ssl" verify = false `+enabled+` } }`).Vault
		want := Vault{Place: "f:1", CACert: Given[string]{"/ssl", "f:1"}, TLSSkipVerify: Given[bool]{true, "f:1"}}
		if enabled == "enabled = false" {
			want = Vault{Place: "f:1", CACert: Given[string]{"/own", "f:1"}}
		}
		if !reflect.DeepEqual(v, want) {
			t.Errorf("%s: %+v", enabled, v)
		}
	}
}
