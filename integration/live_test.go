//go:build linux

package integration

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // as "pgx"
)

func init() {
	childVerbs["live"] = childLive
	childVerbs["note"] = childNote
}

// moment is an entry of the journal that children of one vaultexec keep, one
// after the other: secrets may be in it, for no output has it.
type moment struct {
	Event string // start, stop, "got SIGNAL", "query failed", note, overlap
	Pid   int
	When  time.Time
	Env   []string          // of start and note
	Files map[string]string // the ones that the child was told to look at, as they are now
	Text  string
}

func (m moment) lookup(name string) string {
	v, _ := (&childReport{Env: m.Env}).lookup(name)
	return v
}

// childLive is an application that lives with rotation: live JOURNAL [FILE...].
// It writes down its start, each signal with what is in the files then, and
// its end. Variables tell it to do more:
//
//	LIVE_DEAF     TERM does not end it
//	LIVE_SLOW     TERM ends it after that duration only
//	LIVE_STATUS   what it ends with, 0 if not set
//	LIVE_CRASH    it ends with that status at once
//	LIVE_DB       address of a PostgreSQL that it queries all the time, each
//	              time on a new connection, as DB_USER with DB_PASSWORD
func childLive(args []string) int {
	sigc := make(chan os.Signal, 64)
	signal.Notify(sigc)
	journal, files := args[0], args[1:]
	lock, err := os.OpenFile(journal+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 99
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		note(journal, moment{Event: "overlap"})
	}
	note(journal, moment{Event: "start", Env: os.Environ(), Files: readAll(append(files, pointedAt()...))})
	fmt.Println("ready")
	if status, err := strconv.Atoi(os.Getenv("LIVE_CRASH")); err == nil {
		return status
	}
	status, _ := strconv.Atoi(os.Getenv("LIVE_STATUS")) // 0 where it is not set
	query := time.NewTicker(300 * time.Millisecond)     // each costs much with the race detector
	defer query.Stop()
	limit := time.NewTimer(3 * waitLimit)
	var stopc <-chan time.Time
	for {
		select {
		case sig := <-sigc:
			if sig == syscall.SIGURG { // Go's own, to preempt goroutines
				continue
			}
			note(journal, moment{Event: "got " + sig.String(), Files: readAll(append(files, pointedAt()...))})
			if sig == syscall.SIGTERM && os.Getenv("LIVE_DEAF") == "" {
				slow, _ := time.ParseDuration(os.Getenv("LIVE_SLOW")) // 0 where it is not set
				stopc = time.After(slow)
			}
		case <-stopc:
			note(journal, moment{Event: "stop"})
			return status
		case <-query.C:
			if address := os.Getenv("LIVE_DB"); address != "" {
				if err := askDatabase(address, os.Getenv("DB_USER"), os.Getenv("DB_PASSWORD")); err != nil {
					note(journal, moment{Event: "query failed", Text: err.Error()})
				}
			}
		case <-limit.C:
			return 98
		}
	}
}

// childNote is what a hook does: note JOURNAL [STATUS].
func childNote(args []string) int {
	note(args[0], moment{Event: "note", Env: os.Environ(), Files: readAll(pointedAt())})
	if len(args) > 1 {
		return childExit(args[1:])
	}
	return 0
}

func askDatabase(address, user, password string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	db, err := sql.Open("pgx", fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=postgres sslmode=disable",
		address[:strings.Index(address, ":")], address[strings.Index(address, ":")+1:], user, password))
	if err != nil {
		return err
	}
	defer db.Close()
	var one int
	return db.QueryRowContext(ctx, "SELECT 1 FROM facts").Scan(&one)
}

func readAll(files []string) map[string]string {
	out := make(map[string]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			text = []byte(err.Error())
		}
		out[filepath.Base(file)] = string(text)
	}
	return out
}

