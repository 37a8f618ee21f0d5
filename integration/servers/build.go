package servers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Binaries are paths of what Build has found or built.
type Binaries struct {
	Vault            string
	KubernetesPlugin string // Vault's auth method; empty if Vault has it built in
	PostgresPlugin   string // Vault's database plugin; likewise
	LDAPPlugin       string // Vault's auth method; likewise
	Etcd             string
	KubeAPIServer    string
}

// target is one program of one of the nested modules. A pure Go build without
// symbols: it takes half the time and half the space.
type target struct {
	file    string // below the module's cache directory
	module  string // directory of the nested module
	version string // of this Go module is what progress names
	pkg     string
	tags    string
	takes   string // on two cores without Go's build cache
}

var (
	// Vault's minimal tag leaves out the secret engines and auth methods of
	// other products, and with them most of its dependencies.
	vaultTarget = target{"vault", "vault", "github.com/hashicorp/vault", "github.com/hashicorp/vault", "minimal", "about 5 minutes"}
	// Plugins are alone in their directory: Vault runs what it finds there.
	pluginTarget = target{"plugins/vault-plugin-auth-kubernetes", "vault", "github.com/hashicorp/vault-plugin-auth-kubernetes",
		"github.com/hashicorp/vault-plugin-auth-kubernetes/cmd/vault-plugin-auth-kubernetes", "", "about 30 seconds"}
	postgresTarget = target{"plugins/" + postgresPluginName, "vault", "github.com/hashicorp/vault",
		"github.com/hashicorp/vault/plugins/database/postgresql/" + postgresPluginName, "", "about 1 minute"}
	// Vault starts a plugin by the name of its file, which is the method's.
	ldapTarget      = target{"plugins/" + ldapPluginName, "vault", "github.com/hashicorp/vault", "github.com/hashicorp/vault/builtin/credential/ldap/cmd/ldap", "", "about 1 minute"}
	etcdTarget      = target{"etcd", "kubernetes", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3", "", "about 1 minute"}
	apiserverTarget = target{"kube-apiserver", "kubernetes", "k8s.io/kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver", "", "about 4 minutes"}
)

// stillEvery is how often a build that takes long says that it goes on.
const stillEvery = 15 * time.Second

// Build finds the servers, and builds those that are neither in the cache nor
// on PATH: about eleven minutes on two cores the first time. What it does is told
// to progress, one line each; nothing is when all is there. The current
// directory is in the module vaultexec/integration. Two runs at once build one
// after the other.
func Build(ctx context.Context, progress io.Writer) (Binaries, error) {
	var bin Binaries
	root, err := moduleDir(ctx, "vaultexec/integration")
	if err != nil {
		return bin, err
	}
	cache, err := cacheDir()
	if err != nil {
		return bin, err
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"), progress)
	if err != nil {
		return bin, err
	}
	defer unlock()
	type wanted struct {
		target
		to *string
	}
	want := []wanted{{etcdTarget, &bin.Etcd}, {apiserverTarget, &bin.KubeAPIServer}}
	if bin.Vault = vaultOnPath(ctx, progress); bin.Vault == "" {
		want = append([]wanted{{vaultTarget, &bin.Vault}, {pluginTarget, &bin.KubernetesPlugin}, {postgresTarget, &bin.PostgresPlugin}, {ldapTarget, &bin.LDAPPlugin}}, want...)
	}
	for _, w := range want {
		b := builder{filepath.Join(root, "servers", w.module), cache, progress}
		if *w.to, err = b.build(ctx, w.target); err != nil {
			return Binaries{}, err
		}
	}
	return bin, nil
}

// BuildVaultexec builds the program under test from the tree, always anew, as
// dir/vaultexec: static and stripped as it is released, or with the race
// detector, which needs a C compiler.
func BuildVaultexec(ctx context.Context, dir string, race bool) (string, error) {
	root, err := moduleDir(ctx, "vaultexec/integration")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "vaultexec")
	args, cgo := []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", out, "./cmd/vaultexec"}, "CGO_ENABLED=0"
	if race {
		args, cgo = []string{"build", "-race", "-o", out, "./cmd/vaultexec"}, "CGO_ENABLED=1"
	}
	_, err = goTool(ctx, filepath.Dir(root), []string{cgo}, args...)
	return out, err
}

type builder struct {
	dir      string // of the nested module
	cache    string
	progress io.Writer
}

// build gives the path of t's program, which it builds if the cache has none.
func (b builder) build(ctx context.Context, t target) (string, error) {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-tags", t.tags}
	key, err := b.key(args)
	if err != nil {
		return "", err
	}
	out := filepath.Join(b.cache, t.module+"-"+key, t.file)
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	version, err := goTool(ctx, b.dir, nil, "list", "-m", "-f", "{{.Version}}", t.version)
	if err != nil {
		return "", err
	}
	name := filepath.Base(t.file)
	fmt.Fprintf(b.progress, "building %s %s (first time: %s) ...\n", name, strings.TrimPrefix(strings.TrimSpace(version), "v"), t.takes)
	defer b.tellStillBuilding(name)()
	// Not in the plugin directory, whose every file Vault takes for a plugin.
	tmp, err := os.MkdirTemp(b.cache, "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	begin := time.Now()
	args = append(args, "-o", filepath.Join(tmp, name), t.pkg)
	if _, err := goTool(ctx, b.dir, []string{"CGO_ENABLED=0"}, args...); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(tmp, name), out); err != nil {
		return "", err
	}
	fmt.Fprintf(b.progress, "built %s in %v: %s\n", name, time.Since(begin).Round(time.Second), out)
	return out, nil
}

// key changes with everything that changes the program.
func (b builder) key(args []string) (string, error) {
	h := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(b.dir, name))
		if err != nil {
			return "", err
		}
		h.Write(text)
	}
	fmt.Fprintf(h, "%s %s %s %q", runtime.Version(), runtime.GOOS, runtime.GOARCH, args)
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// tellStillBuilding says so now and then, until the function it returns is called.
func (b builder) tellStillBuilding(name string) (stop func()) {
	begin, stopc, donec := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(donec)
		tick := time.NewTicker(stillEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(b.progress, "building %s ... %v\n", name, time.Since(begin).Round(time.Second))
			case <-stopc:
				return
			}
		}
	}()
	return func() { close(stopc); <-donec }
}

// goTool runs the go command and gives what it prints.
func goTool(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(env, "GOWORK=off")...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its compilers then
	cmd.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s, in %s: %v\n%s", strings.Join(args, " "), dir, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}

func moduleDir(ctx context.Context, module string) (string, error) {
	out, err := goTool(ctx, ".", nil, "list", "-m", "-f", "{{.Dir}}", module)
	return strings.TrimSpace(out), err
}

func cacheDir() (string, error) {
	dir := os.Getenv("VAULT_TEST_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no place for the servers: %v; set VAULT_TEST_CACHE", err)
		}
		dir = filepath.Join(user, "vaultexec", "servers")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// lock waits until no other process holds file. The kernel frees it when its
// holder ends, see flock(2).
func lock(ctx context.Context, file string, progress io.Writer) (unlock func(), err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for told := false; ; told = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %v", file, err)
		}
		if !told {
			fmt.Fprintf(progress, "waiting for another run that is building the servers ...\n")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		}
	}
}
