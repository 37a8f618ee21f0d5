package config

// exec reads the command and its life: the agent's keys, those of consul-template
// that envconsul has, and what vaultexec has beyond both.
func (d *decoder) exec(n node) {
	x := &d.config.Exec
	x.Place = place(d.file, n.line)
	f := fields{
		"command":                   d.commandLine(&x.Command),
		"restart_on_secret_changes": d.text(&x.RestartOnSecretChanges),
		"restart_stop_signal":       d.text(&x.StopSignal),
		"child_process_stdout":      d.text(&x.Stdout),
		"child_process_stderr":      d.text(&x.Stderr),

		"enabled":       mootBut(d, d.yes, "a command that is there is run", true),
		"env":           d.one(d.execEnv),
		"kill_signal":   d.text(&x.StopSignal),
		"kill_timeout":  d.duration(&x.KillTimeout),
		"reload_signal": d.text(&x.ReloadSignal),
		"splay":         d.duration(&x.Splay),
		"timeout":       mootBut(d, d.duration, "the command may run for as long as it likes", 0),
	}
	for _, name := range []string{"on_change", "debounce", "min_interval", "window"} {
		f[name] = field{read: d.flag}
	}
	d.block("exec", n, f)
	switch r := x.RestartOnSecretChanges; {
	case !r.IsSet(), r.Value == "always", r.Value == "never":
	default:
		d.bad(n.line, "exec.restart_on_secret_changes is always or never, not %q", r.Value)
	}
}

func (d *decoder) execEnv(n node) {
	x := &d.config.Exec
	d.block("exec.env", n, fields{
		"pristine":  d.yes(&x.Pristine),
		"custom":    d.words(&x.Custom),
		"allowlist": d.words(&x.Allowlist),
		"whitelist": d.words(&x.Allowlist),
		"denylist":  d.words(&x.Denylist),
		"blacklist": d.words(&x.Denylist),
	})
}
