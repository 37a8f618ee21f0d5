// Package fetch is the Vault half of vaultexec: it logs in and reads secrets,
// and knows nothing of environment variables or processes.
//
//	c, err := fetch.New(fetch.Config{Role: "app"}) // no network
//	err = c.Login(ctx)                             // ctx has the startup deadline
//	snapshot, err := c.Fetch(ctx, refs)
//
// Trouble that may pass (refused, reset, DNS, timeouts, 5xx, sealed, standby,
// 429) is waited out with backoff until the deadline of ctx. What will not
// pass by waiting (400, 403, 404, 405, a certificate that does not verify)
// ends at once. Fetch reports all that is missing in one MissingError.
//
// A start that needs one KV path costs three requests: login, mount, read.
// Which mount a path belongs to, and whether it is KV version 1 or 2, is asked
// of Vault (sys/internal/ui/mounts, as the vault command does), once per
// mount; the shape of an answer never decides it. A token gets that answer for
// every mount below which it may do anything at all, so a 403 there means that
// reading would be denied too, or that there is no such mount; nothing is
// guessed then.
//
// PATH/* costs one request for each folder and each secret below the path, read
// as if each was named: see folder.go, below.go, and tree.go for what comes and
// goes later.
//
// Goroutines: Fetch starts one per mount question and per read and waits for
// all of them before it returns. Nothing runs between calls.
package fetch

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/api"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

const (
	defaultRequestTimeout = 10 * time.Second
	defaultConcurrency    = 16
)

// Config is what the standard VAULT_* variables do not say. The zero value of
// each field means its default.
type Config struct {
	Auth      Auth
	Role      string // of the kubernetes, jwt and cert logins; the others have none, but see Wrapped
	AuthMount string // "kubernetes", also written auth/kubernetes; may have slashes
	Namespace string // default: VAULT_NAMESPACE

	JWTPath         string // of kubernetes and jwt; default: where Kubernetes mounts the pod's token
	RemoveJWT       bool   // of jwt, once a login with it has succeeded
	RemoveJWTTarget bool   // where JWTPath is a link, remove what it points to
	RoleIDPath      string // of approle
	SecretIDPath    string // likewise; may be empty, where the role binds none
	RemoveSecretID  bool   // once a login with it has succeeded
	Username        string // of userpass and ldap
	PasswordPath    string // likewise; empty: Prompt asks
	TokenFile       string // of token-file
	Wrapped         bool   // the token, or approle's secret ID, is a wrapping token for it; Role says then whose secret ID

	// Prompt asks whoever sits at the terminal for a password. The error is one
	// sentence that says why that cannot be done.
	Prompt func(ctx context.Context, question string) (secret.Value, error)

	// Wants tells what the secrets that are there make wanted, as a template does
	// that goes through a list of names; nil: nothing. It is asked until it wants
	// nothing new, from goroutines of this package, one at a time.
	Wants func(map[ref.Source]secret.Fields) []ref.Ref

	RequestTimeout time.Duration // of each try; default VAULT_CLIENT_TIMEOUT, else 10s
	Concurrency    int           // requests at a time; default 16
	Log            *slog.Logger  // default: none

	Defaults Defaults // of the VAULT_* variables
	// LoginNamespace is where to log in, where neither Namespace nor
	// VAULT_NAMESPACE says one for everything.
	LoginNamespace string

	testOnlyMostBelow int // in place of maxBelow
}

