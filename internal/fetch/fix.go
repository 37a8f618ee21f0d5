package fetch

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"strings"
)

// Fix is what may mend a failure, to paste: commands, settings, or what a policy
// has to say, the likeliest first. Paste makes it, so that there always is one.
type Fix struct {
	first  string
	others []string
}

// Paste makes a Fix. Each of its texts mends the failure by itself; one of several
// lines takes all of them.
func Paste(first string, others ...string) Fix { return Fix{first, others} }

// Lines are its texts.
func (f Fix) Lines() []string { return append([]string{f.first}, f.others...) }

// Or is the Fix with more behind it.
func (f Fix) Or(others ...string) Fix {
	return Fix{f.first, append(append([]string{}, f.others...), others...)}
}

// known tells whether there is one: not of the zero value, which stands where
// nothing particular is known.
func (f Fix) known() bool { return f.first != "" }

// MendSettings is what may mend settings that New has refused.
func MendSettings(err error) Fix {
	var bad *Error
	if errors.As(err, &bad) && bad.fix.known() {
		return bad.fix
	}
	return Paste("vaultexec explain   # with the same flags: what is set, and where")
}

// Mend is what may mend a failure of the client other than a MissingError.
func (c *Client) Mend(err error) Fix {
	var bad *Error
	if !errors.As(err, &bad) {
		return Paste(c.vault("status"))
	}
	switch {
	case bad.fix.known():
		return bad.fix
	case bad.class == ClassSealed:
		return Paste(c.vault("operator unseal"))
	case bad.class == ClassRateLimited:
		return Paste("export VAULTEXEC_CONCURRENCY=2   # fewer requests at once", c.vault("list", "sys/quotas/rate-limit")+"   # which quota it is")
	case bad.class == ClassTLS:
		return Paste(c.showChain())
	case c.auth == AuthLDAP && strings.Contains(bad.text, directorySilent):
		return c.mend(directorySilent)
	case bad.class == ClassUnreachable || bad.class == ClassTimeout:
		return Paste(c.vault("status"))
	}
	return c.mend(bad.refusal)
}

// directorySilent is what Vault says of a directory that it cannot ask: with 500, as
// if it were its own trouble.
const directorySilent = "error connecting to host"

// Administer is a command for whoever runs Vault.
func (c *Client) Administer(verb string) Fix { return Paste(c.vault(verb)) }

// vault is a command for this Vault, to paste where anybody works: the options
// come before the other words.
func (c *Client) vault(verb string, words ...string) string {
	words = append([]string{"vault " + verb, "-address=" + ShellWord(c.shownAddress())}, words...)
	return strings.Join(words, " ")
}

// administer is a command for whoever may change Vault, in the namespace that it
// is about.
func administer(verb, namespace string, words ...string) string {
	all := []string{"vault " + verb}
	if namespace != "" {
		all = append(all, "-namespace="+ShellWord(namespace))
	}
	return strings.Join(append(all, words...), " ")
}

// shownAddress is where the client asks, as a variable or an option takes it.
func (c *Client) shownAddress() string { return strings.TrimSuffix(c.address, addressUnset) }

// export is the line that has the client ask elsewhere.
func (c *Client) export(address string) string {
	name := "VAULT_ADDR"
	if c.agent {
		name = "VAULT_AGENT_ADDR" // it is the one that is used
	}
	return "export " + name + "=" + ShellWord(address)
}

// showChain shows what there is in place of a good certificate.
func (c *Client) showChain() string {
	u, err := url.Parse(c.shownAddress())
	if err != nil {
		panic("BUG: an address that checkAddress passed does not parse")
	}
	words := "openssl s_client -showcerts -servername " + ShellWord(u.Hostname()) + " -connect " + ShellWord(net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")))
	return words + " </dev/null   # the certificates that it shows"
}
