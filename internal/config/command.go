package config

import (
	"slices"
	"strings"
)

// commandLine is a command in a list of words, or as one text. One text with
// blanks is a line for the shell, as the agent and envconsul have it.
func (d *decoder) commandLine(to *Given[[]string]) field {
	words := d.rawWords(to)
	return field{read: func(e entry) {
		words.read(e)
		if !to.IsSet() {
			return
		}
		if len(to.Value) == 0 || strings.TrimSpace(to.Value[0]) == "" {
			d.bad(e.line, "%s is empty", e.key)
			*to = Given[[]string]{}
			return
		}
		to.Value = CommandLine(to.Value)
	}}
}

// CommandLine makes argv of a command as the agent understands it. One text with
// blanks goes to sh -c, unless it is plain words: those need no shell, and many
// images have none.
func CommandLine(command []string) []string {
	if len(command) != 1 {
		return command
	}
	words := strings.Fields(command[0])
	switch {
	case len(words) == 1:
		return words
	case isPlain(words):
		return words
	}
	return []string{"sh", "-c", command[0]}
}

// isPlain tells words that a shell would hand on as they are to a program.
func isPlain(words []string) bool {
	special := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_-+./:,@%=", c)
	}
	return !slices.ContainsFunc(words, func(w string) bool { return strings.ContainsFunc(w, special) }) &&
		!strings.Contains(words[0], "=") && !slices.Contains(shellWords, words[0])
}

// shellWords are those that only a shell understands, or understands otherwise:
// POSIX.1-2024, Shell Command Language, 2.4 and 2.15, and the regular builtins.
var shellWords = []string{
	".", ":", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "done", "elif", "else", "esac", "eval",
	"exec", "exit", "export", "fc", "fg", "fi", "for", "getopts", "hash", "if", "in", "jobs", "local", "read", "readonly",
	"return", "set", "shift", "source", "then", "times", "trap", "type", "ulimit", "umask", "unalias", "unset", "until",
	"wait", "while",
}
