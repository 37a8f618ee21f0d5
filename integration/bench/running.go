package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// echoArg makes this program the command whose signals are timed.
const echoArg = "-echo-signals"

// echoSignals writes a byte for each SIGUSR1, until SIGTERM.
func echoSignals() {
	c := make(chan os.Signal, 16)
	signal.Notify(c, syscall.SIGUSR1, syscall.SIGTERM)
	fmt.Println("ready")
	for s := range c {
		if s == syscall.SIGTERM {
			return
		}
		_, _ = os.Stdout.Write([]byte{'.'})
	}
}

// running is a started program whose command has said that it is ready.
type running struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

func (b *bench) launch(ctx context.Context, p program) (*running, error) {
	cmd := b.command(ctx, p)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &running{cmd, bufio.NewReader(stdout)}
	if line, err := r.out.ReadString('\n'); line != "ready\n" {
		return nil, fmt.Errorf("%s: said %q, %v", p.name, line, err)
	}
	return r, nil
}

func (r *running) stop() error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return r.cmd.Wait()
}

func (b *bench) echo(name string, pid1 bool, wrapper ...string) program {
	return program{name: name, argv: append(wrapper, b.self, echoArg), pid1: pid1}
}

// latency times signals from kill(2) to the command's answer.
func (b *bench) latency(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	fmt.Println("\n## Forwarding a signal\n\nFrom kill(2) to the byte that the command's handler writes, 2000 signals each.")
	fmt.Println("\n| program | median | p99 |\n| --- | --- | --- |")
	contenders := []program{
		b.echo("bare command", false),
		b.echo("vaultexec", false, b.vaultexec, "--mode", "supervise", "--"),
		b.echo("vaultexec as PID 1", true, b.vaultexec, "--mode", "supervise", "--"),
	}
	if b.tini != "" {
		contenders = append(contenders, b.echo("tini as PID 1", true, b.tini, "--"))
	}
	for _, p := range contenders {
		r, err := b.launch(ctx, p)
		if err != nil {
			return err
		}
		var times []time.Duration
		for range 2000 {
			begin := time.Now()
			if err := r.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
				return err
			}
			if _, err := r.out.ReadByte(); err != nil {
				return err
			}
			times = append(times, time.Since(begin))
		}
		if err := r.stop(); err != nil {
			return fmt.Errorf("%s: %v", p.name, err)
		}
		fmt.Printf("| %s | %d us | %d us |\n", p.name, quantile(times, 0.5).Microseconds(), quantile(times, 0.99).Microseconds())
	}
	return nil
}

func (b *bench) size(context.Context) error {
	fmt.Println("\n## Size\n\n| binary, static, stripped | size | target |\n| --- | --- | --- |")
	for _, f := range []string{b.vaultexec, b.floor, b.bin.Vault} {
		info, err := os.Stat(f)
		if err != nil {
			return err
		}
		target := ""
		if f == b.vaultexec {
			target = "14 MB"
		}
		fmt.Printf("| %s | %.1f MB | %s |\n", filepath.Base(f), float64(info.Size())/1e6, target)
	}
	return nil
}

// memory reads what an idle vaultexec keeps and how often it wakes up.
func (b *bench) memory(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	fmt.Println("\n## Idle\n\nAfter fetching one secret, while the command runs; wake-ups are voluntary context switches in 5 s.")
	fmt.Println("\n| process | private dirty | Pss | wake-ups in 5 s | target |\n| --- | --- | --- | --- | --- |")
	for _, p := range []program{
		b.echo("supervisor", false, b.vaultexec, "--secret", "kv/app/0", "--mode", "supervise", "--"),
		b.echo("PID 1", true, b.vaultexec, "--secret", "kv/app/0", "--mode", "supervise", "--"),
	} {
		r, err := b.launch(ctx, p)
		if err != nil {
			return err
		}
		roles := []int{r.cmd.Process.Pid}
		names := []string{p.name}
		if p.pid1 {
			for _, pid := range children(roles[0]) {
				roles, names = append(roles, pid), append(names, "supervisor below PID 1")
			}
		}
		before := make([]int, len(roles))
		for i, pid := range roles {
			before[i] = switches(pid)
		}
		time.Sleep(5 * time.Second) // what is measured is 5 s of doing nothing
		for i, pid := range roles {
			dirty, pss := rollup(pid, "Private_Dirty:"), rollup(pid, "Pss:")
			fmt.Printf("| %s | %d KiB | %d KiB | %d | 4096 KiB |\n", names[i], dirty, pss, switches(pid)-before[i])
		}
		if err := r.stop(); err != nil {
			return fmt.Errorf("%s: %v", p.name, err)
		}
	}
	return nil
}

// children are those of all of a process's threads.
func children(pid int) []int {
	var pids []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for field := range strings.FieldsSeq(string(text)) {
			child, _ := strconv.Atoi(field)
			pids = append(pids, child)
		}
	}
	return pids
}

// rollup is one figure of /proc/PID/smaps_rollup, in KiB.
func rollup(pid int, field string) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	return number(string(text), field)
}

func switches(pid int) int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	sum := 0
	for _, t := range tasks {
		text, _ := os.ReadFile(t)
		sum += number(string(text), "voluntary_ctxt_switches:")
	}
	return sum
}

// number is the number behind a field's name at the start of a line.
func number(text, field string) int {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

func printMachine() {
	model := "unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				model = strings.TrimSpace(strings.TrimLeft(name, "\t :"))
				break
			}
		}
	}
	var uts syscall.Utsname
	_ = syscall.Uname(&uts)
	release := []byte{}
	for _, c := range uts.Release {
		if c == 0 {
			break
		}
		release = append(release, byte(c))
	}
	fmt.Printf("# Benchmarks\n\nMade by `make bench` on %s: %s, %d CPUs, Linux %s, %s. Times are\nmedians of whole processes that took turns in one run; only the ratios mean\nsomething.\n",
		time.Now().Format("2006-01-02"), model, runtime.NumCPU(), release, runtime.Version())
}
