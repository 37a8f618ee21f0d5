package annotations

import (
	"maps"
	"slices"
	"strings"

	"vaultexec/internal/config"
	"vaultexec/internal/nearest"
)

// single are the annotations that there is one of, but for those of plumbing.
var single = []string{
	"agent-inject-default-template", "agent-inject-token", "secret-volume-path", "preserve-secret-case",
	"template-config-exit-on-retry-failure", "template-static-secret-render-interval",
	"template-max-connections-per-host", "template-lease-renewal-threshold",

	"role", "auth-type", "auth-path", "auth-min-backoff", "auth-max-backoff", "agent-auto-auth-exit-on-err",
	"namespace", "service", "proxy-address", "tls-skip-verify", "tls-server-name", "tls-secret", "ca-cert", "ca-key",
	"client-cert", "client-key", "client-max-retries", "client-timeout", "log-level", "log-format",
	tokenVolume, "agent-revoke-on-shutdown", "agent-revoke-grace",
}

// plumbing are those about the containers that the Injector adds, of which there
// is none here.
var plumbing = []string{
	"agent-inject", "agent-inject-status", "agent-inject-containers", "agent-pre-populate", "agent-pre-populate-only",
	"agent-init-first", "agent-image", configMap, "agent-extra-secret", "agent-copy-volume-mounts",
	"agent-limits-cpu", "agent-limits-mem", "agent-limits-ephemeral",
	"agent-requests-cpu", "agent-requests-mem", "agent-requests-ephemeral", "agent-request-namespace",
	"agent-run-as-user", "agent-run-as-group", "agent-run-as-same-user", "agent-set-security-context",
	"agent-share-process-namespace", "agent-cache-enable", "agent-cache-use-auto-auth-token",
	"agent-cache-listener-port", "agent-cache-exit-on-err", "agent-enable-quit", "agent-disable-idle-connections",
	"agent-disable-keep-alives", "agent-json-patch", "agent-init-json-patch", "go-max-procs",
}

const configMap = "agent-configmap"

// families are annotations whose names go on with something of the user's.
var families = append([]string{authConfig, "agent-telemetry-"}, ofSecrets...)

// look finds the annotations that nothing comes of, and says so.
func (p *pod) look() {
	if len(p.values) == 0 {
		p.config.Notes = append(p.config.Notes, config.Note{Place: p.file, Text: "has no annotation that begins with " + prefix})
	}
	declared := p.declared()
	for _, name := range p.names() {
		switch {
		case name == configMap:
			p.note(name, "has no effect: mount the ConfigMap, and name its file with --config")
		case slices.Contains(single, name), slices.Contains(plumbing, name):
		default:
			p.lookAtFamily(name, declared)
		}
	}
}

// lookAtFamily looks at an annotation that may be of a family.
func (p *pod) lookAtFamily(name string, declared map[string]string) {
	var raws []string // what may be the secret's name
	for _, family := range families {
		rest, ok := strings.CutPrefix(name, family)
		if !ok || rest == "" {
			continue
		}
		if _, known := declared[rest]; known || slices.Contains(declaring, family) || !slices.Contains(ofSecrets, family) {
			return
		}
		raws = append(raws, rest)
	}
	if len(raws) == 0 {
		p.unknown(name)
		return
	}
	hint := ""
	if near := nearest.To(raws[0], slices.Sorted(maps.Keys(declared))); len(near) > 0 {
		hint = ", did you mean " + near[0] + "?"
	}
	p.note(name, "has no effect: there is no %s%s%s%s", prefix, secretOf, raws[0], hint)
}

// unknown is an annotation that the Injector does not have either.
func (p *pod) unknown(name string) {
	if near := nearest.To(name, slices.Concat(single, plumbing)); len(near) > 0 {
		p.note(name, "has no effect: there is no such annotation, did you mean %s%s?", prefix, near[0])
		return
	}
	for i, c := range name {
		if c != '-' {
			continue
		}
		if near := nearest.To(name[:i+1], families); len(near) > 0 && i+1 < len(name) {
			p.note(name, "has no effect: there is no such annotation, did you mean %s%s%s?", prefix, near[0], name[i+1:])
			return
		}
	}
	p.note(name, "has no effect: there is no such annotation")
}
