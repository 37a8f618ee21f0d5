//go:build linux

package integration

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// endpoint is where a run shows how it is.
type endpoint struct {
	t       *testing.T
	address string
	dial    func(ctx context.Context, network, address string) (net.Conn, error) // nil: as always
}

// newEndpoint finds a free port. Another process may take it: rarely.
func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	mustDo(t, err)
	defer listener.Close() // it is vaultexec's
	return &endpoint{t, listener.Addr().String(), nil}
}

// get asks for a path; 0 is no answer.
func (e *endpoint) get(path string) (status int, body string) {
	e.t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: e.dial, DisableKeepAlives: true}}
	answer, err := client.Get("http://" + e.address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	mustDo(e.t, err)
	checkSilence(e.t, path, string(text))
	return answer.StatusCode, string(text)
}

// becomes waits until a path answers with a status, and gives the body.
func (e *endpoint) becomes(r *running, path string, status int) string {
	e.t.Helper()
	var got int
	var body string
	r.poll(fmt.Sprintf("%s to answer %d", path, status), func() bool {
		got, body = e.get(path)
		return got == status
	})
	return body
}

// metrics reads the figures: name and labels -> value. Each must have a help
// and a type before it.
func (e *endpoint) metrics() map[string]float64 {
	e.t.Helper()
	_, body := e.get("/metrics")
	out, kinds, helped := make(map[string]float64), make(map[string]string), make(map[string]bool)
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, text, _ := strings.Cut(rest, " ")
			helped[name] = text != ""
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			kinds[name] = kind
			continue
		}
		i := strings.LastIndex(line, " ")
		value, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			e.t.Errorf("metrics: %q: %v", line, err)
		}
		name, _, _ := strings.Cut(line[:i], "{")
		if !helped[name] || kinds[name] != "gauge" && kinds[name] != "counter" {
			e.t.Errorf("metrics: %s has help %v and type %q", name, helped[name], kinds[name])
		}
		if _, twice := out[line[:i]]; twice {
			e.t.Errorf("metrics: %s twice", line[:i])
		}
		out[line[:i]] = value
	}
	return out
}

// figure checks one value to be within bounds.
func (e *endpoint) figure(m map[string]float64, name string, least, most float64) {
	e.t.Helper()
	if v, ok := m[name]; !ok || v < least || v > most {
		e.t.Errorf("%s is %v (there: %v), want %v to %v", name, v, ok, least, most)
	}
}

// Before the command runs it is alive but not ready, with the command it is
// ready; and there is no stranger's figure.
func TestP2Readiness(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"v": "1"})
	p := newProxy(t, kv.vault.Address)
	p.onRequest(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	e := newEndpoint(t)
	l := kv.run(t, []string{"app"}, append(quick, "--listen", e.address, "--env", "V="+kv.path("app")+"#v")...).vault(p.address).live()
	if body := e.becomes(l.running, "/readyz", http.StatusServiceUnavailable); !strings.Contains(body, "the command is not running") {
		t.Errorf("/readyz says %q", body)
	}
	if status, body := e.get("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d: %s", status, body)
	}
	e.figure(e.metrics(), "vaultexec_command_running", 0, 0)
	p.onRequest(nil)
	e.becomes(l.running, "/readyz", http.StatusOK)
	l.starts(1, "V", "1")
	kv.put(t, "app", fields{"v": "2"})
	l.starts(2, "V", "2")
	e.becomes(l.running, "/readyz", http.StatusOK)
	for _, path := range []string{"/", "/debug/pprof/", "/metricsx"} {
		if status, _ := e.get(path); status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, status)
		}
	}
	l.stop()
	if status, _ := e.get("/healthz"); status != 0 {
		t.Errorf("after the end /healthz answers %d", status)
	}
}

