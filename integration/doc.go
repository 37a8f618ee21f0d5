// Package integration tests the built program as a process, against real
// servers: Vault, and a kube-apiserver whose service account tokens it logs in
// with. It has nothing but tests; servers has what demo and benchmarks share.
//
//	go run ./prepare    build the servers (the first time: about ten minutes),
//	                    and as root install Debian's PostgreSQL and iproute2
//	go test ./...       with -race the program under test has the race detector too
//
// # Writing a test
//
// Name it after the promise it holds the program to (TestP1..., see
// docs/design.md). Servers are started by the first test that asks for them,
// shared by all, and stopped at the end; a test takes mounts, policies and
// service accounts of its own from them and may run in parallel. A test that
// seals, pauses or stops a Vault starts its own (ownVault).
//
//	kv := kvMount(t, 2)
//	password := canary(t, "password")
//	kv.put(t, "app", fields{"password": password})
//	res := kv.run(t, []string{"app"}, "--env", "PASSWORD="+kv.path("app")+"#password").run()
//	res.exited(0)
//	res.childHas("PASSWORD", password)
//
// The command that vaultexec runs is by default this test binary in the role
// of a child (see child_test.go): it writes down what it was given, and then
// does what its first argument names. result.child is what it wrote, nil if it
// never started. For a child that lives longer, start, waitLine, signal, wait:
//
//	p := vaultexec(t, "--mode", "supervise").child("wait").start()
//	p.waitLine("ready")
//	p.signal(syscall.SIGTERM)
//	p.wait().exited(0)
//
// Whatever is registered as a canary (canary, token and jwt do it) must not
// show up in any output of any run: the harness checks each of them. The child
// writes what it got to a file, so there is no exception to make. Runs log at
// debug level unless the test says otherwise, to give a leak its chance.
//
// Nothing sleeps: a test waits for a line, a file, a request or an exit, and
// every wait has a deadline after which the test fails with all output.
package integration
