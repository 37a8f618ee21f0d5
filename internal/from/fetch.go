package from

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// Config is what is to be read.
type Config struct {
	Refs        []ref.Ref     // of --from
	Refresh     time.Duration // how often what says nothing of it is looked at, beside what the kernel tells; 0: never
	Credentials string        // $CREDENTIALS_DIRECTORY: its files are one value each
	Log         *slog.Logger
}

// Files are the files and directories that references name, each once.
type Files struct {
	places  []*place
	refresh time.Duration
	log     *slog.Logger
}

// New makes them. Nothing is read yet.
func New(cfg Config) *Files {
	f := &Files{refresh: cfg.Refresh, log: cfg.Log}
	for _, r := range cfg.Refs {
		i := slices.IndexFunc(f.places, func(p *place) bool { return p.source == r.Source })
		if i < 0 {
			i = len(f.places)
			f.places = append(f.places, &place{
				source:   r.Source,
				whole:    cfg.Credentials != "" && strings.TrimRight(cfg.Credentials, "/") == r.File,
				optional: true,
			})
		}
		p := f.places[i]
		p.refs = append(p.refs, r)
		p.optional = p.optional && r.Optional
	}
	return f
}

const (
	// settleTime is how long what is being written has to stay as it is until it
	// counts as written.
	settleTime = 200 * time.Millisecond

	// tornPatience is how long what cannot be read is taken for something that is
	// being written.
	tornPatience = 2 * time.Second
)

// Fetch reads everything. It waits for what is not there yet, or has nothing in
// it, until ctx ends: a sidecar may have begun later. What is there and cannot be
// read gets tornPatience.
//
// An optional one that is missing is not in the result. The error is a
// *MissingError, or context.Canceled.
func (f *Files) Fetch(ctx context.Context) (map[ref.Source]secret.Fields, error) {
	begun := time.Now()
	readable, said := begun, false
	var before []reading
	for {
		readings, problems := f.read()
		now := time.Now()
		switch {
		case len(problems) == 0 && settled(before, readings, now):
			return f.take(readings), nil
		case !slices.ContainsFunc(problems, (*Error).lasts):
			readable = now
		case now.Sub(readable) >= tornPatience:
			return nil, &MissingError{Findings: problems}
		}
		if len(problems) > 0 && !said && now.Sub(begun) >= tornPatience {
			said = true
			f.log.Info("waiting for what others write: " + problems[0].text)
		}
		before = readings
		select {
		case <-time.After(settleTime):
			continue
		case <-ctx.Done():
		}
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return nil, ctx.Err()
		case len(problems) > 0:
			return nil, &MissingError{Findings: problems, Waited: time.Since(begun).Round(time.Second)}
		}
		return f.take(readings), nil
	}
}

// settled tells whether what was read is all of it: two readings agree, or the
// first one found nothing that somebody may be in the middle of writing. A time
// to come, of another clock, tells nothing.
func settled(before, readings []reading, now time.Time) bool {
	if before != nil {
		return slices.EqualFunc(before, readings, reading.same)
	}
	return !slices.ContainsFunc(readings, func(r reading) bool { return now.Sub(r.written) < settleTime })
}

// read reads everything once.
func (f *Files) read() (readings []reading, problems []*Error) {
	for _, p := range f.places {
		r, err := p.read()
		if err != nil && (err.lasts() || !p.optional) {
			problems = append(problems, err)
		}
		readings = append(readings, r)
	}
	return readings, problems
}

// take makes what was read the newest there is.
func (f *Files) take(readings []reading) map[ref.Source]secret.Fields {
	secrets := map[ref.Source]secret.Fields{}
	for i, r := range readings {
		if r.fields != nil {
			f.places[i].take(r)
			secrets[f.places[i].source] = r.fields
		}
	}
	return secrets
}

// MissingError has everything that cannot be had, in the order of the settings.
type MissingError struct {
	Findings []*Error
	Waited   time.Duration // how long, where that was all that could be done
}

// Class is that of the first finding.
func (e *MissingError) Class() string { return e.Findings[0].class }

func (e *MissingError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.text
		if f.class == ClassMissing {
			lines[i] += cmp.Or(e.waited(), " yet") + ": correct the path, see to it that something writes it, or add ?optional to it"
		}
	}
	return strings.Join(lines, "\n")
}

func (e *MissingError) waited() string {
	if e.Waited == 0 {
		return ""
	}
	return fmt.Sprintf(" after %s", e.Waited)
}

// Problems are the lines about one reference.
func (e *MissingError) Problems(reference string) []string {
	var lines []string
	for _, f := range e.Findings {
		if f.reference == reference {
			lines = append(lines, f.text)
		}
	}
	return lines
}