// Client is one Vault and one identity there. Login comes before Fetch; after
// that Fetch may be called from several goroutines.
type Client struct {
	api            *api.Client
	transport      *transport
	address        string // as messages show it: without a password
	namespace      string // of references that name none
	loginNamespace string

	auth     Auth
	method   method
	mend     func(said string) Fix // the login, where Vault has said that; see mendlogin.go
	mount    string                // of the login, without auth/ and slashes at its ends
	role     string                // of the login
	jwtPath  string                // as it was set; empty: it was not
	envToken string                // VAULT_TOKEN
	agent    bool                  // VAULT_AGENT_ADDR is set: an agent that may add its own token
	wrapped  *wrapping             // of a token that is found; nil: it is not wrapped

	wants          func(map[ref.Source]secret.Fields) []ref.Ref // nil: nothing
	requestTimeout time.Duration
	slots          chan struct{} // one per request that may be under way
	log            *slog.Logger
	notice         waitNotice
	mounts         mountTable
	mostBelow      int // secrets and folders of PATH/*

	tokenMu sync.RWMutex // of the token in api

	mu       sync.Mutex
	secrets  []string  // tokens and what logins are made with: never in a message
	identity string    // who messages say we are; set by Login
	grant    life      // of the token, as the login said
	granted  time.Time // and when it said so
	made     []string  // tokens that our logins made and that are not revoked yet
}

// New reads the standard VAULT_* variables and checks the settings. It does
// not touch the network.
func New(cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	vault := api.DefaultConfig()
	if vault.Error != nil {
		return nil, blame(vault.Error)
	}
	if err := cfg.Defaults.apply(vault); err != nil {
		return nil, err
	}
	timeout, err := cfg.timeout(vault)
	if err != nil {
		return nil, err
	}
	if err := checkAddress(vault, cfg.Defaults); err != nil {
		return nil, err
	}
	concurrency := cmp.Or(cfg.Concurrency, defaultConcurrency)
	base := vault.HttpClient.Transport.(*http.Transport)
	tune(base, concurrency, timeout)
	vault.MaxRetries = 0 // retry.go knows better which and how long
	vault.Timeout = 0    // every try has its own, see attempt
	client, err := api.NewClient(vault)
	if err != nil {
		return nil, blame(err)
	}
	reloadClientCertificate(base, cfg.Defaults)
	transport := newTransport(base, cfg.Defaults)
	vault.HttpClient.Transport = transport
	// With VAULT_WRAP_TTL set every answer would come wrapped.
	client.SetWrappingLookupFunc(func(string, string) string { return "" })
	namespace, loginNamespace := cfg.namespaces(client.Namespace())

	c := &Client{
		api:            client,
		transport:      transport,
		address:        displayAddress(vault, cfg.Defaults),
		namespace:      namespace,
		loginNamespace: loginNamespace,
		auth:           cfg.auth(),
		mount:          cfg.authMount(),
		role:           cfg.Role,
		jwtPath:        cfg.JWTPath,
		envToken:       cfg.Defaults.token(client.Token()),
		agent:          vault.AgentAddress != "",
		wants:          cfg.Wants,
		requestTimeout: timeout,
		slots:          make(chan struct{}, concurrency),
		mostBelow:      cmp.Or(cfg.testOnlyMostBelow, maxBelow),
		log:            cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)),
	}
	if cfg.Wrapped {
		c.wrapped = &wrapping{content: tokenIn}
	}
	c.method = kinds[c.auth].make(c, cfg)
	c.mend = func(said string) Fix { return kinds[c.auth].mend(c, cfg, said) }
	client.ClearToken() // Login decides which token is used
	return c, nil
}

// tune makes a transport fit for bursts of reads, and for machines that go away.
func tune(t *http.Transport, concurrency int, timeout time.Duration) {
	// All the connections of one burst of reads are kept for the next. A
	// connection becomes idle a moment after its slot is free, so that a few
	// more than there are slots may exist.
	t.MaxIdleConnsPerHost = 2 * concurrency
	t.MaxIdleConns = max(t.MaxIdleConns, t.MaxIdleConnsPerHost)
	// A connection to a machine that is gone (a load balancer's dead member) is
	// given up; HTTP/2 would send one request after the other down there.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: timeout, PingTimeout: timeout}
}

func (cfg Config) check() error {
	switch {
	case cfg.RequestTimeout < 0:
		return configError("the request timeout is negative")
	case cfg.Concurrency < 0:
		return configError("the concurrency is negative: at least one request at a time is needed")
	}
	return cfg.checkLogin()
}

// keepSecret makes sure that a token, a JWT or a password is in no message from
// now on.
func (c *Client) keepSecret(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Contains(c.secrets, s) {
		c.secrets = append(c.secrets, s)
	}
}
