package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vaultexec/internal/settings"
)

// manCommand prints the manual page that packages install. It is the help in
// another form, so that neither can say what the other does not. cobra's own
// generator would make a page for each verb out of texts that the help does not
// have, and bring two Markdown libraries along.
func manCommand(groups []settings.Group) *cobra.Command {
	return &cobra.Command{Use: "man", Short: "print the manual page", Hidden: true, Args: noWords, RunE: func(cmd *cobra.Command, _ []string) error {
		_, err := io.WriteString(cmd.OutOrStdout(), manual(groups))
		return err
	}}
}

// manual is the page, in the macros of man(7).
func manual(groups []settings.Group) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH VAULTEXEC 1 \"\" \"vaultexec %s\"\n.nh\n.SH NAME\nvaultexec \\- run a command with secrets from HashiCorp Vault or OpenBao\n", roff(version))
	_, rest, _ := strings.Cut(helpHead, "\n\n")
	manText(&b, strings.Replace(rest, "Usage:", "Synopsis:", 1))
	b.WriteString(".SH OPTIONS\nEach has the environment variable named with it.\n")
	for _, g := range groups {
		fmt.Fprintf(&b, ".SS %s\n", roff(g.Title))
		g.Flags.VisitAll(func(f *pflag.Flag) { manFlag(&b, f) })
	}
	b.WriteString(".SH ENVIRONMENT\n")
	manText(&b, helpTail)
	return b.String()
}

// manText writes a part of the help: a line alone that ends in a colon is a
// heading, what is indented stays as it is.
func manText(w io.Writer, text string) {
	inBlock := false
	for line := range strings.Lines(strings.Trim(text, "\n")) {
		line = strings.TrimSuffix(line, "\n")
		block := strings.HasPrefix(line, "  ") || inBlock && line == ""
		if block != inBlock {
			inBlock = block
			fmt.Fprintln(w, map[bool]string{true: ".PP\n.nf", false: ".fi"}[block])
		}
		switch heading, isHeading := strings.CutSuffix(line, ":"); {
		case block:
			fmt.Fprintln(w, roff(strings.TrimPrefix(line, "  ")))
		case isHeading:
			fmt.Fprintf(w, ".SH %s\n", roff(strings.ToUpper(heading)))
		case line == "":
			fmt.Fprintln(w, ".PP")
		default:
			fmt.Fprintln(w, roff(line))
		}
	}
	if inBlock {
		fmt.Fprintln(w, ".fi")
	}
}

func manFlag(w io.Writer, f *pflag.Flag) {
	fmt.Fprintf(w, ".TP\n\\fB%s\\fR", roff("--"+f.Name))
	if f.Value.Type() != "bool" {
		fmt.Fprintf(w, " \\fI%s\\fR", roff(f.Value.Type()))
	}
	text := f.Usage
	if f.DefValue != "" && f.DefValue != "false" {
		text += " (default " + f.DefValue + ")"
	}
	fmt.Fprintf(w, ", %s\n%s\n", roff(settings.EnvName(f.Name)), roff(text))
}

// roff keeps a line of text from being read as anything else: a backslash
// begins an escape, a dot or a quote at the beginning a request, and a plain
// minus sign may be shown as a hyphen that no shell takes.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", "\\(ga", "^", `\(ha`, "~", `\(ti`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}
