package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// program is one way to get a command run, which is always true(1): what is
// measured is the time from the start of the first process to its end.
type program struct {
	name string
	argv []string
	pid1 bool // in a pid namespace of its own
	noID bool // without a token in the environment
}

func (b *bench) command(ctx context.Context, p program) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "VAULT_ADDR=" + b.vault.Address, "HOME=" + b.dir}
	if !p.noID {
		cmd.Env = append(cmd.Env, "VAULT_TOKEN="+b.token)
	}
	cmd.Stderr = os.Stderr
	if p.pid1 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	}
	return cmd
}

// race runs the programs in turns and returns the median of each.
func (b *bench) race(ctx context.Context, programs ...program) ([]time.Duration, error) {
	times := make([][]time.Duration, len(programs))
	for round := range b.rounds + 1 {
		for i, p := range programs {
			cmd := b.command(ctx, p)
			begin := time.Now()
			if err := cmd.Run(); err != nil {
				return nil, fmt.Errorf("%s: %v", p.name, err)
			}
			if round > 0 { // the first one warms up
				times[i] = append(times[i], time.Since(begin))
			}
		}
	}
	medians := make([]time.Duration, len(programs))
	for i := range times {
		medians[i] = quantile(times[i], 0.5)
	}
	return medians, nil
}

func quantile(times []time.Duration, q float64) time.Duration {
	slices.Sort(times)
	return times[min(len(times)-1, int(q*float64(len(times))))]
}

// contest is a row of a table: programs against the first one, the floor.
type contest struct {
	title    string
	target   string
	programs []program
}

func (b *bench) start(ctx context.Context) error {
	fmt.Println("\n## Start\n\nFrom the start of the first process to the end of the command, true(1).")
	fmt.Println("\n| what | floor | vaultexec | ratio | difference | target |\n| --- | --- | --- | --- | --- | --- |")
	var all []string
	refs := []string{b.vaultexec, "--once"}
	for i := range paths {
		all = append(all, fmt.Sprintf("kv/data/app/%d", i))
		refs = append(refs, "--secret", fmt.Sprintf("kv/app/%d", i))
	}
	one := []string{b.vaultexec, "--once", "--secret", "kv/app/0"}
	kubernetes := append(slices.Clone(one), "--role", "app", "--jwt-path", b.jwt)
	then := func(argv []string, more ...string) []string { return append(slices.Clone(argv), more...) }
	floor := program{name: "floor", argv: []string{b.floor, all[0], "/bin/true"}}
	floor1 := floor
	floor1.pid1 = true
	for _, c := range []contest{
		{"exec mode, token, one KV v2 path", "1.25 x", []program{floor, {name: "exec", argv: then(one, "--", "/bin/true")}}},
		{"exec mode, Kubernetes login, one path", "1.25 x", []program{
			{name: "floor", argv: []string{b.floor, "-role", "app", "-jwt", b.jwt, all[0], "/bin/true"}, noID: true},
			{name: "kubernetes", argv: then(kubernetes, "--", "/bin/true"), noID: true}}},
		{"supervised, one path", "+3 ms", []program{floor, {name: "supervised", argv: then(one, "--mode", "supervise", "--", "/bin/true")}}},
		{"supervised as PID 1, one path", "+8 ms", []program{floor1, {name: "pid 1", argv: then(one, "--mode", "supervise", "--", "/bin/true"), pid1: true}}},
		{"exec mode, 100 paths on one mount", "1.3 x", []program{
			{name: "floor 100", argv: []string{b.floor, strings.Join(all, ","), "/bin/true"}},
			{name: "100", argv: then(refs, "--", "/bin/true")}}},
		{"vaultexec version, against an empty Go program", "2.5 x", []program{
			{name: "empty", argv: []string{b.empty}}, {name: "version", argv: []string{b.vaultexec, "version"}}}},
	} {
		medians, err := b.race(ctx, c.programs...)
		if err != nil {
			return err
		}
		floor, ours := medians[0], medians[1]
		fmt.Printf("| %s | %s | %s | %.2f x | %+.1f ms | %s |\n", c.title, ms(floor), ms(ours),
			float64(ours)/float64(floor), (ours-floor).Seconds()*1000, c.target)
	}
	return b.inits(ctx)
}

