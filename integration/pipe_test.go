//go:build linux

package integration

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// newPipe makes a pipe with a name.
func newPipe(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pipe")
	mustDo(t, syscall.Mkfifo(file, 0o600))
	return file
}

// writeEnd opens the other end of a pipe once a run has opened it, or begun to.
func (r *running) writeEnd(file string) (end *os.File) {
	r.t.Helper()
	r.poll("the pipe to be opened", func() bool {
		var err error
		end, err = os.OpenFile(file, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		return err == nil
	})
	return end
}

// The settings may come of a pipe whose writer never comes, or never ends. A stop
// does not wait for it.
func TestP4StopWhileAPipeIsRead(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--env-file", "--config", "--annotations"} {
		for _, p := range everywhere {
			t.Run(flag+" "+p.name, func(t *testing.T) {
				t.Parallel()
				t.Run("opened", func(t *testing.T) {
					stopsPromptly(t, syscall.SIGTERM, func() *running {
						first, second := newPipe(t), newPipe(t)
						r := p.start(p.vaultexec(t, "--env-file", first, flag, second))
						mustDo(t, r.writeEnd(first).Close()) // from here on it is at the second one
						return r
					})
				})
				t.Run("read", func(t *testing.T) {
					stopsPromptly(t, syscall.SIGINT, func() *running {
						pipe := newPipe(t)
						r := p.start(p.vaultexec(t, flag, pipe))
						end := r.writeEnd(pipe)
						t.Cleanup(func() { _ = end.Close() }) // only held
						return r
					})
				})
			})
		}
	}
}

// What process substitution of a shell gives is read to its end, however late that
// comes. Where two processes read the settings it is refused: the second one would
// find nothing in it, and start the command without its variables.
func TestP1ProcessSubstitution(t *testing.T) {
	t.Parallel()
	for _, p := range []place{oneProcess, execMode, outsideInit} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			value, slow := canary(t, "value"), newPipe(t)
			c := p.vaultexec(t)
			script := []string{"-c", `"$1" --env-file <(cat "$0") "${@:2}"`, slow, c.binary}
			c.binary, c.flags, c.argv = "bash", slices.Concat(script, c.flags, []string{"--"}, c.argv), nil
			r := c.start()
			end := r.writeEnd(slow)
			for _, piece := range []string{"FIRST=1\nSEC", "OND=" + value + "\n"} {
				_, err := end.WriteString(piece)
				mustDo(t, err)
			}
			mustDo(t, end.Close())
			res := r.wait()
			if p.name == outsideInit.name {
				res.refused("usage", "is a pipe, whose content can be read once")
				return
			}
			res.exited(0).childHas("FIRST", "1").childHas("SECOND", value)
		})
	}
}

// A supervisor that waits for what its init has read already can be stopped.
func TestP4StopWhileTheSupervisorReads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "a.hcl")
	mustDo(t, syscall.Mkfifo(pipe, 0o600))
	stopsPromptly(t, syscall.SIGTERM, func() *running {
		r := outsideInit.start(outsideInit.vaultexec(t, "--config", dir))
		end := r.writeEnd(pipe)
		_, err := end.WriteString("# nothing\n")
		mustDo(t, errors.Join(err, end.Close()))
		r.supervisor() // which comes to the pipe next
		return r
	})
}
