package fetch

import (
	"crypto/x509"
	"net"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// MendLine is what may mend what keeps the way to Vault closed.
func (c *Client) MendLine(l Line) Fix {
	switch {
	case l.DNS != nil:
		return c.mendDNS(l)
	case l.Connect != nil:
		return c.mendConnect(l)
	}
	return c.mendTLS(l)
}

// vaultPort is the one that Vault listens at unless somebody says otherwise.
const vaultPort = "8200"

func (c *Client) mendDNS(l Line) Fix {
	if inPod() {
		service := "kubectl get services --all-namespaces --selector app.kubernetes.io/name=vault   # a service is SERVICE.NAMESPACE.svc in other namespaces"
		return Paste(service, "nslookup "+ShellWord(l.Host))
	}
	return Paste("nslookup "+ShellWord(l.Host)+"   # is it spelled right? where is it known? then:", c.export(l.Scheme+"://HOST:"+l.Port))
}

// inPod tells whether this is a container of a pod, in each of which that is set.
func inPod() bool { return os.Getenv("KUBERNETES_SERVICE_HOST") != "" }

func (c *Client) mendConnect(l Line) Fix {
	if l.Host == "" {
		return Paste("ls -l " + ShellWord(strings.TrimPrefix(c.shownAddress(), "unix://")) + "   # whoever listens at the socket: does it run?")
	}
	start := "systemctl start vault   # on " + l.Host
	if inPod() {
		start = "kubectl get pods --all-namespaces --selector app.kubernetes.io/name=vault   # does it run, and is it ready?"
	}
	own := c.export(l.Scheme+"://"+net.JoinHostPort(l.Host, vaultPort)) + "   # Vault's own port"
	switch l.Port {
	case "80", "443": // most likely because the address has none
		return Paste(own, start)
	case vaultPort:
	default:
		return Paste(start, own)
	}
	return Paste(start, "nc -vz "+ShellWord(l.Host)+" "+l.Port+"   # does another machine reach it? then a firewall or network policy is in between")
}

func (c *Client) mendTLS(l Line) Fix {
	var leaf Certificate
	if len(l.Chain) > 0 {
		leaf = l.Chain[0]
	}
	switch text := l.Refused.Error(); {
	case strings.Contains(text, "does not speak TLS"):
		return Paste(c.export("http://" + net.JoinHostPort(l.Host, l.Port)))
	case strings.Contains(text, "unknown authority"):
		if file := knownAuthority(l.chain); file != "" {
			return Paste("export VAULT_CACERT=" + file)
		}
		return Paste("export VAULT_CACERT=$PWD/ca.pem   # with the certificate of " + l.Chain[len(l.Chain)-1].Issuer + " in it, from who runs Vault, not from this connection")
	case strings.Contains(text, "is not for"):
		return c.mendName(l, leaf)
	case strings.Contains(text, "expired"):
		for _, cert := range l.Chain {
			if time.Now().Before(cert.Begins) {
				return SetClock("it is not valid before " + cert.Begins.UTC().Format(time.RFC3339))
			}
		}
		return RenewCertificate().Or(SetClock("if this machine's clock is ahead").Lines()...)
	case strings.Contains(text, "client certificate"):
		return mendClient
	}
	return Paste(c.showChain())
}

// mendClient is for a server that wants to see a certificate of ours. Of TLS 1.3 it
// says so in answer to the first request.
var mendClient = Paste("export VAULT_CLIENT_CERT=$PWD/client.crt VAULT_CLIENT_KEY=$PWD/client.key   # of an authority that it trusts")

// MendHealth is what may mend an end of the way that answers, and not as Vault.
func (c *Client) MendHealth(err error, l Line) Fix {
	fix := c.Mend(err)
	switch {
	case strings.Contains(err.Error(), "client certificate"):
		return mendClient
	case l.Proxy == "" && strings.Contains(err.Error(), servesHTTPS):
		return Paste(c.export("https://" + net.JoinHostPort(l.Host, l.Port)))
	case l.Proxy == "":
		return fix
	}
	for _, name := range []string{api.EnvHTTPProxy, api.EnvVaultProxyAddr} {
		if os.Getenv(name) != "" { // for which NO_PROXY does not count
			return Paste("unset "+name+"   # leaves the proxy aside", fix.Lines()...)
		}
	}
	return Paste("export NO_PROXY="+ShellWord(l.Host)+"   # leaves the proxy aside", fix.Lines()...)
}

// mendName takes a name that the certificate is for.
func (c *Client) mendName(l Line, leaf Certificate) Fix {
	if len(leaf.Names) == 0 {
		return Paste(c.showChain())
	}
	name := leaf.Names[0]
	if net.ParseIP(name) != nil {
		return Paste(c.export("https://" + net.JoinHostPort(name, l.Port)))
	}
	if suffix, ok := strings.CutPrefix(name, "*."); ok {
		host, _, _ := strings.Cut(l.Host, ".")
		name = host + "." + suffix
	}
	return Paste("export VAULT_TLS_SERVER_NAME="+ShellWord(name), c.export("https://"+net.JoinHostPort(name, l.Port)))
}

// RenewCertificate has Vault take another certificate. It reads the files anew on
// SIGHUP, which is what the reload of its unit sends.
func RenewCertificate() Fix {
	return Paste("systemctl reload vault   # on its machine, once another certificate is in the files of its listener")
}

// SetClock sets a clock that is wrong.
func SetClock(why string) Fix {
	if runtime.GOOS == "darwin" {
		return Paste("sudo sntp -sS time.apple.com   # " + why)
	}
	return Paste("timedatectl set-ntp true   # " + why)
}

// authorities are files that this machine may have an authority in which is not
// among the system's.
var authorities = []string{
	"/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", // the cluster's
	"/opt/vault/tls/tls.crt",                               // what Vault's packages make
}

// knownAuthority is one of them that has signed the chain; empty: none has.
func knownAuthority(chain []*x509.Certificate) string {
	for _, file := range authorities {
		text, err := os.ReadFile(file)
		roots := x509.NewCertPool()
		if err != nil || len(chain) == 0 || !roots.AppendCertsFromPEM(text) {
			continue
		}
		between := x509.NewCertPool()
		for _, cert := range chain[1:] {
			between.AddCert(cert)
		}
		if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err == nil {
			return file
		}
	}
	return ""
}
