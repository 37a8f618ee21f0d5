package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"vaultexec/internal/settings"
)

const helpHead = `vaultexec runs a command with secrets from HashiCorp Vault or OpenBao.

Usage:
  vaultexec [flags] -- COMMAND [ARG...]     (long name: vaultexec run)
  vaultexec env [flags] [--format FORMAT]   print the variables
  vaultexec render [flags]                  write the files, and end
  vaultexec check [flags] [--json]          prove that all references resolve
  vaultexec explain [flags] [NAME]          say where everything comes from
  vaultexec doctor [flags] [--json]         find what is wrong and what mends it
  vaultexec install DIR                     copy this binary to DIR/vaultexec
  vaultexec completion SHELL                for bash, zsh, fish or powershell
  vaultexec version [--json]

COMMAND and its arguments pass through byte for byte; no shell is involved.

Examples:
  # In a container: log in with the pod's service account, one variable for
  # each key of a secret, and be a correct PID 1 in front of the application
  vaultexec --role app --secret internal/database/config -- /app/server

  # In a manifest: a variable whose value is a reference gets the secret
  export PGPASSWORD='vault:internal/database/config#password'
  vaultexec --role app -- psql

  # On a laptop: with the token of 'vault login', names of your own choice
  vaultexec --env PGPASSWORD=kv/dev/db#password -- psql -h localhost

  # A file, read only by its owner; when it changes, nginx is told
  vaultexec --on-change signal:HUP \
    --file /run/secrets/tls.key=kv/web/tls#key -- nginx -g 'daemon off;'

A reference (REF):
  [vault:]PATH[?PARAM=VALUE&...][#KEY[#VERSION]]

  PATH is what 'vault kv get' takes, on KV version 1 and 2 alike, or any path
  that is read; >>PATH#KEY#{JSON} writes and takes the answer. Without #KEY it
  is the whole secret, and PATH/* is every secret below PATH. Parameters:
  version, optional, default, namespace, refresh, on_change; of a whole secret
  prefix, case, only, except; of PATH/* names; of a file format, mode, owner.
  The PATH of --from is a file or a directory, and takes optional, refresh,
  on_change, prefix, case, only, except, and format: export, dotenv, map, json,
  yaml, properties or raw, where name and content would tell something else.
`

const helpTail = `
Each flag has the environment variable named with it; lists there are
separated by commas or line breaks. A flag wins over its variable, that over
--annotations, and those over a file of --config, which may have the command,
too. The standard VAULT_* variables (VAULT_ADDR, VAULT_CACERT, VAULT_TOKEN, ...)
mean what they mean for the vault command, and are kept from COMMAND.

Exit status:
  the command's own, 128+n if signal n ended it, or
  125  vaultexec failed, COMMAND was not started: the class and the reason are
       on standard error and in the termination log
  126  COMMAND cannot be executed
  127  COMMAND is not found
  2    of check, explain and doctor: Vault could not be asked
  3    of check, explain and doctor: something is missing or to be mended
  137  how COMMAND ended cannot be known
`

// printHelp writes the whole manual: usage, examples, flags by group with
// their environment names, exit statuses.
func printHelp(w io.Writer, groups []settings.Group) {
	fmt.Fprint(w, helpHead)
	for _, g := range groups {
		fmt.Fprintf(w, "\n%s:\n", g.Title)
		g.Flags.VisitAll(func(f *pflag.Flag) { printFlag(w, f) })
	}
	fmt.Fprint(w, helpTail)
}

// printFlag writes a flag, its meaning, and its environment name below it.
func printFlag(w io.Writer, f *pflag.Flag) {
	const indent, width = 31, 80
	head := "  --" + f.Name
	if f.Value.Type() != "bool" {
		head += " " + f.Value.Type()
	}
	text := f.Usage
	if f.DefValue != "" && f.DefValue != "false" {
		text += " (default " + f.DefValue + ")"
	}
	for _, line := range append(wrap(text, width-indent), settings.EnvName(f.Name)) {
		fmt.Fprintf(w, "%-*s%s\n", indent, head, line)
		head = ""
	}
}

// wrap breaks text into lines of at most width bytes, between words.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
