package supervise

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// at returns the state in which a run is in phase p at noon, with the
// deadline still to come.
func at(p phase) state {
	s := state{phase: p}
	switch p {
	case stopping:
		s.deadline = noon.Add(30 * time.Second)
	case draining:
		s.deadline = noon.Add(drainTimeout)
		s.lookAt = noon.Add(lookInterval)
		s.outcome = Outcome{Code: 7}
	case starting, ended:
		s.outcome = Outcome{Code: 7}
	case backingOff:
		s.then = thenBackOff
		s.deadline = noon.Add(firstBackOff)
		s.outcome = Outcome{Code: 7}
	}
	return s
}

// atThen is at with what comes after the child.
func atThen(p phase, then successor) state {
	s := at(p)
	s.then = then
	return s
}

// atStage is at with changes in some stage.
func atStage(s state, stage stage) state {
	b := batchOf(Change{Command: sleeper, Reaction: ReactRestart, Reason: "secret kv/app"}, 0, noon)
	s.rotation.stage = stage
	switch stage {
	case quiet:
		b.due = noon
		s.rotation.pending = b
	case hooking:
		s.rotation.hookAt = noon.Add(defaultHookTimeout)
		s.rotation.applying = b
	case delivering:
		s.rotation.lateAt = noon.Add(deliveryTimeout)
		s.rotation.applying = b
	}
	return s
}

// atLate is at with a delivery that has taken too long.
func atLate(s state) state {
	s = atStage(s, delivering)
	s.rotation.lateAt, s.rotation.late = time.Time{}, true
	return s
}

// atKilled is at with what is left after a KILL, and whether that was told.
func atKilled(s state, told bool) state {
	s.killedAt, s.kills, s.stuck = noon, 1, told
	s.deadline = noon.Add(firstKillAgain)
	return s
}

// standings are the states that differ in what events do, by the names that
// docs/design-states.md has for them, in its order. In the page's table stands
// only what one does differently from the one that it is like.
var standings = []struct {
	name  string
	state state
	like  string
}{
	{"preparing", at(preparing), ""},
	{"running", at(running), ""},
	{"running (changes wait)", atStage(at(running), quiet), "running"},
	{"running (delivering)", atStage(at(running), delivering), "running"},
	{"running (delivering, late)", atLate(at(running)), "running (delivering)"},
	{"running (hook runs)", atStage(at(running), hooking), "running"},
	{"stopping", at(stopping), ""},
	{"stopping (restart)", atThen(stopping, thenStart), ""},
	{"killing", at(killing), ""},
	{"killing (restart)", atThen(killing, thenStart), ""},
	{"draining", at(draining), ""},
	{"draining (restart)", atThen(draining, thenStart), ""},
	{"draining (restart, KILL sent)", atKilled(atThen(draining, thenStart), false), "draining (restart)"},
	{"draining (restart, KILL sent, told)", atKilled(atThen(draining, thenStart), true), "draining (restart, KILL sent)"},
	{"draining (new try)", atThen(draining, thenBackOff), ""},
	{"draining (new try, delivering)", atStage(atThen(draining, thenBackOff), delivering), "draining (new try)"},
	{"starting (delivering)", atStage(atThen(starting, thenStart), delivering), "starting"},
	{"starting", atThen(starting, thenStart), ""},
	{"backingOff", at(backingOff), ""},
	{"backingOff (changes wait)", atStage(at(backingOff), quiet), "backingOff"},
	{"backingOff (delivering, late)", atLate(at(backingOff)), "backingOff"},
	{"backingOff (hook runs)", atStage(at(backingOff), hooking), "backingOff"},
	{"ended", at(ended), ""},
}

// anEvent returns an event of each kind, as the loop makes it.
func anEvent(k eventKind) event {
	e := event{kind: k}
	switch k {
	case signalReceived:
		e.sig = syscall.SIGUSR1
	case childStopped:
		e.sig = syscall.SIGTSTP
	case childExited:
		e.code = 7
	case preparationFailed, startFailed, deliveryFailed:
		e.err = errNoMore
	case commandPrepared:
		e.command = sleeper
	case changeReceived:
		e.change = Change{Command: sleeper, Reaction: ReactRestart, Reason: "secret kv/db"}
	}
	return e
}

