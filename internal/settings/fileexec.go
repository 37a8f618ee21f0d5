package settings

import (
	"strconv"
	"strings"
	"time"

	"vaultexec/internal/config"
)

// exec takes over the command and its life.
func (l *layer) exec(x *config.Exec) {
	s := l.settings
	if len(s.files.Command) == 0 {
		s.files.Command = x.Command.Value
	}
	if x.Stdout.Value != "" {
		s.files.Stdout = x.Stdout
	}
	if x.Stderr.Value != "" {
		s.files.Stderr = x.Stderr
	}
	l.given("stop-signal", "exec.kill_signal", x.StopSignal)
	l.set("stop-timeout", "exec.kill_timeout", x.KillTimeout.Place, x.KillTimeout.Value.String())
	if x.RestartOnSecretChanges.Value == "never" {
		l.unwatched("on-change", "exec.restart_on_secret_changes", x.RestartOnSecretChanges.Place, "none")
	}
	l.unwatched("on-change", "exec.reload_signal", x.ReloadSignal.Place, "signal:"+x.ReloadSignal.Value)
	l.unwatched("splay", "exec.splay", x.Splay.Place, x.Splay.Value.String())

	l.set("pristine", "exec.env.pristine", x.Pristine.Place, strconv.FormatBool(x.Pristine.Value))
	if x.Allowlist.IsSet() && (!s.IsSet("pristine") || s.Pristine) {
		l.set("pristine", "exec.env.allowlist", x.Allowlist.Place, "true")
		l.set("keep", "exec.env.allowlist", x.Allowlist.Place, x.Allowlist.Value...)
	}
	l.set("drop", "exec.env.denylist", x.Denylist.Place, x.Denylist.Value...)
	s.files.Custom = append(s.files.Custom, x.Custom.Value...)
}

// rotation takes over how changes are noticed.
func (l *layer) rotation(c *config.Config) {
	t := c.TemplateConfig
	if t.Refresh.Value != 0 { // the agent takes 0 for not set
		l.unwatched("refresh", "template_config.static_secret_render_interval", t.Refresh.Place, t.Refresh.Value.String())
	}
	l.unwatched("refresh", "vault.default_lease_duration", c.Vault.Refresh.Place, c.Vault.Refresh.Value.String())
	l.unwatched("debounce", "wait", c.Wait.Place, c.Wait.Value.String())
	var longest config.Given[time.Duration] // as all files change together
	for _, template := range c.Templates {
		if template.Wait.Value > longest.Value {
			longest = template.Wait
		}
	}
	l.unwatched("debounce", "template.wait", longest.Place, longest.Value.String())
	if files := &l.settings.files; !files.FailCommands.IsSet() {
		files.FailCommands = t.ExitOnFailure
	}
	l.set("concurrency", "template_config.max_connections_per_host", t.MaxConn.Place, strconv.Itoa(t.MaxConn.Value))
}

// logLevels maps Vault's words -> ours.
var logLevels = map[string]string{"trace": "debug", "notice": "info", "warning": "warn", "err": "error"}

// reporting takes over how much is logged, and how.
func (l *layer) reporting(c *config.Config) {
	level := c.LogLevel
	level.Value = strings.ToLower(level.Value)
	if ours, ok := logLevels[level.Value]; ok {
		level.Value = ours
	}
	l.given("log-level", "log_level", level)
	format := c.LogFormat
	if format.Value == "standard" || format.Value == "" {
		format.Value = string(LogText)
	}
	l.given("log-format", "log_format", format)
}
