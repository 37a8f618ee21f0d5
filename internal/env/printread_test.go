package env

import (
	"bufio"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// The formats that no program here reads are read back by readers of our own,
// one for each, that follow its published rules and know nothing of the writer.
var otherReaders = map[string]func(text string) (map[string]string, error){
	"powershell": readPowerShell,
	"docker":     readDocker,
	"systemd":    readSystemd,
	"github":     readGitHub,
}

// readPowerShell executes assignments of verbatim strings (PowerShell language
// specification, 2.3.5.2.1): any of five characters is a single quote, two of
// them are the second one. What a pipeline gets of a program are its lines, and
// a carriage return ends one too; Out-String puts them together again.
func readPowerShell(text string) (map[string]string, error) {
	isQuote := func(r rune) bool { return strings.ContainsRune("'\u2018\u2019\u201a\u201b", r) }
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8")
	}
	rest := []rune(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text))
	begin := regexp.MustCompile(`^\$Env:([A-Za-z_][A-Za-z0-9_]*) = `)
	variables := map[string]string{}
	for len(rest) > 0 {
		m := begin.FindStringSubmatch(string(rest))
		if m == nil {
			return nil, fmt.Errorf("no assignment: %q", string(rest))
		}
		rest = rest[len(m[0]):]
		if len(rest) == 0 || !isQuote(rest[0]) {
			return nil, errors.New("no string")
		}
		var value []rune
		i := 1
		for ; ; i++ {
			if i >= len(rest) {
				return nil, errors.New("a string without an end")
			}
			if isQuote(rest[i]) {
				if i++; i >= len(rest) || !isQuote(rest[i]) {
					break
				}
			}
			value = append(value, rest[i])
		}
		if i >= len(rest) || rest[i] != '\n' {
			return nil, errors.New("something behind a string")
		}
		rest = rest[i+1:]
		if len(value) > 0 { // $Env:A = '' removes it (about_Environment_Variables)
			variables[m[1]] = string(value)
		}
	}
	return variables, nil
}

// readDocker reads lines of NAME=value, in which nothing is quoted (docker run,
// "Set environment variables"). The scanner of docker's command line gives lines
// of up to 64 KiB, without the carriage return at their end, and drops blanks
// before a name and a byte order mark before the first.
func readDocker(text string) (map[string]string, error) {
	variables := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	for lines.Scan() {
		line := strings.TrimLeftFunc(lines.Text(), unicode.IsSpace)
		name, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case !utf8.ValidString(line):
			return nil, errors.New("not UTF-8")
		case !ok || name == "" || strings.ContainsAny(name, " \t"):
			return nil, fmt.Errorf("no variable: %q", line)
		default:
			variables[name] = value
		}
	}
	return variables, lines.Err()
}

// readSystemd reads as EnvironmentFile= is documented to (systemd.exec(5)):
// comments and empty lines go, a value is in parts that are bare, in single or in
// double quotes, where $ means nothing. The service is not started when a file is
// not UTF-8, for which noncharacters do not count either (systemd's
// unichar_is_valid); a variable with another control character than tab and line
// feed is dropped.
func readSystemd(text string) (map[string]string, error) {
	noncharacter := func(r rune) bool { return r >= 0xfdd0 && r <= 0xfdef || r&0xfffe == 0xfffe }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, noncharacter) {
		return nil, errors.New("not UTF-8")
	}
	variables := map[string]string{}
	for text != "" {
		text = strings.TrimLeft(text, " \t\r\n")
		if text == "" || text[0] == '#' || text[0] == ';' {
			_, text, _ = strings.Cut(text, "\n")
			continue
		}
		name, rest, ok := strings.Cut(text, "=")
		if !ok || strings.Contains(name, "\n") {
			return nil, errors.New("a line without a value")
		}
		value, behind := systemdValue(rest)
		text = behind
		name = strings.TrimRight(name, " \t\r")
		valid := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(name)
		if valid && !strings.ContainsFunc(value, func(r rune) bool { return (r < ' ' || r == 0x7f) && r != '\t' && r != '\n' }) {
			variables[name] = value
		}
	}
	return variables, nil
}

// systemdValue reads a value up to the end of its line.
func systemdValue(text string) (value, rest string) {
	var b strings.Builder
	quote, bare := byte(0), 0 // bare: the length up to which blanks stay
	text = strings.TrimLeft(text, " \t\r")
	for i := 0; i < len(text); i++ {
		c := text[i]
		escaped := c == '\\' && quote != '\'' && i+1 < len(text)
		switch {
		case quote == 0 && (c == '\n' || c == '\r'):
			return b.String()[:bare], text[i+1:]
		case escaped && text[i+1] == '\n': // a line that goes on
			i++
			continue
		case escaped && (quote == 0 || strings.IndexByte("\"\\`$", text[i+1]) >= 0):
			i++
			b.WriteByte(text[i])
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		default:
			b.WriteByte(c)
			if quote == 0 && (c == ' ' || c == '\t') {
				continue
			}
		}
		bare = b.Len()
	}
	return b.String()[:bare], ""
}

