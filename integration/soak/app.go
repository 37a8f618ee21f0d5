package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // as "pgx"
)

// appWord as the first argument makes this binary the command that vaultexec
// runs.
const appWord = "app"

// queryEvery is how often the app asks PostgreSQL something.
const queryEvery = 100 * time.Millisecond

// app is an application as any other: it connects with what its environment
// has and does its work until it is told to stop. It writes what happens to the
// file SOAK_LOG, a line each: start PID NUMBER USER, ok PID COUNT, failed PID
// TIME ERROR, stop PID, orphan PID.
func app() int {
	sigc := make(chan os.Signal, 1)
	signal.Notify(sigc, syscall.SIGTERM)
	log, err := os.OpenFile(os.Getenv("SOAK_LOG"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		return 99
	}
	say := func(format string, args ...any) { fmt.Fprintf(log, format+"\n", args...) }
	say("start %d %s %s %s", os.Getpid(), os.Getenv("NUMBER"), os.Getenv("DB_USER"), fact(os.Getenv("STATIC_USER"), os.Getenv("STATIC_PASSWORD")))
	var stopping atomic.Bool
	donec := make(chan struct{})
	go func() {
		<-sigc
		stopping.Store(true)
		close(donec)
	}()
	tick := time.NewTicker(queryEvery)
	defer tick.Stop()
	parent := os.Getppid()
	for count := 1; ; count++ {
		if os.Getppid() != parent {
			say("orphan %d", os.Getpid()) // nobody is left who could stop us
			return 1
		}
		// A connection of its own: that is when a password counts.
		answer := fact(os.Getenv("DB_USER"), os.Getenv("DB_PASSWORD"))
		switch {
		case answer == "ok":
			say("ok %d %d", os.Getpid(), count)
		case !stopping.Load():
			say("failed %d %s %s", os.Getpid(), time.Now().Format(time.RFC3339Nano), answer)
		}
		select {
		case <-tick.C:
		case <-donec:
			say("stop %d", os.Getpid())
			return 0
		}
	}
}

// fact says ok if PostgreSQL answers, else why not.
func fact(user, password string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: os.Getenv("DB_ADDRESS"), Path: "/postgres", RawQuery: "sslmode=disable"}
	db, err := sql.Open("pgx", u.String())
	if err != nil {
		return strings.ReplaceAll(err.Error(), "\n", " ")
	}
	defer db.Close()
	var text string
	if err := db.QueryRowContext(ctx, "SELECT fact FROM facts").Scan(&text); err != nil {
		return strings.ReplaceAll(err.Error(), "\n", " ")
	}
	return "ok"
}
