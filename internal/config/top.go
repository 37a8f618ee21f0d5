package config

import (
	"strings"
	"time"
)

// top reads a whole file. A key that is called as one of vaultexec's flags, with
// _ for -, is that setting, unless the agent or envconsul has something under the
// same name.
func (d *decoder) top(root node) {
	blocks := d.topFields()
	known := fields{}
	for name := range d.flags {
		known[name] = field{read: d.flag}
	}
	for name, f := range blocks {
		setting, both := known[name]
		known[name] = f
		if both && f.block {
			known[name] = field{many: true, read: func(e entry) {
				if len(e.labels) > 0 || e.value.blocks() {
					f.read(e)
				} else {
					setting.read(e)
				}
			}}
		}
	}
	d.block("", root, known)
}

func (d *decoder) topFields() fields {
	c := d.config
	f := fields{
		"vault":           d.one(d.vault),
		"auto_auth":       d.one(d.autoAuth),
		"template_config": d.one(d.templateConfig),
		"template":        d.labelled(isTemplateKey, d.template),
		"env_template":    d.labelled(isTemplateKey, d.envTemplate),
		"exec":            d.one(d.exec),
		"secret":          d.labelled(isSecretKey, d.secret),
		"exit_after_auth": d.yes(&c.ExitAfterAuth),
		"log_level":       d.text(&c.LogLevel),
		"log_format":      d.text(&c.LogFormat),
		"pid_file":        d.text(&c.PIDFile),

		"listener":  d.moot("vaultexec serves no Vault API; an application that asked the agent's address has to be given a token or its secrets"),
		"api_proxy": d.moot("vaultexec serves no Vault API; an application that asked the agent's address has to be given a token or its secrets"),
		"cache":     d.moot("vaultexec is one process that keeps its leases itself"),
		"telemetry": d.moot("--listen serves Prometheus metrics"),
		"log_file":  d.moot("vaultexec logs to standard error"),
		"syslog":    d.moot("vaultexec logs to standard error"),

		"log_rotate_bytes":         d.moot("vaultexec logs to standard error"),
		"log_rotate_duration":      d.moot("vaultexec logs to standard error"),
		"log_rotate_max_files":     d.moot("vaultexec logs to standard error"),
		"disable_idle_connections": d.mootUnlessEmpty("vaultexec keeps the connections that it has to Vault"),
		"disable_keep_alives":      d.mootUnlessEmpty("vaultexec keeps the connections that it has to Vault"),
		"disable_mlock":            d.covered(), // the agent locks no memory either
	}
	d.envconsul(f)
	return f
}

// envconsul adds what only envconsul's files have.
func (d *decoder) envconsul(f fields) {
	c := d.config
	noConsul := "is about Consul, and vaultexec reads Vault only: remove it, and keep what it gave as ordinary variables or in Vault"
	f["consul"] = d.refused(noConsul)
	f["prefix"] = d.refused(noConsul)
	f["service"] = d.refused(noConsul)
	f["max_stale"] = d.moot("it is about Consul")
	f["upcase"] = d.yes(&c.Upcase)
	f["sanitize"] = d.yes(&c.Sanitize)
	f["kill_signal"] = d.moot("TERM stops vaultexec, and other signals are the command's; exec.kill_signal is what the command gets")
	f["reload_signal"] = d.moot("vaultexec does not read its configuration again; exec.reload_signal tells the command of a change")
	f["wait"] = d.wait("wait", &c.Wait)
}

// wait reads how long it has to be quiet before something is done: a block, or
// "min:max" as in consul-template's flag.
func (d *decoder) wait(in string, to *Given[time.Duration]) field {
	return field{read: func(e entry) {
		if e.value.kind != objectKind && !e.value.blocks() {
			low, high, both := strings.Cut(e.value.text, ":")
			e.value.text = low
			d.duration(to).read(e)
			if both {
				e.key, e.value.text = "max", high
				d.longest(in, []entry{e}, to.Value)
			}
			return
		}
		d.one(func(n node) {
			var most []entry
			d.block(in, n, fields{
				"min":     d.duration(to),
				"max":     {read: func(e entry) { most = append(most, e) }}, // min may stand behind it
				"enabled": mootBut(d, d.yes, "min is what there is to be waited for, and without it wait says nothing", true),
			})
			d.longest(in, most, to.Value)
		}).read(e)
	}}
}

// longest reads for how long changes are waited for that do not come to an end.
// Nothing need be said of consul-template's default, and of what vaultexec does.
func (d *decoder) longest(in string, entries []entry, quiet time.Duration) {
	const why = "changes that keep coming are waited for five times as long as min, and a minute at most"
	d.block(in, node{entries: entries}, fields{"max": mootBut(d, d.duration, why, 4*quiet, 5*quiet)})
}
