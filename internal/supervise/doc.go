// Package supervise is the process half of vaultexec: it starts one child,
// passes signals on to it, gives back its exit status, and is an init where
// one is needed. It knows nothing of Vault or of secrets.
//
// It begins with [CatchStops]. Then there are three entrances:
//
//   - [Catch] and [Supervisor.Run] supervise a child.
//   - [Stops.Become] replaces the process with the command.
//   - [Init] is the init role: it starts this program again as the supervisor
//     (which finds out with [Attach]), reaps orphans and waits for nobody.
//
// # What a signal does
//
// Before the child exists TERM, INT and QUIT end everything: no child starts
// any more. Other signals are kept and delivered after the start, once each.
//
// While the child runs every signal is forwarded, after Options.Rewrite. TERM
// asks to stop: it is forwarded as Options.StopSignal and starts the stop
// timeout, at whose end the same target gets KILL. So do the StopSignal itself
// and a signal rewritten to either. A second one is forwarded again but neither
// escalates nor extends the deadline. INT, QUIT and HUP are forwarded only:
// many daemons give them a meaning of their own (reload, dump, reopen logs),
// and a child must not be killed half a minute after it reopened its logs.
//
// After the child ended, what is left of its process group gets TERM, a
// bounded wait, and KILL.
//
// CHLD, URG, PROF, XCPU, XFSZ and the signals of a fault are never caught or
// forwarded: they concern this process (URG is how the Go runtime preempts). Nor
// are STKFLT and 32 to 34, which the Go runtime keeps to itself. PIPE is
// caught and thrown away: it says that our own log went nowhere. A signal that
// was ignored when vaultexec started stays ignored, for the child too; for
// signals other than HUP, INT and the job-control ones the Go runtime replaces
// an inherited "ignore" before any of this code runs.
//
// # What a change does
//
// While the child runs, [Supervisor.Run] takes a [Change]: a newer command, files
// to put in place first, and what that does to the child (its [Reaction]). When
// it is applied is up to [Rotation]. A stop request ends a restart too.
//
// # Goroutines
//
// The loop in loop.go owns all state and runs on the caller's goroutine. Beside
// it there are only:
//
//   - those that catch signals at the start, for which Run, Become and Init wait;
//   - the Go runtime's own signal goroutine, which fills the channels;
//   - under an init, one that reads the lifeline and closes a channel at its
//     end; it lives as long as the process, since the init outlives it or its
//     death is what the goroutine waits for.
//
// In the init role: go-reap's, for the life of the process, and one that reads
// the supervisor's report, for which the init's loop waits.
//
// What the loop starts beside the child are the hooks of changes, one at a time,
// and, for each delivery, the goroutine that calls Change.Deliver; at its end Run
// cancels it and waits for it, but not for long.
//
// The states, the rotation, the terminal modes and their reasons are in docs/design-states.md.
package supervise
