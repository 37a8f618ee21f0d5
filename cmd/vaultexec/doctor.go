package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/supervise"
)

// symptom is one thing that the doctor has looked at.
type symptom struct {
	Check  string   `json:"check"`
	State  string   `json:"state"`
	Detail string   `json:"detail"`
	Fix    []string `json:"fix,omitempty"` // commands, or lines of a policy, any of which may mend it
}

// The states of a symptom, beside stateOK.
const (
	stateWarning = "warning" // it works, and may not for long
	stateFailed  = "failed"
	stateSkipped = "skipped" // what it needs has failed
)

// diagnosis is what the doctor prints.
type diagnosis struct {
	OK     bool      `json:"ok"`
	Class  string    `json:"class,omitempty"` // of the first failure
	Checks []symptom `json:"checks"`
}

// doctor looks at everything that has to be well for a command to start, in the
// order in which one needs the other, and goes on as far as it can.
type doctor struct {
	*stage
	planner *env.Planner
	client  *fetch.Client // nil: there is nothing to ask Vault for, or no way
	line    fetch.Line    // to Vault
	diagnosis
	code exitCode
}

// doctorError is the end of an examination that has found something.
type doctorError struct {
	failures int
	class    string
	code     exitCode
}

func (e *doctorError) Error() string {
	if e.failures == 1 {
		return "one check has failed: see above for what mends it"
	}
	return fmt.Sprintf("%d checks have failed: see above for what mends them, the first first", e.failures)
}
func (e *doctorError) Class() string { return e.class }
func (e *doctorError) Code() int     { return int(e.code) }

// examine is the verb.
func (s *stage) examine(asJSON bool) supervise.Outcome {
	d := &doctor{stage: s}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	startc := make(chan supervise.Start, 1)
	go func() { // ends soon after cancel; nobody waits for it then, the process ends
		d.run(ctx)
		startc <- supervise.Start{}
	}()
	if outcome := s.stops.Wait(startc, cancel); outcome.Code != 0 {
		return outcome
	}
	defer d.revoke()
	err := d.conclude()
	if printErr := d.print(s.stdout, asJSON); printErr != nil {
		err = printErr
	}
	return supervise.Outcome{Err: err}
}

// run makes all checks.
func (d *doctor) run(ctx context.Context) {
	<-d.stops.Caught()
	var err error
	if d.planner, err = env.NewPlanner(sources(d.settings, d.environ)); err != nil {
		d.findings("settings", err, nil)
	} else {
		d.ok("settings", "they go together")
	}
	d.examineVault(ctx)
	d.examineFiles()
	d.examineHere()
}

// note adds what a check came to. No failure and no warning goes without what
// mends it.
func (d *doctor) note(check, state, detail string, fix ...string) {
	d.Checks = append(d.Checks, symptom{check, state, detail, fix})
}

func (d *doctor) ok(check, detail string)       { d.note(check, stateOK, detail) }
func (d *doctor) skipped(check, because string) { d.note(check, stateSkipped, because) }
func (d *doctor) warn(check, detail string, fix fetch.Fix) {
	d.note(check, stateWarning, detail, fix.Lines()...)
}
func (d *doctor) failed(check, class, detail string, fix fetch.Fix) {
	if d.Class == "" {
		d.Class = class
	}
	if d.code == exitOK {
		d.code = exitMissing
	}
	d.note(check, stateFailed, detail, fix.Lines()...)
}

// trouble is a failure for which Vault cannot be asked.
func (d *doctor) trouble(check string, err error, fix fetch.Fix) {
	d.failed(check, classOf(err), err.Error(), fix)
	d.code = exitTrouble
}

// vaultFailed is a failure of something asked of Vault: its trouble, or that it
// refuses.
func (d *doctor) vaultFailed(check string, err error) {
	switch fetch.Class(classOf(err)) {
	case fetch.ClassUnreachable, fetch.ClassTimeout, fetch.ClassTLS, fetch.ClassSealed, fetch.ClassRateLimited:
		d.trouble(check, err, d.client.Mend(err))
	default:
		d.failed(check, classOf(err), err.Error(), d.client.Mend(err))
	}
}

// conclude makes the error of it.
func (d *doctor) conclude() error {
	failures := 0
	for _, c := range d.Checks {
		if c.State == stateFailed {
			failures++
		}
	}
	if d.OK = failures == 0; d.OK {
		return nil
	}
	return &doctorError{failures, d.Class, d.code}
}

// revoke gives back the token of the examination's login.
func (d *doctor) revoke() {
	if d.client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), revokeTimeout)
	defer cancel()
	if err := d.client.Revoke(fetch.Once(ctx), false); err != nil {
		d.log.Debug("the token is not revoked: " + err.Error())
	}
}

// print writes it for a person or a program.
func (d *diagnosis) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return encodeJSON(w, d)
	}
	width := 0
	for _, c := range d.Checks {
		width = max(width, len(c.Check))
	}
	var b strings.Builder
	row := func(state, check, text string) {
		// What has several lines goes on below itself.
		indent := "\n" + strings.Repeat(" ", len("skipped")+2+width+2)
		fmt.Fprintf(&b, "%-7s  %-*s  %s\n", state, width, check, strings.ReplaceAll(text, "\n", indent))
	}
	for i := 0; i < len(d.Checks); i++ {
		c := d.Checks[i]
		if alike := alikeSkipped(d.Checks[i:]); len(alike) > 1 {
			row(c.State, fmt.Sprintf("%d checks", len(alike)), strings.Join(alike, ", ")+": "+c.Detail)
			i += len(alike) - 1
			continue
		}
		row(c.State, c.Check, c.Detail)
		word := "fix"
		for _, fix := range c.Fix {
			row("    "+word, "", fix)
			word = " or"
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// alikeSkipped are the checks at the beginning that are skipped for one reason.
func alikeSkipped(checks []symptom) []string {
	var names []string
	for _, c := range checks {
		if c.State != stateSkipped || c.Detail != checks[0].Detail {
			break
		}
		names = append(names, c.Check)
	}
	return names
}

// lately is a length of time for a person.
func lately(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
	return d.Round(time.Second).String()
}
