package config

import (
	"maps"
	"slices"
	"strings"
	"time"
)

func (d *decoder) autoAuth(n node) {
	a := &d.config.AutoAuth
	a.Place = place(d.file, n.line)
	methods := 0
	d.block("auto_auth", n, fields{
		"method": d.labelled(isMethodKey, func(label string, n node) {
			if methods++; methods > 1 {
				d.bad(n.line, "auto_auth.method is there already, in %s: remove one", a.Method.Place)
				return
			}
			d.method(label, n)
		}),
		"sink":                             d.labelled(isSinkKey, d.sink),
		"sinks":                            d.labelled(isSinkKey, d.sink),
		"enable_reauth_on_new_credentials": mootBut(d, d.yes, "the next login is made with what the files hold by then", false),
	})
	if methods == 0 {
		d.bad(n.line, "auto_auth has no method: add method \"kubernetes\" { ... }, or remove auto_auth")
	}
}

// wrapTTL refuses to wrap the token of a sink. 0 is not set.
func (d *decoder) wrapTTL() field {
	return field{read: func(e entry) {
		var ttl Given[time.Duration]
		d.duration(&ttl).read(e)
		if ttl.Value > 0 {
			d.bad(e.line, "wrap_ttl asks for a wrapped token, which vaultexec does not write: remove it, and protect the sink's file with its mode")
		}
	}}
}

func isMethodKey(key string) bool {
	return slices.Contains([]string{"type", "mount_path", "wrap_ttl", "min_backoff", "max_backoff", "namespace", "exit_on_err", "config"}, key)
}

// kind settles the type of a method or sink, which may stand in its label.
func (d *decoder) kind(what, label string, given Given[string], n node) string {
	if !given.IsSet() || given.Value == "" {
		given.Value = label
	}
	if given.Value == "" {
		d.bad(n.line, "%s has no type: write %s \"TYPE\" { ... }", what, what)
	}
	return strings.ToLower(given.Value)
}

// ownWaits is why the agent's are of no use: they are minutes long before a start
// that has to be done within --startup-timeout.
const ownWaits = "vaultexec has its own waits between logins"

func (d *decoder) method(label string, n node) {
	m := &d.config.AutoAuth.Method
	m.Place = place(d.file, n.line)
	var kind Given[string]
	d.block("auto_auth.method", n, fields{
		"type":        d.text(&kind),
		"mount_path":  d.text(&m.MountPath),
		"wrap_ttl":    d.wrapTTL(),
		"min_backoff": mootBut(d, d.duration, ownWaits, 0, time.Second),
		"max_backoff": mootBut(d, d.duration, ownWaits, 0, 5*time.Minute),
		"namespace":   d.text(&m.Namespace),
		"exit_on_err": mootBut(d, d.yes, "a login that is refused ends the start, and never a running command", false),
		"config":      d.one(func(n node) { m.Config = d.params(n) }),
	})
	m.Type = d.kind("auto_auth.method", label, kind, n)
}

// params reads the parameters of a method, whatever they are: whoever knows the
// method checks their names.
func (d *decoder) params(n node) map[string]Given[string] {
	params := map[string]Given[string]{}
	known := fields{}
	for _, e := range n.entries {
		known[e.key] = field{read: func(e entry) {
			var v Given[string]
			d.text(&v).read(e)
			params[e.key] = v
		}}
	}
	d.block("config", n, known)
	return params
}

func isSinkKey(key string) bool { return slices.Contains(sinkKeys, key) }

var sinkKeys = []string{"type", "wrap_ttl", "dh_type", "dh_path", "derive_key", "aad", "aad_env_var", "config"}

func (d *decoder) sink(label string, n node) {
	s := Sink{Place: place(d.file, n.line)}
	var kind Given[string]
	told := false
	encrypted := field{read: func(e entry) {
		if !told {
			d.bad(e.line, "%s asks for an encrypted token, which vaultexec does not write: remove it, and protect the file with its mode", e.key)
		}
		told = true
	}}
	d.block("auto_auth.sink", n, fields{
		"type":        d.text(&kind),
		"wrap_ttl":    d.wrapTTL(),
		"dh_type":     encrypted,
		"dh_path":     encrypted,
		"derive_key":  encrypted,
		"aad":         encrypted,
		"aad_env_var": encrypted,
		"config": d.one(func(n node) {
			d.block("auto_auth.sink.config", n, fields{
				"path":  d.text(&s.Path),
				"mode":  d.mode(&s.Mode),
				"owner": d.number(&s.Owner),
				"group": d.number(&s.Group),
			})
		}),
	})
	switch d.kind("auto_auth.sink", label, kind, n) {
	case "file":
		if s.Path.Value == "" {
			d.bad(n.line, "auto_auth.sink has no path: write config = { path = \"FILE\" }")
		}
		d.config.AutoAuth.Sinks = append(d.config.AutoAuth.Sinks, s)
	case "":
	default:
		d.bad(n.line, "auto_auth.sink is a file, there is no other kind: write sink \"file\" { ... }")
	}
}

// Params are the names of the parameters of a method, sorted.
func (m Method) Params() []string { return slices.Sorted(maps.Keys(m.Config)) }
