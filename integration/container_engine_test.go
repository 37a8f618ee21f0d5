package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// engine is the command line of a container engine. Nothing is pulled: every
// image is built FROM scratch with our own static programs.
type engine struct {
	path  string
	image string // the released vaultexec as /vaultexec, this binary as /app
	build []string
}

// theEngine is found, and its image built, by the first test that asks.
var theEngine = sync.OnceValues(newEngine)

// errNoEngine is why there are no containers here.
var errNoEngine = errors.New("no container engine answers")

// needEngine gives the engine. Where none answers the test is skipped, but not
// in continuous integration: there a missing engine is a failure. What runs
// without one is in scratchroot_test.go.
func needEngine(t *testing.T) *engine {
	t.Helper()
	e, err := theEngine()
	switch {
	case errors.Is(err, errNoEngine) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return e
}

func newEngine() (*engine, error) {
	path, err := exec.LookPath("docker")
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errNoEngine, err)
	}
	e := &engine{path: path}
	if _, err := e.run("version"); err != nil {
		return nil, fmt.Errorf("%w: %v", errNoEngine, err)
	}
	if _, err := e.run("buildx", "version"); err != nil {
		e.build = []string{"DOCKER_BUILDKIT=0"} // the builder of the engine itself
	}
	static, err := shared.static()
	if err != nil {
		return nil, err
	}
	app, err := staticSelf()
	if err != nil {
		return nil, err
	}
	e.image, err = e.buildImage("FROM scratch\nCOPY . /\nENTRYPOINT [\"/vaultexec\"]\n", "",
		map[string]string{"vaultexec": static, "app": app})
	return e, err
}

// staticSelf builds this test binary so that it runs where there is nothing
// else, not even a C library.
var staticSelf = sync.OnceValues(func() (string, error) {
	out := filepath.Join(shared.dir, "static-child")
	cmd := exec.Command("go", "test", "-c", "-ldflags", "-s -w", "-o", out, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %v\n%s", cmd, err, text)
	}
	return out, nil
})

// buildImage builds a target of a Dockerfile whose context has copies of these
// files, name in the context -> file, and gives the image's name. The image is
// removed when all tests have ended.
func (e *engine) buildImage(dockerfile, target string, files map[string]string, args ...string) (string, error) {
	dir, err := os.MkdirTemp(shared.dir, "context-")
	if err != nil {
		return "", err
	}
	for name, file := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			return "", err
		}
		if err := os.Link(file, filepath.Join(dir, name)); err != nil {
			return "", err
		}
	}
	// Outside of the context, so that COPY . does not take it.
	file := dir + ".Dockerfile"
	if err := os.WriteFile(file, []byte(dockerfile), 0o600); err != nil {
		return "", err
	}
	image := unique(fmt.Sprintf("vaultexec-test-%d", os.Getpid()))
	args = append([]string{"build", "--quiet", "--tag", image, "--file", file}, args...)
	if target != "" {
		args = append(args, "--target", target)
	}
	shared.atEnd(func() error {
		_, err := e.run("image", "rm", "--force", image)
		return err
	})
	_, err = e.run(append(args, dir)...)
	return image, err
}