// inits compares the bare command with tini and vaultexec, nothing fetched.
func (b *bench) inits(ctx context.Context) error {
	contenders := []program{
		{name: "bare", argv: []string{"/bin/true"}},
		{name: "vaultexec", argv: []string{b.vaultexec, "--mode", "supervise", "--", "/bin/true"}},
		{name: "vaultexec as PID 1", argv: []string{b.vaultexec, "--mode", "supervise", "--", "/bin/true"}, pid1: true},
	}
	if b.tini != "" {
		contenders = append(contenders, program{name: "tini", argv: []string{b.tini, "-s", "--", "/bin/true"}},
			program{name: "tini as PID 1", argv: []string{b.tini, "--", "/bin/true"}, pid1: true})
	}
	medians, err := b.race(ctx, contenders...)
	if err != nil {
		return err
	}
	fmt.Println("\nNothing to fetch, as an init only:\n\n| program | time |\n| --- | --- |")
	for i, p := range contenders {
		fmt.Printf("| %s | %s |\n", p.name, ms(medians[i]))
	}
	return nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

// requests counts what Vault sees of a start.
func (b *bench) requests(ctx context.Context) (err error) {
	if b.audit == nil {
		if b.audit, err = b.vault.EnableAudit(ctx); err != nil {
			return err
		}
	}
	argv := []string{b.vaultexec, "--once", "--role", "app", "--jwt-path", b.jwt}
	for i := range paths {
		argv = append(argv, "--secret", fmt.Sprintf("kv/app/%d", i))
	}
	before, err := b.audit.Requests("")
	if err != nil {
		return err
	}
	if err := b.command(ctx, program{argv: append(argv, "--", "/bin/true"), noID: true}).Run(); err != nil {
		return err
	}
	after, err := b.audit.Requests("")
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for _, r := range after[len(before):] {
		switch {
		case strings.HasPrefix(r.Path, "auth/"):
			counts["login"]++
		case strings.HasPrefix(r.Path, "sys/internal/ui/mounts"):
			counts["mount"]++
		case strings.HasPrefix(r.Path, "kv/data/"):
			counts["read"]++
		default:
			counts[r.Path]++
		}
	}
	fmt.Printf("\n## Requests\n\n100 paths on one mount, Kubernetes login, from Vault's audit log: %v\n", counts)
	return nil
}

// agent measures Vault Agent's process supervisor on the same secret.
func (b *bench) agent(ctx context.Context) error {
	tokenFile, config := filepath.Join(b.dir, "token"), filepath.Join(b.dir, "agent.hcl")
	// Root's: the agent wants to look its token up, which b.token may not.
	if err := os.WriteFile(tokenFile, []byte(b.vault.Token), 0o600); err != nil {
		return err
	}
	text := fmt.Sprintf(`vault { address = %q }
auto_auth { method "token_file" { config = { token_file_path = %q } } }
env_template "KEY" { contents = "{{ with secret \"kv/data/app/0\" }}{{ .Data.data.KEY_0 }}{{ end }}" }
exec { command = ["/bin/true"] }
`, b.vault.Address, tokenFile)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	var times []time.Duration
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for range 3 {
		cmd := b.command(ctx, program{argv: []string{b.bin.Vault, "agent", "-config", config}})
		cmd.Stderr = nil
		begin := time.Now()
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("vault agent: %v", err)
		}
		times = append(times, time.Since(begin))
	}
	fmt.Printf("\n## Vault Agent\n\nProcess supervisor mode, token file, the same path: %s (it waits two seconds by design).\n", ms(quantile(times, 0.5)))
	return nil
}