// show writes actions the way docs/design-states.md does.
func show(actions []action) string {
	var words []string
	for _, a := range actions {
		word := a.verb.String()
		switch {
		case a.verb == tell:
			word += "(" + a.told.event.Kind.String() + ")"
		case a.sig != 0:
			word += "(" + signalName(a.sig) + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// cell is what a pair of state and event comes to.
type cell struct {
	next    phase
	actions string
}

// The cells of a child that runs, whatever becomes of changes.
var runningCells = map[eventKind]cell{
	signalReceived: {running, "signalChild(USR1)"},
	childExited:    {draining, "tell(ChildExited), signalGroup(TERM), lookAtGroup"},
	initLost:       {stopping, "signalChild(TERM)"},
	changeReceived: {running, ""},
}

// The cells of what a child left when there will be another child.
var drainingCells = map[eventKind]cell{
	signalReceived: {draining, ""},
	timeElapsed:    {draining, "signalGroup(KILL)"},
	initLost:       {draining, ""},
	changeReceived: {draining, ""},
}

// The cells of the time between two children.
var betweenCells = map[eventKind]cell{
	signalReceived: {starting, ""},
	startFailed:    {ended, "tell(RestartImpossible)"},
	childStarted:   {running, "tell(ChildStarted)"},
	initLost:       {ended, ""},
	changeReceived: {starting, ""},
}

var backingOffCells = map[eventKind]cell{
	signalReceived: {backingOff, ""},
	initLost:       {ended, ""},
	timeElapsed:    {starting, "startChild"},
	changeReceived: {backingOff, ""},
}

// with is a with the cells of b put over them.
func with(a, b map[eventKind]cell) map[eventKind]cell {
	sum := maps.Clone(a)
	maps.Copy(sum, b)
	return sum
}

// cells holds every pair of state and event that does something, for a child
// in a group of its own and without a terminal. Every pair that is not here is
// ignored: same state, no action.
var cells = map[string]map[eventKind]cell{
	"preparing": {
		commandPrepared:   {preparing, "startChild"},
		preparationFailed: {ended, ""},
		childStarted:      {running, "tell(ChildStarted)"},
		startFailed:       {ended, ""},
		signalReceived:    {preparing, ""},
		initLost:          {ended, "cancelPreparation"},
	},
	"running": runningCells,
	"running (changes wait)": with(runningCells, map[eventKind]cell{
		timeElapsed: {running, "deliverChange"},
	}),
	"running (delivering)": with(runningCells, map[eventKind]cell{
		changeDelivered: {stopping, "tell(RestartBegan), signalChild(TERM)"},
		deliveryFailed:  {running, "tell(DeliveryFailed)"},
		timeElapsed:     {running, "tell(DeliveryLate)"},
	}),
	"running (delivering, late)": with(runningCells, map[eventKind]cell{
		changeDelivered: {stopping, "tell(DeliveryEnded), tell(RestartBegan), signalChild(TERM)"},
		deliveryFailed:  {running, "tell(DeliveryFailed)"},
	}),
	"running (hook runs)": with(runningCells, map[eventKind]cell{
		childExited: {draining, "tell(ChildExited), killHook, signalGroup(TERM), lookAtGroup"},
		initLost:    {stopping, "killHook, signalChild(TERM)"},
		hookEnded:   {running, "tell(HookRan)"},
		timeElapsed: {running, "tell(HookTimedOut), killHook"},
	}),
	"stopping": {
		signalReceived: {stopping, "signalChild(USR1)"},
		childExited:    {draining, "tell(ChildExited), signalGroup(TERM), lookAtGroup"},
		initLost:       {stopping, "signalChild(TERM)"},
		timeElapsed:    {killing, "signalChild(KILL)"},
	},
	"stopping (restart)": {
		signalReceived: {stopping, "signalChild(USR1)"},
		childExited:    {draining, "tell(ChildExited), signalGroup(TERM), lookAtGroup"},
		initLost:       {stopping, "signalChild(TERM)"},
		timeElapsed:    {killing, "signalGroup(KILL)"},
		changeReceived: {stopping, ""},
	},
	"killing": {
		childExited: {draining, "tell(ChildExited), signalGroup(TERM), lookAtGroup"},
	},
	"killing (restart)": {
		signalReceived: {killing, ""},
		initLost:       {killing, ""},
		childExited:    {draining, "tell(ChildExited), signalGroup(TERM), lookAtGroup"},
		changeReceived: {killing, ""},
	},
	"draining": {
		signalReceived: {draining, "signalGroup(USR1)"},
		groupEmptied:   {ended, "reapChild"},
		timeElapsed:    {ended, "signalGroup(KILL), reapChild"},
	},
	"draining (restart)": with(drainingCells, map[eventKind]cell{groupEmptied: {starting, "reapChild, startChild"}}),
	"draining (restart, KILL sent)": with(drainingCells, map[eventKind]cell{
		groupEmptied: {starting, "reapChild, startChild"},
		timeElapsed:  {draining, "signalGroup(KILL), tell(GroupRemains)"},
	}),
	"draining (restart, KILL sent, told)": with(drainingCells, map[eventKind]cell{groupEmptied: {starting, "reapChild, startChild"}}),
	"draining (new try)":                  with(drainingCells, map[eventKind]cell{groupEmptied: {backingOff, "reapChild"}}),
	"draining (new try, delivering)": with(drainingCells, map[eventKind]cell{
		groupEmptied:    {backingOff, "reapChild"},
		changeDelivered: {draining, ""},
		deliveryFailed:  {draining, "tell(DeliveryFailed)"},
		timeElapsed:     {draining, "tell(DeliveryLate)"},
	}),
	"starting (delivering)": with(betweenCells, map[eventKind]cell{
		changeDelivered: {starting, "startChild"},
		deliveryFailed:  {starting, "tell(DeliveryFailed), startChild"},
		timeElapsed:     {starting, "tell(DeliveryLate), startChild"},
	}),
	"starting":   betweenCells,
	"backingOff": backingOffCells,
	"backingOff (changes wait)": with(backingOffCells, map[eventKind]cell{
		timeElapsed: {starting, "deliverChange"},
	}),
	"backingOff (delivering, late)": with(backingOffCells, map[eventKind]cell{
		changeDelivered: {backingOff, "tell(DeliveryEnded)"},
		deliveryFailed:  {backingOff, "tell(DeliveryFailed)"},
	}),
	"backingOff (hook runs)": with(backingOffCells, map[eventKind]cell{
		initLost:    {ended, "killHook"},
		hookEnded:   {backingOff, "tell(HookRan)"},
		timeElapsed: {backingOff, "tell(HookTimedOut), killHook"},
	}),
}

func TestStepEveryCell(t *testing.T) {
	r := testRules(noTerminal)
	var visited []phase
	for _, standing := range standings {
		visited = append(visited, standing.state.phase)
		for k := commandPrepared; k <= timeElapsed; k++ {
			now := noon
			if k == timeElapsed {
				now = noon.Add(time.Hour)
			}
			next, actions := r.step(standing.state, anEvent(k), now)
			want, ok := cells[standing.name][k]
			if !ok {
				if len(actions) > 0 || !reflect.DeepEqual(next, standing.state) {
					t.Errorf("%s in %s is not ignored: %s, %s", k, standing.name, next.phase, show(actions))
				}
				continue
			}
			if next.phase != want.next || show(actions) != want.actions {
				t.Errorf("%s in %s: %s [%s], want %s [%s]", k, standing.name, next.phase, show(actions), want.next, want.actions)
			}
			if reflect.DeepEqual(next, standing.state) && len(actions) == 0 {
				t.Errorf("%s in %s is ignored", k, standing.name)
			}
		}
	}
	for p := preparing; p <= ended; p++ {
		if !slices.Contains(visited, p) {
			t.Errorf("no standing has the state %s", p)
		}
	}
}

// Where there may be another child, whatever asks to stop makes sure that there
// is none: no event may start one afterwards.
func TestP4StepNoStartAfterAStop(t *testing.T) {
	r := testRules(noTerminal)
	r.rotation.OnFailure = true
	for _, standing := range standings {
		for _, stop := range []event{
			signalled(syscall.SIGTERM), signalled(syscall.SIGINT), signalled(syscall.SIGQUIT), {kind: initLost},
		} {
			s := standing.state
			if (s.then == thenEnd || s.phase == ended) && stop.sig != syscall.SIGTERM {
				continue // to a child that runs INT and QUIT may mean something else
			}
			s, actions := r.step(s, stop, noon)
			seen := map[string]bool{}
			noStart(t, r, standing.name+", "+stop.kind.String(), s, actions, seen)
		}
	}
}

// noStart follows every event from s, and from where that leads.
func noStart(t *testing.T, r rules, way string, s state, actions []action, seen map[string]bool) {
	t.Helper()
	if strings.Contains(show(actions), "startChild") {
		t.Fatalf("after %s a child is started", way)
	}
	key := s.phase.String() + s.deadline.String() + s.rotation.pending.due.String()
	if s.phase == ended || seen[key] {
		return
	}
	seen[key] = true
	if !s.ending() {
		t.Errorf("after %s the run is not ending: %+v", way, s)
	}
	for k := childStarted; k <= timeElapsed; k++ {
		next, actions := r.step(s, anEvent(k), noon.Add(time.Hour))
		if k != childStarted && k != startFailed {
			noStart(t, r, way+", "+k.String(), next, actions, seen)
		}
	}
}
