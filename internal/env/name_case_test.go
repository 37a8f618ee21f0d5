package env

import (
	"testing"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// --case mends nothing where the reference has a word of its own.
func TestCaseFixes(t *testing.T) {
	fields := secret.Fields{"a": secret.Of("1"), "A": secret.Of("2")}
	for own, want := range map[bool]string{false: "--case keep", true: ""} {
		var rep report
		rename("", fields, naming{upper: true, own: own}, &rep)
		if len(rep.findings) != 1 || rep.findings[0].Fix() != want {
			t.Errorf("own case %v: %+v, want the fix %q", own, rep.findings, want)
		}
	}
	for c, want := range map[ref.Case]string{ref.CaseDefault: "--case upper", ref.CaseKeep: ""} {
		var rep report
		asVariables("", ref.Ref{Case: c}, []named{{"1-a", "1-a", secret.Of("1")}}, &rep)
		if len(rep.findings) != 1 || rep.findings[0].Fix() != want {
			t.Errorf("case %q: %+v, want the fix %q", c, rep.findings, want)
		}
	}
}
