package fetch

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/vault/api"
)

// checkAddress finds addresses that would only fail later, and worse.
func checkAddress(vault *api.Config, defaults Defaults) error {
	name, variable, address := api.EnvVaultAddress, api.EnvVaultAddress, vault.Address
	if _, called := defaults.value(name); called != "" {
		name = called
	}
	if vault.AgentAddress != "" { // it is the one that is used
		name, variable, address = api.EnvVaultAgentAddr, api.EnvVaultAgentAddr, vault.AgentAddress
	}
	u, err := url.Parse(address)
	switch {
	case err != nil: // its text repeats the address, which may have a password
	case u.Scheme == "unix" && u.Path != "":
		return nil
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "":
		return nil
	}
	return configError(name + " is not an address: write http://HOST[:PORT], https://HOST[:PORT] or unix:///PATH").mendedBy("export " + variable + "=" + guessAddress(address))
}

// hostPort is an address without its scheme, as most are that are none. What else
// somebody may have put there, a token or a URL with a password, is not repeated, nor
// is a single word: the secret IDs of AppRole and the oldest tokens are UUIDs.
const hostPort = `^([a-z0-9][-a-z0-9]*(?:\.[-a-z0-9]+)*?)(?::([0-9]{1,5}))?$`

// guessAddress is the address that was meant.
func guessAddress(address string) string {
	host := regexp.MustCompile(hostPort).FindStringSubmatch(address)
	if host == nil || strings.HasPrefix(address, "hvs.") || len(address) > 80 ||
		host[1] != "localhost" && host[2] == "" && !strings.Contains(host[1], ".") {
		return "https://127.0.0.1:" + vaultPort + "   # or where Vault is"
	}
	scheme := "https://"
	if ip := net.ParseIP(host[1]); host[1] == "localhost" || ip != nil && ip.IsLoopback() {
		scheme = "http://" // a development server's
	}
	return scheme + net.JoinHostPort(host[1], cmp.Or(host[2], vaultPort))
}

// displayAddress is the address for messages, without what may be a credential:
// user information and query.
func displayAddress(vault *api.Config, defaults Defaults) string {
	u, err := url.Parse(vault.Address) // NewClient has put the one it uses here
	if err != nil {
		panic("BUG: an address that checkAddress passed does not parse")
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	if given, _ := defaults.value(api.EnvVaultAddress); given == "" && vault.AgentAddress == "" {
		return u.String() + addressUnset
	}
	return u.String()
}

const addressUnset = " (VAULT_ADDR is not set)"

// variable is one VAULT_* variable that the api package can choke on, and how
// to tell that it did: its own errors do not always name the variable.
type variable struct {
	name string
	bad  func(value string) bool
	want string
}

var variables = []variable{
	{api.EnvVaultMaxRetries, notUint, "a number from 0 up"},
	{api.EnvRateLimit, func(v string) bool {
		rate, burst, _ := strings.Cut(v, ":")
		_, err := strconv.ParseFloat(rate, 64)
		return err != nil || burst != "" && notUint(burst)
	}, "RATE or RATE:BURST, in requests per second"},
	{api.EnvVaultSkipVerify, notBool, "true or false"},
	{api.EnvVaultSRVLookup, notBool, "true or false"},
	{api.EnvVaultDisableRedirects, notBool, "true or false"},
	{api.EnvVaultProxyAddr, notURL, "a URL"},
	{api.EnvHTTPProxy, notURL, "a URL"},
}

func notUint(v string) bool { _, err := strconv.ParseUint(v, 10, 32); return err != nil }
func notBool(v string) bool { _, err := strconv.ParseBool(v); return err != nil }
func notURL(v string) bool  { _, err := url.Parse(v); return err != nil }

// blame says which variable made the api package refuse its configuration.
// Values are not repeated: headers and proxies have passwords in them.
func blame(err error) error {
	for _, v := range variables {
		if value := os.Getenv(v.name); value != "" && v.bad(value) {
			return configError(fmt.Sprintf("%s has to be %s", v.name, v.want)).mendedBy("unset " + v.name)
		}
	}
	if err := blameTLS(); err != nil {
		return err
	}
	switch text := err.Error(); {
	case strings.Contains(text, api.EnvVaultClientTimeout):
		return configError(api.EnvVaultClientTimeout + " has to be a duration, as 10s or, in seconds, 10").mendedBy("unset " + api.EnvVaultClientTimeout)
	case strings.Contains(text, "eader"):
		return configError(api.EnvVaultHeaders + " has to be a JSON object of strings, without X-Vault- headers").mendedBy("unset " + api.EnvVaultHeaders)
	default:
		return configError(fmt.Sprintf("the VAULT_* variables cannot be used: %v", err))
	}
}

// blameTLS tries the variables of TLS one group at a time. Their errors name
// files, not what is in them.
func blameTLS() error {
	cert, key := os.Getenv(api.EnvVaultClientCert), os.Getenv(api.EnvVaultClientKey)
	if (cert == "") != (key == "") {
		return configError(fmt.Sprintf("%s and %s go together: set both or none", api.EnvVaultClientCert, api.EnvVaultClientKey)).mendedBy(fmt.Sprintf("unset %s %s", api.EnvVaultClientCert, api.EnvVaultClientKey))
	}
	groups := []struct {
		name string
		tls  api.TLSConfig
	}{
		{api.EnvVaultClientCert + " or " + api.EnvVaultClientKey, api.TLSConfig{ClientCert: cert, ClientKey: key}},
		{api.EnvVaultCACert, api.TLSConfig{CACert: os.Getenv(api.EnvVaultCACert)}},
		{api.EnvVaultCACertBytes, api.TLSConfig{CACertBytes: []byte(os.Getenv(api.EnvVaultCACertBytes))}},
		{api.EnvVaultCAPath, api.TLSConfig{CAPath: os.Getenv(api.EnvVaultCAPath)}},
	}
	for _, g := range groups {
		// A bare Config makes its own transport, from the environment again,
		// so it is given a fresh one.
		if err := (&api.Config{HttpClient: bareClient()}).ConfigureTLS(&g.tls); err != nil {
			return configError(fmt.Sprintf("%s cannot be used: %s", g.name, firstLine(err.Error()))).mendedBy("unset "+strings.ReplaceAll(g.name, " or", ""), "ls -l "+ShellWord(cmp.Or(g.tls.CACert, g.tls.CAPath, g.tls.ClientCert, "/etc/ssl/certs")))
		}
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

func bareClient() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}}
}
