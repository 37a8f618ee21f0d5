package settings

import (
	"fmt"
	"io/fs"

	"vaultexec/internal/config"
	"vaultexec/internal/env"
	"vaultexec/internal/ref"
)

// sinkMode is what the agent gives a sink that does not say.
const sinkMode fs.FileMode = 0o640

// sinks takes over the files of the token. A new token replaces the old one
// there, which is no change that the command has to be told of.
func (l *layer) sinks(c *config.Config, made stronger) {
	for _, sink := range c.AutoAuth.Sinks {
		if made.file(sink.Path.Value) {
			continue
		}
		mode := sinkMode
		if sink.Mode.IsSet() {
			mode = sink.Mode.Value
		}
		r := ref.Ref{Source: ref.Source{Login: true}, Key: ref.TokenKey, OnChange: "none", Format: "raw", Mode: fmt.Sprintf("%04o", mode)}
		if sink.Owner.IsSet() {
			r.Owner = fmt.Sprint(sink.Owner.Value)
		}
		if sink.Group.IsSet() {
			r.Owner += fmt.Sprintf(":%d", sink.Group.Value)
		}
		l.settings.files.Tokens = append(l.settings.files.Tokens, env.File{Dest: sink.Path.Value, Ref: r, Place: sink.Place + ": sink " + sink.Path.Value})
	}
}