// readGitHub reads as a runner does (GitHub Actions, "Workflow commands",
// multiline strings): text as .NET has it, a name, << and a delimiter, then the
// lines up to one that is the delimiter. On Windows a carriage return belongs to
// the end of a line.
func readGitHub(text string) (map[string]string, error) {
	variables := map[string]string{}
	text = strings.TrimPrefix(text, "\ufeff")
	text = string(utf16.Decode(utf16.Encode([]rune(text)))) // what is not UTF-8 is replaced
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if lines[len(lines)-1] != "" {
		return nil, errors.New("the last line has no end")
	}
	for i := 0; i < len(lines)-1; i++ {
		equals, heredoc := strings.Index(lines[i], "="), strings.Index(lines[i], "<<")
		if lines[i] == "" {
			continue
		}
		if heredoc <= 0 || equals >= 0 && equals < heredoc {
			return nil, fmt.Errorf("no name and delimiter: %q", lines[i])
		}
		name, end := lines[i][:heredoc], lines[i][heredoc+2:]
		var value []string
		for i++; i < len(lines) && lines[i] != end; i++ {
			value = append(value, lines[i])
		}
		if i == len(lines) {
			return nil, errors.New("the delimiter does not come")
		}
		if strings.EqualFold(name, "NODE_OPTIONS") || strings.HasPrefix(name, "GITHUB_") || strings.HasPrefix(name, "RUNNER_") {
			continue // a runner does not take it over
		}
		variables[name] = strings.Join(value, "\n")
	}
	return variables, nil
}

// hostileValues are what readers of other formats may take for something else.
var hostileValues = append([]string{"\u2018\u2019\u201a\u201b", "'\u2019", "\u201cx\u201d", "`n$(x)", "' + (x) + '", "\r", "a\rb", "\ufeffa", "\ufffe", "\ufdd0", "\ufffd", "\U0001ffff",
	"\u0085", "\u2028", " a ", "\ta\t", "# a", ";a", "a\n#b=c\nd", "\n\n", `\n`, `"`, `"a"`, `\"`, "a\\", "A<<B\nx\nB", "B", "end_", strings.Repeat("x", 70<<10)}, shellSeeds...)

// Any environment comes back as it was, or is refused: the error names each
// variable, and a format that holds it where there is one.
func FuzzPrintOthers(f *testing.F) {
	for i, value := range hostileValues {
		f.Add("V", value, "W", hostileValues[len(hostileValues)-1-i])
	}
	for _, name := range []string{"a.b", "a-b", "1A", "é", "\xff", "\ufeffA", "\u00a0A", "A<<B", "#A", ";A", "export", "NODE_OPTIONS", "node_options", "GITHUB_ENV", "RUNNER_OS", "$A", "A'"} {
		f.Add(name, "x", "W", "y")
		f.Add(name, "x\xff", "W", "\r")
	}
	f.Fuzz(func(t *testing.T, name, value, other, second string) {
		if name == other || checkName(name) != nil || checkName(other) != nil || strings.Contains(name+value+other+second, "\x00") {
			return // no environment has it
		}
		want := map[string]string{name: value, other: second}
		for format, read := range otherReaders {
			text, err := Print(format, []string{name + "=" + value, other + "=" + second})
			if err != nil {
				checkRefusal(t, format, want, text, err)
				continue
			}
			got, err := read(text)
			if err != nil || len(got) != len(want) || got[name] != value || got[other] != second {
				t.Errorf("%s: %q became %q, which is %q, %v", format, want, text, got, err)
			}
		}
	})
}

// checkRefusal checks an error of Print: nothing is written, and each line is of a
// variable that the format alone would refuse too, with one that takes it.
func checkRefusal(t *testing.T, format string, environ map[string]string, text string, err error) {
	t.Helper()
	for name, value := range environ {
		entry := []string{name + "=" + value}
		_, alone := Print(format, entry)
		if alone == nil {
			continue
		}
		if text != "" || !strings.Contains(err.Error(), alone.Error()) || !strings.HasPrefix(alone.Error(), "variable "+name+": ") {
			t.Errorf("%s: %q is refused with %v and %q", format, name, err, text)
		}
		_, hint, found := strings.Cut(alone.Error(), "use --format ")
		instead, _, _ := strings.Cut(hint, ",")
		for _, d := range dialects {
			_, err := Print(d.name, entry)
			if d.name == instead && err != nil || !found && err == nil {
				t.Errorf("%s: %v; but %s: %v", format, alone, d.name, err)
			}
		}
	}
}
