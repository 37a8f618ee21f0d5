package status

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// get asks a server and returns status and body.
func get(t *testing.T, s *Server, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + s.Address() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestReadiness(t *testing.T) {
	var now atomic.Pointer[Report]
	now.Store(&Report{})
	s, err := Serve("127.0.0.1:0", func() Report { return *now.Load() })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, tt := range []struct {
		report Report
		status int
		body   string
	}{
		{Report{}, 503, "the command is not running\n"},
		{Report{Running: true}, 200, "ok\n"},
		{Report{Running: true, Stale: 2}, 200, "ok\n"}, // Vault's trouble is not the application's
		{Report{Running: true, Unusable: 2}, 200, "ok\n"},
		{Report{Running: true, Expired: 2}, 503, "secrets past their life: 2\n"},
		{Report{Expired: 1}, 503, "the command is not running\nsecrets past their life: 1\n"},
	} {
		now.Store(&tt.report)
		if status, body := get(t, s, "/readyz"); status != tt.status || body != tt.body {
			t.Errorf("%+v: %d %q, want %d %q", tt.report, status, body, tt.status, tt.body)
		}
		if status, _ := get(t, s, "/healthz"); status != 200 {
			t.Errorf("healthz says %d", status)
		}
	}
}

func TestMetrics(t *testing.T) {
	now := time.Unix(1_700_000_000, 500_000_000)
	var b strings.Builder
	write(&b, Report{
		Version: "v1", Running: true, Fresh: 3, Stale: 1, Unusable: 4, Expired: 2,
		NextExpiry: now.Add(90 * time.Second), TokenEnds: now.Add(-2 * time.Second), Logins: 4,
		Errors: map[string]int{"sealed": 2, "denied": 1}, Restarts: map[string]int{"rotation": 5}, LastSuccess: now, Goroutines: 12,
	}, now)
	for _, want := range []string{
		`vaultexec_build_info{version="v1"} 1`, "go_goroutines 12", "vaultexec_command_running 1", `vaultexec_restarts_total{reason="rotation"} 5`,
		"vaultexec_secrets{state=\"expired\"} 2\nvaultexec_secrets{state=\"fresh\"} 3\nvaultexec_secrets{state=\"stale\"} 1\nvaultexec_secrets{state=\"unusable\"} 4\n",
		"vaultexec_secret_expiry_seconds 90", "vaultexec_token_ttl_seconds -2",
		"vaultexec_fetch_errors_total{class=\"denied\"} 1\nvaultexec_fetch_errors_total{class=\"sealed\"} 2\n",
		"vaultexec_logins_total 4", "vaultexec_last_success_timestamp_seconds 1.7000000005e+09",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
	for line := range strings.Lines(b.String()) { // each sample belongs to a family that was announced
		name, _, _ := strings.Cut(strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '{' })[0], "\n")
		if name != "#" && !strings.Contains(b.String(), fmt.Sprintf("# TYPE %s ", name)) {
			t.Errorf("%s has no TYPE", name)
		}
	}
}

func TestMetricsWithoutSecrets(t *testing.T) {
	var b strings.Builder
	write(&b, Report{}, time.Now())
	for _, absent := range []string{"ttl_seconds", "expiry_seconds", "last_success"} {
		if strings.Contains(b.String(), absent) {
			t.Errorf("%s is told of nothing", absent)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	s, err := Serve("127.0.0.1:0", func() Report { return Report{} })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = Serve(s.Address(), nil)
	want := "--listen " + s.Address() + ": bind: address already in use: use HOST:PORT or :PORT, and a port that is free"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