// pointedAt are the files whose paths are in variables called NAME_FILE, and those
// in the directory of credentials.
func pointedAt() []string {
	var files []string
	for _, kv := range os.Environ() {
		if name, path, _ := strings.Cut(kv, "="); strings.HasSuffix(name, "_FILE") {
			files = append(files, path)
		}
	}
	if dir := os.Getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		names, _ := filepath.Glob(filepath.Join(dir, "*")) // an error is of the pattern
		files = append(files, names...)
	}
	return files
}

// note appends to a journal: one write, so that entries are whole.
func note(journal string, m moment) {
	m.Pid, m.When = os.Getpid(), time.Now()
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	f, err := os.OpenFile(journal, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil {
		_, err = f.Write(append(text, '\n'))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(99)
	}
}

// life is a vaultexec whose children keep a journal.
type life struct {
	*running
	journal string
}

// quick are settings under which a change arrives in a second or so.
var quick = []string{"--refresh", "1s", "--debounce", "100ms", "--min-interval", "0s"}

// live starts it with childLive in front, which looks at these files.
func (c *command) live(files ...string) *life {
	c.t.Helper()
	journal := filepath.Join(c.t.TempDir(), "journal")
	l := &life{c.child("live", append([]string{journal}, files...)...).start(), journal}
	c.t.Cleanup(l.killAll)
	return l
}

// moments is what the journal has so far.
func (l *life) moments() []moment {
	l.t.Helper()
	text, err := os.ReadFile(l.journal)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		l.t.Fatal(err)
	}
	var out []moment
	for line := range bytes.Lines(text) {
		var m moment
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		if err := json.Unmarshal(line, &m); err != nil {
			l.t.Fatalf("the journal: %v", err)
		}
		out = append(out, m)
	}
	return out
}

// events are those of one kind.
func (l *life) events(event string) []moment {
	l.t.Helper()
	return slices.DeleteFunc(l.moments(), func(m moment) bool { return m.Event != event })
}

// nth waits for the n-th event of a kind, from 1.
func (l *life) nth(n int, event string) moment {
	l.t.Helper()
	l.poll(fmt.Sprintf("%q, number %d", event, n), func() bool { return len(l.events(event)) >= n })
	return l.events(event)[n-1]
}

// starts waits until the n-th child runs whose variable has this value: what
// came before must have been another.
func (l *life) starts(n int, name, value string) moment {
	l.t.Helper()
	m := l.nth(n, "start")
	if got := m.lookup(name); got != value {
		l.t.Errorf("start %d: the child's %s is not the value it should be", n, name)
	}
	return m
}

// order checks that there was never more than one child, and how many there
// were in all. Each but the last must have been told to stop and have done so.
func (l *life) order(children int) {
	l.t.Helper()
	var last moment
	n, pids := 0, map[int]bool{}
	for _, m := range l.moments() {
		switch m.Event {
		case "overlap":
			l.t.Errorf("two children at once, the other one is %d", m.Pid)
		case "start":
			if last.Event == "start" {
				l.t.Errorf("child %d started before child %d stopped", m.Pid, last.Pid)
			}
			if pids[m.Pid] {
				l.t.Errorf("pid %d again", m.Pid)
			}
			n, last, pids[m.Pid] = n+1, m, true
		case "stop":
			last = m
		}
	}
	if n != children {
		l.t.Errorf("%d children, want %d\n%s", n, children, l.stderr.String())
	}
}

// stop ends it with TERM and checks that the child's status, 0, came through.
func (l *life) stop() *result {
	l.t.Helper()
	l.signal(syscall.SIGTERM)
	return l.wait().exited(0)
}

// said counts the lines with a text.
func said(stderr, text string) int {
	n := 0
	for line := range strings.Lines(stderr) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// more waits until n more requests of a kind came than there are now.
func (l *life) more(p *proxy, n int, method, path string) {
	l.t.Helper()
	want := p.count(method, path) + n
	l.poll(fmt.Sprintf("%d more %s of %s", n, method, path), func() bool { return p.count(method, path) >= want })
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
