package annotations

import (
	"errors"
	"strconv"
	"time"

	"vaultexec/internal/config"
)

// without looks at what the Injector's agent can be told and vaultexec does in its
// own way. Whoever has said the Injector's default wants nothing.
func (p *pod) without() {
	noEffect(p, "client-max-retries", p.number, 2, "a request is tried again until --startup-timeout, and later for ever")
	noEffect(p, "auth-min-backoff", p.duration, time.Second, "vaultexec has its own waits between logins")
	noEffect(p, "auth-max-backoff", p.duration, 5*time.Minute, "vaultexec has its own waits between logins")
	noEffect(p, "agent-auto-auth-exit-on-err", p.yes, false, "a login that is refused ends the start, and never a running command")
	noEffect(p, "agent-revoke-grace", p.number, 5, "the token is revoked when the command has ended")
	noEffect(p, "template-lease-renewal-threshold", p.float, 0.9, "vaultexec has its own time at which a lease is replaced")
}

// noEffect reads an annotation, and says so where it asks for something else than
// the Injector's default.
func noEffect[T comparable](p *pod, name string, read func(string) config.Given[T], usual T, why string) {
	if v := read(name); v.IsSet() && v.Value != usual {
		p.note(name, "has no effect: %s", why)
	}
}

func (p *pod) float(name string) config.Given[float64] {
	return parsed(p, name, func(text string) (float64, error) {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, errors.New("is not a number, such as 0.90")
		}
		return v, nil
	})
}
