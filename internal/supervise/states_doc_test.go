package supervise

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// statesDoc is the page whose table must be what step does.
const statesDoc = "../../docs/design-states.md"

// stateTable renders what step does, row by row.
func stateTable() string {
	var b strings.Builder
	fmt.Fprintln(&b, "| state | event | next state | actions |")
	fmt.Fprintln(&b, "|---|---|---|---|")
	rows := []struct {
		event string
		e     event
		now   time.Time
	}{
		{"commandPrepared", anEvent(commandPrepared), noon},
		{"preparationFailed", anEvent(preparationFailed), noon},
		{"childStarted", anEvent(childStarted), noon},
		{"startFailed", anEvent(startFailed), noon},
		{"signalReceived TERM", signalled(syscall.SIGTERM), noon},
		{"signalReceived INT, QUIT", signalled(syscall.SIGINT), noon},
		{"signalReceived, another", signalled(syscall.SIGUSR1), noon},
		{"signalReceived CONT", signalled(syscall.SIGCONT), noon},
		{"signalReceived TSTP, TTIN, TTOU", signalled(syscall.SIGTSTP), noon},
		{"childStopped TSTP", anEvent(childStopped), noon},
		{"childStopped TTIN, TTOU", event{kind: childStopped, sig: syscall.SIGTTIN}, noon},
		{"childExited", anEvent(childExited), noon},
		{"groupEmptied", anEvent(groupEmptied), noon},
		{"initLost", anEvent(initLost), noon},
		{"changeReceived", anEvent(changeReceived), noon},
		{"changeDelivered", anEvent(changeDelivered), noon},
		{"deliveryFailed", anEvent(deliveryFailed), noon},
		{"hookEnded", anEvent(hookEnded), noon},
		{"timeElapsed, before the deadline", anEvent(timeElapsed), noon.Add(lookInterval)},
		{"timeElapsed, at the deadline", anEvent(timeElapsed), noon.Add(time.Hour)},
	}
	cells := map[string]string{} // key -> value: standing and event -> what it does
	for _, standing := range standings {
		for _, row := range rows {
			cell := modesCell(standing.state, row.e, row.now)
			cells[standing.name+row.event] = cell
			like := ""
			if standing.like != "" {
				like = cells[standing.like+row.event]
			}
			switch {
			case cell == like:
				continue
			case cell == "":
				cell = standing.state.name() + " | nothing"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", standing.name, row.event, cell)
		}
	}
	return b.String()
}

// modesCell is what an event does in all modes: next state and actions without
// a terminal, then the modes in which it does something else. Empty: nothing.
func modesCell(s state, e event, now time.Time) string {
	before := s.name()
	next, did := describe(noTerminal, s, e, now)
	effects, active := []string{did}, next != before || did != ""
	for _, mode := range []terminalMode{session, foreground, shared} {
		otherNext, otherDid := describe(mode, s, e, now)
		if otherNext == next && otherDid == did {
			continue
		}
		active = true
		if otherDid == "" {
			otherDid = "nothing"
		}
		if otherNext != next {
			otherDid += fmt.Sprintf(" (%s)", otherNext)
		}
		effects = append(effects, fmt.Sprintf("*%s:* %s", mode, otherDid))
	}
	if !active {
		return ""
	}
	return fmt.Sprintf("%s | %s", next, strings.TrimPrefix(strings.Join(effects, "; "), "; "))
}

// describe is what an event does in one mode.
func describe(mode terminalMode, s state, e event, now time.Time) (string, string) {
	next, actions := testRules(mode).step(s, e, now)
	if len(next.kept) > len(s.kept) {
		return next.name(), "kept until the start"
	}
	if e.kind == changeReceived && next.rotation.pending.exists() {
		return next.name(), "collected"
	}
	if !next.followAt.IsZero() {
		return next.name(), fmt.Sprintf("suspendSelf(%s) in %s, if it is still stopped", signalName(next.follow), followDelay)
	}
	return next.name(), show(actions)
}

// name is the state with what comes after the child, as the table has it.
func (s state) name() string {
	if s.ending() || s.then == thenEnd || s.phase == starting || s.phase == backingOff {
		return s.phase.String()
	}
	return fmt.Sprintf("%s (%s)", s.phase, s.then)
}

// Run with UPDATE_DOCS=1 to write the table.
func TestDocHasTheStateTable(t *testing.T) {
	const begin, end = "<!-- state table: begin -->\n", "<!-- state table: end -->\n"
	page, err := os.ReadFile(statesDoc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks of the state table", statesDoc)
	}
	want := stateTable()
	if table == want {
		return
	}
	if os.Getenv("UPDATE_DOCS") == "" {
		t.Fatalf("%s is not what step does, which is:\n%s", statesDoc, want)
	}
	if err := os.WriteFile(statesDoc, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Every name that the code prints stands in the page.
func TestDocNamesEverything(t *testing.T) {
	page, err := os.ReadFile(statesDoc)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for p := preparing; p <= ended; p++ {
		names = append(names, p.String())
	}
	for k := commandPrepared; k <= timeElapsed; k++ {
		names = append(names, k.String())
	}
	for v := cancelPreparation; v <= tellApplied; v++ {
		names = append(names, v.String())
	}
	for k := ChildStarted; k <= RestartImpossible; k++ {
		names = append(names, k.String())
	}
	for m := noTerminal; m <= shared; m++ {
		names = append(names, m.String())
	}
	for _, name := range names {
		if !strings.Contains(string(page), name) {
			t.Errorf("%s does not mention %s", statesDoc, name)
		}
	}
}
