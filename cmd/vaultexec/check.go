package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/from"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/supervise"
)

// checkError is the end of a check that found something. It has an exit status
// of its own.
type checkError struct {
	error // what was found
	code  exitCode
}

func (e *checkError) Code() int     { return int(e.code) }
func (e *checkError) Class() string { return classOf(e.error) }
func (e *checkError) Unwrap() error { return e.error }

// checked is a reference and what a check found about it.
type checked struct {
	Reference string   `json:"reference"`
	OK        bool     `json:"ok"`
	Problems  []string `json:"problems,omitempty"`
}

// checkResult is what a check prints. It has no values.
type checkResult struct {
	OK         bool      `json:"ok"`
	Class      string    `json:"class,omitempty"`
	References []checked `json:"references"`
	Problems   []string  `json:"problems,omitempty"` // that are of no single reference
}

// checkReferences resolves everything, files included, without writing one,
// and says what became of each reference. Its login leaves nothing behind.
func (s *stage) checkReferences(asJSON bool) supervise.Outcome {
	if err := s.spare(); err != nil {
		return supervise.Outcome{Err: err}
	}
	prep, outcome := s.prepare(everySource)
	if prep == nil || outcome.Err == nil && outcome.Code != 0 {
		return outcome
	}
	defer prep.revoke()
	result, err := judge(prep.planner, outcome.Err)
	if printErr := result.print(s.stdout, asJSON); printErr != nil {
		err = printErr
	}
	return supervise.Outcome{Err: err}
}

// spare keeps a look from using up what the command's own login needs: a JWT and a
// secret ID are not removed, and what is good for one login is left alone.
func (s *stage) spare() error {
	s.settings.RemoveJWT, s.settings.RemoveSecretID = false, false
	if !s.settings.Wrapped {
		return nil
	}
	return &usageError{s.settings.Origin("wrapped") + ": a wrapping token can be unwrapped once, and that is for the command: vaultexec doctor looks at everything before the login"}
}

// judge sorts what went wrong by reference.
func judge(planner *env.Planner, err error) (checkResult, error) {
	result := checkResult{References: []checked{}} // null says nothing
	var missing *fetch.MissingError
	var files *from.MissingError
	var trouble *fetch.Error
	var found env.Findings
	unasked := err != nil // what was not asked for is not known
	errors.As(err, &found)
	for _, f := range found {
		if f.Reference() == "" {
			result.Problems = append(result.Problems, f.Error())
		}
	}
	errors.As(err, &files)
	errors.As(err, &trouble)
	switch {
	case err == nil:
		result.OK = true
	case errors.As(err, &missing):
		err = &checkError{err, exitMissing}
		unasked = missing.Unasked != nil
	case files != nil:
		err = &checkError{err, exitMissing}
		unasked = trouble != nil
	case trouble != nil && trouble.Class() != env.ClassConfig:
		err = &checkError{err, exitTrouble}
	case found != nil && trouble == nil:
		err, unasked = &checkError{err, exitMissing}, false
	}
	if err != nil {
		result.Class = classOf(err)
	}
	filesRead := files != nil || missing != nil || trouble != nil // they come before Vault
	for _, r := range planner.Refs() {
		name := r.String()
		c := checked{Reference: name, OK: true}
		if r.Version != 0 { // others may name the same secret without it
			c.Reference = fmt.Sprintf("%s version %d", name, r.Version)
		}
		if missing != nil {
			for _, f := range missing.Findings {
				if f.Reference == name && f.Version == r.Version {
					c.Problems = append(c.Problems, f.String())
				}
			}
		}
		if files != nil {
			c.Problems = append(c.Problems, files.Problems(name)...)
		}
		for _, f := range found {
			if f.Reference() == name {
				c.Problems = append(c.Problems, f.Error())
			}
		}
		c.OK = len(c.Problems) == 0 && (!unasked || r.File != "" && filesRead)
		if !slices.ContainsFunc(result.References, func(o checked) bool { return o.Reference == c.Reference }) {
			result.References = append(result.References, c)
		}
	}
	return result, err
}

// wrongAnyway is what is wrong with the variables, whatever becomes of the secrets
// that are not there; nil: nothing. One of those may have the name, and settle it.
func wrongAnyway(planner *env.Planner, secrets map[ref.Source]secret.Fields) error {
	var found env.Findings
	if _, err := planner.Plan(secrets); !errors.As(err, &found) {
		return nil
	}
	items := planner.Items(secrets)
	found = slices.DeleteFunc(slices.Clone(found), func(f *env.Finding) bool {
		return f.Variable() == "" || slices.ContainsFunc(items, func(i env.Item) bool { return i.Name == f.Variable() && !i.There })
	})
	if len(found) == 0 {
		return nil
	}
	return found
}

// print writes the result for a person or for a program.
func (r checkResult) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return encodeJSON(w, r)
	}
	var b strings.Builder
	for _, c := range r.References {
		state := "ok      "
		switch {
		case len(c.Problems) > 0:
			state = "missing "
		case !c.OK:
			state = "unknown "
		}
		fmt.Fprintln(&b, state+c.Reference)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
