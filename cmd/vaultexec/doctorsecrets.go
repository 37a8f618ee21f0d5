package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"vaultexec/internal/fetch"
	"vaultexec/internal/ref"
)

// examineSecrets asks what the token may do with each reference, and reads them.
func (d *doctor) examineSecrets(ctx context.Context, refs []ref.Ref) {
	closed := d.examinePermissions(ctx, refs)
	if d.planner == nil {
		return
	}
	readable := refs[:0:0]
	for _, r := range refs {
		if r.Body == "" { // what a write makes is not made for a look
			readable = append(readable, r)
		}
	}
	secrets, _, err := d.client.Survey(ctx, readable, 0)
	var missing *fetch.MissingError
	switch {
	case errors.As(err, &missing):
		for _, f := range missing.Findings {
			if !closed[f.Reference] {
				d.failed("secrets", missing.Class(), f.String(), d.mendFinding(f))
			}
		}
		if missing.Unasked != nil {
			d.vaultFailed("secrets", missing.Unasked)
		}
	case err != nil:
		d.vaultFailed("secrets", err)
	case len(readable) > 0:
		d.ok("secrets", fmt.Sprintf("all are there (%d)", len(readable)))
	}
	if err != nil || len(readable) < len(refs) {
		d.skipped("sizes", "not everything was read")
		return
	}
	d.examinePlan(ctx, secrets)
}

// examinePermissions asks Vault for them, and returns the references of which it is
// known that they cannot be read.
func (d *doctor) examinePermissions(ctx context.Context, refs []ref.Ref) map[string]bool {
	const check = "capabilities"
	permissions, err := d.client.Permissions(ctx, refs)
	if err != nil {
		d.vaultFailed(check, err)
	}
	closed := map[string]bool{}
	var unknown []string
	for _, p := range permissions {
		switch {
		case p.Reason != "":
			closed[p.Reference] = true
			class, fix := fetch.ClassDenied, p.Fix
			if p.Mount != "" { // it is there, and the reference is wrong
				class, fix = fetch.ClassConfig, d.withoutVersion(p.Reference, p.Fix)
			}
			d.failed(check, string(class), p.Reference+": "+p.Reason, fix)
		case p.Unknown:
			unknown = append(unknown, p.Reference)
		case !p.OK:
			closed[p.Reference] = true
			d.failed(check, string(fetch.ClassDenied), fmt.Sprintf("%s: the policies do not allow %s of %s (%s)", p.Reference, p.Needs, p.Path, p.Mount), p.Fix)
		default:
			d.ok(check, fmt.Sprintf("%s: %s of %s (%s)", p.Reference, p.Needs, p.Path, p.Mount))
		}
	}
	if len(unknown) > 0 {
		d.warn(check, "the token may not ask what it may do with "+strings.Join(unknown, ", "), fetch.Paste(`path "sys/capabilities-self" { capabilities = ["update"] }`))
	}
	return closed
}

// withoutVersion is the fix, with what asks for a version without it in front.
func (d *doctor) withoutVersion(reference string, fix fetch.Fix) fetch.Fix {
	for _, r := range d.asked(reference) {
		if r.ref.Version != 0 {
			r.ref.Version = 0
			return fetch.Paste(r.flag()+"   # without the version"+r.where(), fix.Lines()...)
		}
	}
	return fix
}

// mendFinding is what may mend a secret or a key that is not there. Where another
// name is near, that comes first: a slip is likelier than a secret that nobody has
// written.
func (d *doctor) mendFinding(f fetch.Finding) fetch.Fix {
	var lines []string
	for _, r := range d.asked(f.Reference) {
		for _, near := range f.Near {
			switch {
			case f.Kind == fetch.NotFound:
				r.ref.Path = near
			case r.ref.Key == "": // it is a name of only= that is missing
				continue
			default:
				r.ref.Key = near
			}
			lines = append(lines, r.flag()+r.insteadOf(f.Reference))
		}
	}
	if len(lines) == 0 {
		return f.Mend()
	}
	return fetch.Paste(lines[0], append(lines[1:], f.Mend().Lines()...)...)
}
