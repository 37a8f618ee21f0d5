package env

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"vaultexec/internal/secret"
)

// dialect is one way of writing variables for a program to read.
type dialect struct {
	name  string
	check func(name, value string) string // why it cannot hold a variable; empty: it can
	write func(name, value string) string // nil: all of them together, as a format of files
}

// anyValue holds every name and every value that is text: a refusal recommends it
// before all others.
const anyValue = "json"

// dialects have their name from --format.
var dialects = []dialect{
	{"shell", inPOSIXShell, func(n, v string) string { return "export " + n + "=" + shellQuote(v) + "\n" }},
	{"fish", inShell, func(n, v string) string { return "set -gx " + n + " " + fishQuote(v) + "\n" }},
	{"powershell", inPowerShell, func(n, v string) string { return "$Env:" + n + " = " + powerShellQuote(v) + "\n" }},
	{"dotenv", inDotenv, func(n, v string) string { quoted, _ := dotenvQuote(v); return n + "=" + quoted + "\n" }},
	{"docker", inDocker, func(n, v string) string { return n + "=" + v + "\n" }},
	{"json", isUTF8, nil},
	{"yaml", isUTF8, nil},
	{"systemd", inSystemd, func(n, v string) string { return n + "=" + systemdQuote(v) + "\n" }},
	{"github", inGitHub, githubBlock},
}

// Dialects are the names that Print knows, the default first.
func Dialects() []string {
	names := make([]string, len(dialects))
	for i, d := range dialects {
		names[i] = d.name
	}
	return names
}

// CheckDialect tells whether Print knows a name.
func CheckDialect(name string) error {
	if slices.Contains(Dialects(), name) {
		return nil
	}
	return fmt.Errorf("%q is none of %s%s", name, strings.Join(Dialects(), ", "), didYouMean(name, Dialects()))
}

// Print writes variables, NAME=value each, in a dialect of Dialects that a
// program reads back as they are. It is all of them or an error that names each
// that the dialect cannot hold.
func Print(name string, environ []string) (string, error) {
	d := dialectOf(name)
	var rep report
	var b strings.Builder
	var c content
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if why := d.check(name, value); why != "" {
			rep.addf(ClassNotRepresentable, "variable %s: %s: %s", name, why, instead(name, value))
			continue
		}
		if d.write == nil {
			c.fields = append(c.fields, named{name, name, secret.Of(value)})
			continue
		}
		b.WriteString(d.write(name, value))
	}
	if err := rep.err(); err != nil {
		return "", err
	}
	if d.write != nil {
		return b.String(), nil
	}
	f := formats[slices.IndexFunc(formats, func(f format) bool { return f.name == d.name })]
	return f.encode(c)
}

func dialectOf(name string) dialect {
	return dialects[slices.IndexFunc(dialects, func(d dialect) bool { return d.name == name })]
}

// instead is what to do with a variable that a dialect cannot hold.
func instead(name, value string) string {
	for _, other := range append([]string{anyValue}, Dialects()...) {
		if dialectOf(other).check(name, value) == "" {
			return "use --format " + other + ", or leave it out"
		}
	}
	return "no format holds it: leave it out"
}

func inShell(name, _ string) string {
	if !isPortable(name) {
		return "no shell takes that name"
	}
	return ""
}

// shellsOwn cannot be set: bash keeps them read-only and goes on with a warning
// (bash(1), Shell Variables), and zsh takes the IDs for a change of user or group
// (zshparam(1), Parameters Set By The Shell).
var shellsOwn = []string{"BASHOPTS", "BASH_VERSINFO", "EGID", "EUID", "GID", "PPID", "SHELLOPTS", "UID"}

func inPOSIXShell(name, value string) string {
	if slices.Contains(shellsOwn, name) {
		return "bash or zsh keeps that name for itself, and does not let it be set"
	}
	return inShell(name, value)
}

func shellQuote(v string) string { return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'" }

// shellWord is a variable's name as a shell takes it for a word: any can be inherited.
func shellWord(name string) string {
	if name == portable(name) {
		return name
	}
	return shellQuote(name)
}

// fishQuote: between single quotes fish knows \' and \\ and nothing else (fish
// documentation, "Quotes").
func fishQuote(v string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v) + "'"
}

