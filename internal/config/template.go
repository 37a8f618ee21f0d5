package config

import (
	"slices"
	"time"
)

func (d *decoder) templateConfig(n node) {
	t := &d.config.TemplateConfig
	t.Place = place(d.file, n.line)
	d.block("template_config", n, fields{
		"static_secret_render_interval": d.duration(&t.Refresh),
		"max_connections_per_host":      d.number(&t.MaxConn),
		"exit_on_retry_failure":         d.yes(&t.ExitOnFailure),
		"lease_renewal_threshold":       d.threshold(),
	})
}

// threshold is the share of a lease after which the agent replaces it. Here it is
// two thirds, so that the command has time to move before the old one ends.
func (d *decoder) threshold() field {
	return mootBut(d, d.float, "vaultexec has its own time at which a lease is renewed or replaced", 0.9)
}

// onlyFiles are the keys of a template that a variable has no use for.
var onlyFiles = []string{"destination", "create_dest_dirs", "backup", "perms", "user", "uid", "group", "gid",
	"command", "command_timeout", "exec", "wait", "sandbox_path"}

func isTemplateKey(key string) bool {
	return slices.Contains(onlyFiles, key) || slices.Contains([]string{"source", "contents", "left_delimiter", "right_delimiter",
		"error_on_missing_key", "error_fatal", "function_denylist", "function_blacklist", "on_change"}, key)
}

// template reads a template block, one file.
func (d *decoder) template(label string, n node) {
	t := Template{Place: place(d.file, n.line)}
	f := d.common(&t)
	d.files(&t, f)
	d.block("template", n, f)
	if label != "" {
		d.bad(n.line, "template takes no label: a variable is an env_template \"NAME\" { ... }")
	}
	if !t.Destination.IsSet() || t.Destination.Value == "" {
		d.bad(n.line, "template has no destination: write destination = \"FILE\"")
	}
	d.checkTemplate("template", n, &t)
	d.config.Templates = append(d.config.Templates, t)
}

// envTemplate reads an env_template block, one variable.
func (d *decoder) envTemplate(label string, n node) {
	t := Template{Place: place(d.file, n.line), Name: label}
	f := d.common(&t)
	for _, key := range onlyFiles {
		f[key] = d.refused("is about files, and an env_template makes a variable: remove it, or make this a template")
	}
	d.block("env_template", n, f)
	if label == "" {
		d.bad(n.line, "env_template has no name: write env_template \"NAME\" { ... }")
	}
	d.checkTemplate("env_template", n, &t)
	d.config.EnvTemplates = append(d.config.EnvTemplates, t)
}

// common are the keys that make the text.
func (d *decoder) common(t *Template) fields {
	denylist := field{read: func(e entry) {
		var list Given[[]string]
		d.words(&list).read(e)
		t.FunctionDenylist = append(t.FunctionDenylist, list.Value...)
	}}
	return fields{
		"source":               d.text(&t.Source),
		"contents":             d.raw(&t.Contents),
		"left_delimiter":       d.raw(&t.LeftDelimiter),
		"right_delimiter":      d.raw(&t.RightDelimiter),
		"error_on_missing_key": d.yes(&t.ErrorOnMissingKey),
		"error_fatal":          mootBut(d, d.yes, "the command starts with all that is asked for, or not at all, and keeps what it has later", true),
		"function_denylist":    denylist,
		"function_blacklist":   denylist,
		"on_change":            d.text(&t.OnChange),
	}
}

// files are the keys that make the file.
func (d *decoder) files(t *Template, f fields) {
	f["destination"] = d.text(&t.Destination)
	f["create_dest_dirs"] = d.yes(&t.CreateDestDirs)
	f["backup"] = d.yes(&t.Backup)
	f["perms"] = d.mode(&t.Perms)
	f["user"] = d.text(&t.User)
	f["uid"] = d.text(&t.User)
	f["group"] = d.text(&t.Group)
	f["gid"] = d.text(&t.Group)
	f["command"] = d.commandLine(&t.Command)
	f["command_timeout"] = d.duration(&t.CommandTimeout)
	f["exec"] = d.one(func(n node) {
		d.block("template.exec", n, fields{
			"command": d.commandLine(&t.Command),
			"timeout": d.duration(&t.CommandTimeout),
			"enabled": mootBut(d, d.yes, "a command that is there is run", true),
		})
	})
	f["wait"] = d.wait("template.wait", &t.Wait)
	f["sandbox_path"] = d.text(&t.SandboxPath)
}

func (d *decoder) checkTemplate(what string, n node, t *Template) {
	switch source, contents := t.Source.Value != "", t.Contents.IsSet(); {
	case source && contents && t.Contents.Value != "":
		d.bad(n.line, "%s has source and contents: remove one", what)
	case !source && !contents:
		d.bad(n.line, "%s has neither source nor contents: add one", what)
	}
	if t.OnChange.IsSet() && t.Command.IsSet() {
		d.bad(n.line, "%s has on_change and a command, which is run when it changes: remove one", what)
	}
	if t.CommandTimeout.IsSet() && t.CommandTimeout.Value == 0 {
		t.CommandTimeout = Given[time.Duration]{}
	}
}
