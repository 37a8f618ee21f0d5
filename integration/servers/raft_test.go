package servers

import (
	"testing"
	"time"
)

func newRaft(t *testing.T) *Raft {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	r, err := StartRaft(t.Context(), bin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// A cluster loses its active node in each way there is, and what was written
// before is there afterwards, through whichever node it is read.
func TestRaft(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	r := newRaft(t)
	t.Logf("started in %v", time.Since(begin))
	active, err := r.Active(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Nodes[active].EnableKV(t.Context(), "kv", 1); err != nil {
		t.Fatal(err)
	}
	pg := newPostgres(t)
	d, err := r.Nodes[active].EnableDatabase(t.Context(), "database", pg)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.DynamicRole(t.Context(), "reader", time.Minute, time.Hour); err != nil {
		t.Fatal(err)
	}
	// A standby node has it done by the active one.
	if err := r.Nodes[(active+1)%raftNodes].PutKV1(t.Context(), "kv", "app", map[string]any{"user": "kept"}); err != nil {
		t.Fatal(err)
	}
	read := func(through int) error {
		_, err := r.Nodes[through].client.Logical().ReadWithContext(t.Context(), "kv/app")
		return err
	}
	// failOver waits for the next active node, and gives the lost one.
	failOver := func(how string) (lost int) {
		t.Helper()
		begin, lost := time.Now(), active
		if active, err = r.ActiveNot(t.Context(), lost); err != nil {
			t.Fatal(err)
		}
		poll(t, "an answer through the third node after "+how, func() bool { return read(raftNodes-active-lost) == nil })
		t.Logf("%s: node %d replaces node %d in %v", how, active, lost, time.Since(begin))
		return lost
	}
	r.Nodes[active].Kill()
	lost := failOver("kill")
	creds(t, d.Through(r.Nodes[active]), d.CredsPath("reader")) // its plugin is a process of its own
	if err := r.Restart(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	poll(t, "an answer through the killed node", func() bool { return read(lost) == nil })

	if err := r.Nodes[active].Pause(); err != nil {
		t.Fatal(err)
	}
	lost = failOver("pause")
	if err := r.Nodes[lost].Resume(); err != nil {
		t.Fatal(err)
	}
	poll(t, "an answer through the paused node", func() bool { return read(lost) == nil })

	if err := r.Nodes[active].Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	lost = failOver("seal")
	if err := r.Nodes[lost].Unseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	poll(t, "an answer through the sealed node", func() bool { return read(lost) == nil })

	// Behind a proxy it makes no difference which node it is.
	p := newProxy(t, ProxyOptions{Targets: r.Addresses(), TLS: true})
	a := newAsker(t, p, r.Nodes[active])
	for range r.Nodes {
		a.good("kv/app")
	}
}
