package annotations

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"vaultexec/internal/config"
)

// What the Injector renders where an annotation names a secret and no template.
// The path goes into them as it is.
const (
	mapTemplate  = `{{ with secret "%s" }}{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}` + "\n{{ end }}{{ end }}"
	jsonTemplate = `{{ with secret "%s" }}{{ .Data | toJSON }}` + "\n{{ end }}"
)

// Annotations of one secret; its name comes behind.
const (
	secretOf       = "agent-inject-secret-"
	templateFileOf = "agent-inject-template-file-"
	templateOf     = "agent-inject-template-"
	fileOf         = "agent-inject-file-"
	permsOf        = "agent-inject-perms-"
	commandOf      = "agent-inject-command-"
	leftDelimOf    = "agent-template-left-delim-"
	rightDelimOf   = "agent-template-right-delim-"
	missingKeyOf   = "error-on-missing-key-"
	volumeOf       = "secret-volume-path-"
	preserveCaseOf = "preserve-secret-case-"
)

// declaring are those that make a secret, in the Injector's order: what begins as
// the second is never read as the third.
var declaring = []string{secretOf, templateFileOf, templateOf}

// ofSecrets are all of them.
var ofSecrets = append([]string{fileOf, permsOf, commandOf, leftDelimOf, rightDelimOf, missingKeyOf, volumeOf, preserveCaseOf}, declaring...)

// declared maps the names of the secrets, as they are written -> the annotation
// that makes each. A blank value makes none.
func (p *pod) declared() map[string]string {
	found := map[string]string{}
	for _, name := range p.names() {
		if strings.TrimSpace(p.values[name]) == "" {
			continue
		}
		i := slices.IndexFunc(declaring, func(family string) bool { return strings.HasPrefix(name, family) })
		if i < 0 {
			continue
		}
		raw := strings.TrimPrefix(name, declaring[i])
		if _, twice := found[raw]; raw != "" && !twice {
			found[raw] = name
		}
	}
	return found
}

// volume is the directory of the files.
func (p *pod) volume() string {
	if dir, given := p.values["secret-volume-path"]; given {
		return dir
	}
	return "/vault/secrets"
}

// templates makes a template of each secret.
func (p *pod) templates() {
	content := p.defaultTemplate()
	p.yes("preserve-secret-case")
	declared := p.declared()
	for _, raw := range slices.Sorted(maps.Keys(declared)) {
		p.config.Templates = append(p.config.Templates, p.template(raw, declared[raw], content))
	}
}

func (p *pod) defaultTemplate() string {
	const name = "agent-inject-default-template"
	kind, given := p.values[name]
	switch kind = strings.ToLower(kind); {
	case kind == "json":
		return jsonTemplate
	case kind != "map" && given:
		p.bad(p.lines[name], "%s%s is map or json", prefix, name)
	}
	return mapTemplate
}

// template is one secret: raw is its name as it is written, by the annotation
// that makes it, content the default template.
func (p *pod) template(raw, by, content string) config.Template {
	at := place(by)
	t := config.Template{
		Place:             at,
		Contents:          config.Given[string]{Value: p.values[templateOf+raw], Place: at},
		Destination:       config.Given[string]{Value: p.destination(raw), Place: at},
		LeftDelimiter:     p.text(leftDelimOf + raw),
		RightDelimiter:    p.text(rightDelimOf + raw),
		ErrorOnMissingKey: p.yes(missingKeyOf + raw),
		Perms:             p.perms(permsOf + raw),
	}
	if t.Contents.Value == "" {
		t.Source = p.text(templateFileOf + raw)
	}
	if t.Contents.Value == "" && !t.Source.IsSet() {
		t.Contents.Value = fmt.Sprintf(content, p.values[secretOf+raw])
	}
	if command := p.text(commandOf + raw); strings.TrimSpace(command.Value) != "" {
		t.Command = config.Given[[]string]{Value: config.CommandLine([]string{command.Value}), Place: command.Place}
	}
	return t
}

// destination is the file of a secret: its name in lower case, or what another
// annotation says.
func (p *pod) destination(raw string) string {
	dir, own := p.values[volumeOf+raw]
	if !own {
		dir = p.volume()
	}
	if file := p.values[fileOf+raw]; file != "" {
		return filepath.Join(dir, file)
	}
	preserve := p.yes(preserveCaseOf + raw)
	if _, own := p.values[preserveCaseOf+raw]; !own {
		preserve.Value, _ = config.ParseBool(p.values["preserve-secret-case"])
	}
	if !preserve.Value {
		raw = strings.ToLower(raw)
	}
	return dir + "/" + raw
}

// perms is the mode of a file. The agent takes special bits too, and writes the file
// without them.
func (p *pod) perms(name string) config.Given[fs.FileMode] {
	mode := parsed(p, name, parseMode)
	if mode.Value > fs.ModePerm {
		p.note(name, "gives its file no special bits (setuid, setgid, sticky): only the last three digits count")
		mode.Value &= fs.ModePerm
	}
	return mode
}

func parseMode(text string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(text, 8, 12)     // permissions and special bits
	if err != nil || n > 0o777 && n&0o777 == 0 { // 0 would be the default, which lets more in
		return 0, errors.New(`is not permissions: write them as "0640"`)
	}
	return fs.FileMode(n), nil
}