// The figures are right: of what is kept alive, of errors, restarts and logins.
func TestP2Metrics(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, time.Minute, time.Hour)
	path := d.CredsPath(d.name)
	kv := kvMount(t, 2)
	kv.put(t, "app", fields{"v": "1"})
	a := d.account(t, path, nil, kv.policy(t, "app", "other"))
	kv.put(t, "other", fields{"v": "1"})
	e := newEndpoint(t)
	l := a.login(t, d.flags(path, append(quick, "--listen", e.address, "--env", "V="+kv.path("app")+"#v", "--env", "W="+kv.path("other")+"#v")...)...).live()
	credentials(l.nth(1, "start"))
	e.becomes(l.running, "/readyz", http.StatusOK)
	m := e.metrics()
	e.figure(m, `vaultexec_secrets{state="fresh"}`, 3, 3)
	e.figure(m, `vaultexec_secrets{state="stale"}`, 0, 0)
	e.figure(m, `vaultexec_secrets{state="expired"}`, 0, 0)
	e.figure(m, "vaultexec_command_running", 1, 1)
	e.figure(m, "vaultexec_secret_expiry_seconds", 1, 60)
	e.figure(m, "vaultexec_token_ttl_seconds", 1, tokenLife.Seconds())
	e.figure(m, "vaultexec_logins_total", 0, 0)
	e.figure(m, "go_goroutines", 2, 100)
	e.figure(m, `vaultexec_restarts_total{reason="rotation"}`, 0, 0)
	e.figure(m, `vaultexec_restarts_total{reason="failure"}`, 0, 0)
	now := float64(time.Now().Unix())
	e.figure(m, "vaultexec_last_success_timestamp_seconds", now-60, now+1)
	if body := fmt.Sprint(m); !strings.Contains(body, "vaultexec_build_info{version=") {
		t.Error("there is no vaultexec_build_info")
	}
	kv.put(t, "app", fields{"v": "2"})
	credentials(l.starts(2, "V", "2"))
	mustDo(t, kv.vault.Client().KVv2(kv.mount).DeleteMetadata(t.Context(), "other"))
	l.waitLog("a secret cannot be read")
	a.revokeTokens(t)
	l.waitLog("the token is not accepted any more")
	l.poll("the login in the metrics", func() bool { return e.metrics()["vaultexec_logins_total"] == 1 })
	m = e.metrics()
	e.figure(m, `vaultexec_restarts_total{reason="rotation"}`, 1, 2) // the credentials went with the token
	e.figure(m, `vaultexec_secrets{state="stale"}`, 1, 3)
	e.figure(m, `vaultexec_fetch_errors_total{class="not_found"}`, 1, 100)
	e.figure(m, `vaultexec_fetch_errors_total{class="denied"}`, 1, 100) // with the token that was revoked
	l.stop()
}

// What could not be replaced before its end makes it unready, and alive.
func TestP2UnreadyPastTheEnd(t *testing.T) {
	t.Parallel()
	d := newDBRole(t, 5*time.Second, time.Hour)
	path := d.CredsPath(d.name)
	p := newProxy(t, sharedVault(t).Address)
	e := newEndpoint(t)
	l := d.account(t, path, nil).login(t, d.flags(path, append(quick, "--listen", e.address)...)...).vault(p.address).live()
	credentials(l.nth(1, "start"))
	e.becomes(l.running, "/readyz", http.StatusOK)
	p.onRequest(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	if body := e.becomes(l.running, "/readyz", http.StatusServiceUnavailable); !strings.Contains(body, "secrets past their life: 1") {
		t.Errorf("/readyz says %q", body)
	}
	if status, _ := e.get("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d", status)
	}
	m := e.metrics()
	e.figure(m, `vaultexec_secrets{state="expired"}`, 1, 1)
	e.figure(m, "vaultexec_secret_expiry_seconds", -60, 0)
	l.waitLog("a secret is past its life and could not be replaced")
	p.onRequest(nil)
	credentials(l.nth(2, "start"))
	e.becomes(l.running, "/readyz", http.StatusOK)
	res := l.stop()
	l.order(2)
	if n := said(res.stderr, "a secret is past its life"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// An address that is taken is one clear sentence, before anything else happens.
func TestP12ListenAddressInUse(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	mustDo(t, err)
	defer listener.Close()
	for _, address := range []string{listener.Addr().String(), "127.0.0.1", "127.0.0.1:70000", "nowhere.invalid:1"} {
		t.Run(address, func(t *testing.T) {
			vaultexec(t, "--listen", address, "--mode", "supervise").run().refused("config", "--listen "+address)
		})
	}
	vaultexec(t, "--listen", "127.0.0.1:0", "--mode", "exec").run().refused("--listen", "exec")
}
