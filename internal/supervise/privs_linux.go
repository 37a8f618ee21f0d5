package supervise

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// WithoutNewPrivs calls start, which starts a process that can gain no privileges by executing a
// program (set-user-ID, file capabilities), and whose children cannot either:
// PR_SET_NO_NEW_PRIVS(2const). That is an attribute of a thread, which a new
// process has from the one that made it.
func WithoutNewPrivs(start func() error) error {
	return apart(func() error {
		if err := dropNewPrivs(); err != nil {
			return err
		}
		return start()
	})
}

// dropNewPrivs does it to the thread that calls.
func dropNewPrivs() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }

// apart calls f on a thread that nothing else has run on or will: what f does to
// the attributes of its thread ends with it.
func apart(f func() error) error {
	var err error
	donec := make(chan struct{})
	go func() {
		defer close(donec)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err = f()
	}()
	<-donec
	return err
}