// run runs the engine's command line and gives its standard output.
func (e *engine) run(args ...string) (string, error) {
	cmd := exec.Command(e.path, args...)
	cmd.Env = append(os.Environ(), e.build...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%v: %v\n%s", cmd, err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// container is a container that is being put together. Its methods change and
// return it.
type container struct {
	t       *testing.T
	engine  *engine
	image   string
	name    string
	options []string // of docker run
	vars    []string
	flags   []string // of vaultexec
	argv    []string // behind --; nil for none
	dir     string   // on the host; inside it is /report
}

// inContainer prepares a container whose PID 1 is vaultexec with these flags,
// in front of a child that reports and exits with 0.
func inContainer(t *testing.T, flags ...string) *container {
	t.Helper()
	e := needEngine(t)
	c := &container{t: t, engine: e, image: e.image, flags: flags, dir: t.TempDir(),
		name: unique(fmt.Sprintf("vaultexec-test-%d", os.Getpid()))}
	// Writable for any user: that of the container is not that of the test.
	if err := os.Chmod(c.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	c.with("--volume", c.dir+":/report", "--user", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()))
	return c.env("VAULTEXEC_LOG_LEVEL=debug", "VAULTEXEC_LOG_FORMAT=text").child("report")
}

// with adds options of docker run.
func (c *container) with(options ...string) *container {
	c.options = append(c.options, options...)
	return c
}

// env adds NAME=value variables. Docker's own arguments show their names only.
func (c *container) env(vars ...string) *container {
	for _, v := range vars {
		name, _, _ := strings.Cut(v, "=")
		c.with("--env", name)
	}
	c.vars = append(c.vars, vars...)
	return c
}

// child sets what the child does after it has reported.
func (c *container) child(verb string, args ...string) *container {
	return c.exec(append([]string{"/app", childWord, "/report/child.json", verb}, args...)...)
}

// exec sets another command than this binary to be run.
func (c *container) exec(argv ...string) *container {
	c.argv = argv
	return c
}

// arguments are those of the engine's command line.
func (c *container) arguments() []string {
	args := append([]string{"run", "--rm", "--name", c.name}, c.options...)
	args = append(append(args, c.image), c.flags...)
	if len(c.argv) > 0 {
		args = append(append(args, "--"), c.argv...)
	}
	return args
}

// command is docker run, for the harness. The harness is not told where the
// report is: the pids in it are those inside.
func (c *container) command() *command {
	return &command{t: c.t, binary: c.engine.path, flags: c.arguments(), dir: c.dir,
		vars: append(os.Environ(), c.vars...), report: filepath.Join(c.dir, "none")}
}

// contained is a container that was started.
type contained struct {
	*running
	container *container
}

// start starts it. It is removed when the test ends.
func (c *container) start() *contained {
	c.t.Helper()
	r := c.command().start()
	c.t.Cleanup(c.remove)
	return &contained{r, c}
}

// run runs it to its end.
func (c *container) run() *result {
	c.t.Helper()
	return c.start().wait()
}

// remove ends and removes it, if it is still there.
func (c *container) remove() {
	// It removes itself when it ends, perhaps just now.
	if _, err := c.engine.run("rm", "--force", "--volumes", c.name); err != nil &&
		!strings.Contains(err.Error(), "No such container") && !strings.Contains(err.Error(), "already in progress") {
		c.t.Error(err)
	}
}

// report is what the child has reported, nil if it has not.
func (c *container) report() *childReport {
	c.t.Helper()
	return readReport(c.t, filepath.Join(c.dir, "child.json"))
}

// wait waits for the end of the container.
func (c *contained) wait() *result {
	c.t.Helper()
	res := c.running.wait()
	res.child = c.container.report()
	return res
}

// started is what the child has reported; without a report the test ends.
func (r *result) started() *childReport {
	r.t.Helper()
	if r.child == nil {
		r.t.Fatalf("the child never started; exit status %d, stderr:\n%s", r.status, r.stderr)
	}
	return r.child
}

// kill sends a signal as docker kill does: to PID 1 of the container.
func (c *contained) kill(signal string) {
	c.t.Helper()
	if _, err := c.container.engine.run("kill", "--signal", signal, c.container.name); err != nil {
		c.t.Fatalf("%v\n%s", err, c.outputs())
	}
}

// stopGrace is more than any test's container takes to stop, and stopPrompt
// what "at once" may be on a busy machine.
const (
	stopGrace  = 2 * time.Minute
	stopPrompt = 30 * time.Second
)

// stop stops it as docker stop does, and gives the time that it took.
func (c *contained) stop() time.Duration {
	c.t.Helper()
	begin := time.Now()
	if _, err := c.container.engine.run("stop", "--time", fmt.Sprint(int(stopGrace.Seconds())), c.container.name); err != nil {
		c.t.Fatalf("%v\n%s", err, c.outputs())
	}
	return time.Since(begin)
}
