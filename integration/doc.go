// Package integration tests the built program as a process, against real
// servers: Vault, and a kube-apiserver whose service account tokens it logs in
// with. It has nothing but tests; servers has what demo and benchmarks share.
//
//	go run ./prepare    build the servers (the first time: about ten minutes), and
//	                    as root install Debian's packages (servers/packages.go)
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
// # Trouble and moments
//
// Whatever happens to Vault, on the way there, or to what vaultexec lives on: a
// child that runs keeps its pid, credentials and token live on where they can, a
// rotation that is made afterwards arrives, and Vault is not flooded meanwhile. A
// start waits where waiting helps, and is refused with the reason where it does
// not. Which test proves it, Test being left out and " meaning the cell before:
//
//	trouble                 | at the start | in calm | at a renewal | during a restart
//	Vault hangs             | P2VaultInTrouble/hang | " | " | "
//	Vault crashes           | P2VaultInTrouble/crash | " | " | "
//	Vault is sealed         | P2VaultInTrouble/seal | " | " | "
//	away for a whole lease  | none: there is no lease yet | P2OutageLongerThanLease | " | none: as a machine that sleeps then
//	the active node is lost | P2RaftLosesItsActiveNode | " | " | "
//	packets vanish          | P2NetworkCut/drop | " | " | "
//	the cable is pulled     | none: as refused | P2NetworkCut/unplug | none: as refused | P2NetworkCut/unplug
//	connections are refused | P2ConnectionRefused | " | " | "
//	connections break       | P2SpoiledAnswers/reset | " | " | "
//	the certificate expires | P2CertificateExpires | " | " | "
//	the CA is replaced      | none: as an expired one | P2AuthorityChanges | " | none: as an expired one
//	no answers              | P2SpoiledAnswers/hang | " | " | "
//	slow answers            | P2SpoiledAnswers/too slow | " | " | "
//	answers cut short       | P2SpoiledAnswers/truncated | " | " | "
//	half an answer          | P2SpoiledAnswers/corrupt | " | " | "
//	garbage                 | P2SpoiledAnswers/garbage | " | " | "
//	429                     | P2SpoiledAnswers/429 Retry-After | " | " | "
//	503                     | P2SpoiledAnswers/503 | " | " | "
//	the token is revoked    | P2GrantsAreTaken/token revoked | " | " | "
//	the role is deleted     | P2GrantsAreTaken/role deleted | " | " | "
//	the policy is removed   | P2GrantsAreTaken/policy removed | " | " | "
//	the engine's role is    | P2GrantsAreTaken/database role deleted | " | " | "
//	the database is down    | P2GrantsAreTaken/database down | " | " | "
//	a given token's renewal | none: it has just been given | none: nothing is due | P2TokenRenewalOutlivesTrouble | none: it is not made for one
//	the machine sleeps      | P2ClockJumps/start | P2ClockJumps/steady | P2ClockJumps/renewal | P2ClockJumps/restart
//	the clock is far ahead  | P2MonotonicClockFarAhead | " | " | "
//
// Two clocks cannot be had in a test: the system's own, which is everybody's, and
// one that jumps under a program that asks the kernel itself.
//
// Nothing sleeps: a test waits for a line, a file, a request or an exit, and
// every wait has a deadline after which the test fails with all output.
package integration
