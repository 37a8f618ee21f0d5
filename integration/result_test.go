package integration

import (
	"strings"
	"syscall"
	"testing"
)

// result is how a run ended.
type result struct {
	t      *testing.T
	stdout string
	stderr string
	status int            // exit status; -1 if a signal ended vaultexec
	signal syscall.Signal // which; 0 for none
	child  *childReport   // nil if the child never started
}

// exited checks the exit status.
func (r *result) exited(status int) *result {
	r.t.Helper()
	if r.status != status || r.signal != 0 {
		r.t.Errorf("exit status %d (signal %v), want %d; stderr:\n%s", r.status, r.signal, status, r.stderr)
	}
	return r
}

// refused checks that vaultexec itself failed: status 125, a child that never
// started, and a message on stderr (and nothing on stdout) that has all of
// these texts in it.
func (r *result) refused(texts ...string) *result {
	r.t.Helper()
	r.exited(125)
	if r.child != nil {
		r.t.Errorf("the child was started")
	}
	if r.stdout != "" {
		r.t.Errorf("there is something on stdout: %q", r.stdout)
	}
	return r.says(texts...)
}

// says checks that stderr has all of these texts in it.
func (r *result) says(texts ...string) *result {
	r.t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.stderr, text) {
			r.t.Errorf("nothing on stderr says %q:\n%s", text, r.stderr)
		}
	}
	return r
}

// childHas checks that the child ran and got the variable with this value. A
// wrong value is not printed if it is a secret.
func (r *result) childHas(name, want string) *result {
	r.t.Helper()
	if r.child == nil {
		r.t.Fatalf("the child never started; exit status %d, stderr:\n%s", r.status, r.stderr)
	}
	got, ok := r.child.lookup(name)
	switch {
	case !ok:
		r.t.Errorf("the child has no variable %s; it has %s", name, strings.Join(r.child.names(), " "))
	case got != want:
		r.t.Errorf("the child's %s is %q, want %q", name, got, want)
	}
	return r
}

// childLacks checks that the child ran and did not get the variable.
func (r *result) childLacks(names ...string) *result {
	r.t.Helper()
	if r.child == nil {
		r.t.Fatalf("the child never started; exit status %d, stderr:\n%s", r.status, r.stderr)
	}
	for _, name := range names {
		if _, ok := r.child.lookup(name); ok {
			r.t.Errorf("the child has the variable %s", name)
		}
	}
	return r
}