// inPowerShell: it gets the lines of a program's output, not the text, and a
// carriage return ends one.
func inPowerShell(name, value string) string {
	switch {
	case !isPortable(name):
		return "it takes another form of name in PowerShell"
	case value == "":
		return "it is empty, and PowerShell removes a variable that is set to nothing"
	case strings.Contains(value, "\r"):
		return "it has a carriage return in it, which PowerShell takes for the end of a line"
	case !utf8.ValidString(value):
		return "it is not UTF-8"
	}
	return ""
}

// powerShellQuote doubles what ends a verbatim string; typographic quotes do
// too (PowerShell language specification, 2.3.5.2.1).
func powerShellQuote(v string) string {
	var b strings.Builder
	b.WriteString("'")
	for _, r := range v {
		if strings.ContainsRune("'\u2018\u2019\u201a\u201b", r) {
			b.WriteRune(r)
		}
		b.WriteRune(r)
	}
	return b.String() + "'"
}

func inDotenv(name, value string) string {
	_, ok := dotenvQuote(value)
	switch {
	case !isPortable(name):
		return "no dotenv file takes that name"
	case !ok:
		return "it has characters that the readers of dotenv files do not agree on"
	}
	return ""
}

// maxDockerLine is what the scanner of `docker run --env-file` takes.
const maxDockerLine = 64 << 10

func inDocker(name, value string) string {
	switch {
	case strings.ContainsAny(value, "\n\r"):
		return "it has a line break in it, which docker's --env-file cannot hold"
	case !isPortable(name):
		return "docker's --env-file does not take that name"
	case !utf8.ValidString(value):
		return "it is not UTF-8"
	case len(name)+1+len(value) >= maxDockerLine:
		return fmt.Sprintf("it is longer than the %d bytes that docker's --env-file takes in a line", maxDockerLine)
	}
	return ""
}

func isUTF8(name, value string) string {
	if !utf8.ValidString(name) || !utf8.ValidString(value) {
		return "it is not UTF-8"
	}
	return ""
}

// inSystemd: what EnvironmentFile= drops with a warning (systemd.exec(5)), and
// what it does not take for UTF-8, and refuses the whole file for.
func inSystemd(name, value string) string {
	switch {
	case !isPortable(name):
		return "systemd does not take that name"
	case !utf8.ValidString(value) || strings.ContainsFunc(value, isNoncharacter):
		return "it is not UTF-8, or has a code point in it that stands for no character"
	case strings.ContainsFunc(value, isUnsettled):
		return "it has a control character in it, which systemd does not take"
	}
	return ""
}

// isNoncharacter are the 66 code points that never will be one (Unicode, 23.7).
func isNoncharacter(r rune) bool { return r&0xfffe == 0xfffe || 0xfdd0 <= r && r <= 0xfdef }

// systemdQuote: between double quotes a backslash makes these four themselves,
// and a line break is one (systemd.exec(5), EnvironmentFile=).
func systemdQuote(v string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", "$", `\$`).Replace(v) + `"`
}

// inGitHub: what a runner refuses in the file of GITHUB_ENV, or reads
// differently (GitHub Actions, "Workflow commands").
func inGitHub(name, value string) string {
	switch {
	case strings.EqualFold(name, "NODE_OPTIONS") || strings.HasPrefix(name, "GITHUB_") || strings.HasPrefix(name, "RUNNER_"):
		return "a runner does not let GITHUB_ENV set it"
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r == '<' }),
		!utf8.ValidString(name), strings.HasPrefix(name, "\ufeff"): // a byte order mark, were it the first line
		return "a runner does not take that name"
	case !utf8.ValidString(value):
		return "it is not UTF-8"
	case strings.Contains(value, "\r"):
		return "it has a carriage return in it, which a runner drops"
	}
	return ""
}

// githubBlock ends a value with a line that is not in it.
func githubBlock(name, value string) string {
	end := "end_" + rand.Text()
	for strings.Contains(value, end) {
		end = "end_" + rand.Text()
	}
	return name + "<<" + end + "\n" + value + "\n" + end + "\n"
}

// Made are the variables of a plan that are not simply inherited: those that a
// secret or a reference makes, or changes.
func (p *Planner) Made(plan Plan) []string {
	return slices.DeleteFunc(slices.Clone(plan.Environ), func(entry string) bool {
		name, value, _ := strings.Cut(entry, "=")
		inherited, ok := p.inherited.literals[name]
		return ok && inherited == value
	})
}
