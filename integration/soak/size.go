package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

// size is how much of the machine vaultexec has.
type size struct{ goroutines, fds, threads, rss int }

func (s size) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d threads, %.1f MB", s.goroutines, s.fds, s.threads, float64(s.rss)/1024)
}

// What a process may have more of than after its first minute: requests,
// connections and threads as they happen to be, and a heap between two
// collections.
const moreGoroutines, moreFDs, moreThreads, moreRSS = 12, 8, 6, 8 << 10

func (s size) grown(to size) error {
	if to.goroutines > s.goroutines+moreGoroutines || to.fds > s.fds+moreFDs || to.threads > s.threads+moreThreads || to.rss > s.rss+moreRSS {
		return fmt.Errorf("vaultexec has grown: from %v to %v", s, to)
	}
	return nil
}

func (s *stage) size(ctx context.Context) (z size, err error) {
	goroutines, err := s.metric(ctx, "go_goroutines")
	if err != nil {
		return z, err
	}
	z.goroutines = int(goroutines)
	proc := fmt.Sprintf("/proc/%d/", s.run.Process.Pid)
	fds, err := os.ReadDir(proc + "fd")
	if err != nil {
		return z, err
	}
	z.fds = len(fds)
	text, err := os.ReadFile(proc + "status")
	if err != nil {
		return z, err
	}
	for line := range lines(string(text)) {
		switch line[0] {
		case "Threads:":
			z.threads, err = strconv.Atoi(line[1])
		case "VmRSS:":
			z.rss, err = strconv.Atoi(line[1])
		}
		if err != nil {
			return z, err
		}
	}
	return z, nil
}

// metric reads a figure of vaultexec's own, by the start of its line.
func (s *stage) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.metrics+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	for line := range lines(string(text)) {
		if line[0] == name && len(line) == 2 {
			return strconv.ParseFloat(line[1], 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}
