package fetch

import (
	"strings"
	"time"
)

// Class says in one word what kind of trouble an error is, for the exit
// message, the termination log and metrics. Every error of this package but
// context.Canceled has one, through a method Class() string.
type Class string

const (
	ClassConfig      Class = "config"            // the settings or a reference cannot be right
	ClassAuthDenied  Class = "auth_denied"       // the login or the token was not accepted
	ClassUnreachable Class = "vault_unreachable" // no usable answer: refused, DNS, 5xx, not Vault
	ClassTimeout     Class = "timeout"           // connected, but no answer in time
	ClassTLS         Class = "tls"               // the other end could not be verified
	ClassSealed      Class = "sealed"            // Vault is up and sealed
	ClassRateLimited Class = "rate_limited"      // 429 to the end
	ClassNotFound    Class = "not_found"         // a path that holds no secret
	ClassKeyMissing  Class = "key_missing"       // a secret without the key
	ClassDenied      Class = "denied"            // a path that the policies do not open
)

// Error is any failure but missing secrets (see MissingError). Its text is one
// sentence without a secret, a token or a JWT in it.
type Error struct {
	class Class
	text  string
	cause error // context.DeadlineExceeded where the deadline ended it, or nil
	vague bool  // the deadline ended it before Vault's trouble was known

	absent bool // about a file that is not there, or has nothing in it yet

	refusal string // Vault's words, of a login that it refused
	fix     Fix    // that is known where the error is made; else see Mend

	retryAfter time.Duration // as the server asked; 0 if it did not
}

func (e *Error) Error() string { return e.text }

// Class is the error's class as its consumers compare it.
func (e *Error) Class() string { return string(e.class) }

// Unwrap gives context.DeadlineExceeded where the deadline ended the waiting.
func (e *Error) Unwrap() error { return e.cause }

func configError(text string) *Error { return &Error{class: ClassConfig, text: text} }

// mendedBy is the error with what mends it.
func (e *Error) mendedBy(first string, others ...string) *Error {
	e.fix = Paste(first, others...)
	return e
}

// flatten makes one line of Vault's error strings, which are often the
// bulleted lists of go-multierror:
//
//	2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n
func flatten(said []string) string {
	var parts []string
	for _, s := range said {
		for line := range strings.Lines(s) {
			line = strings.TrimSpace(line)
			if strings.HasSuffix(line, "occurred:") {
				continue
			}
			if line = strings.TrimPrefix(line, "* "); line != "" {
				parts = append(parts, line)
			}
		}
	}
	return strings.Join(parts, "; ")
}
