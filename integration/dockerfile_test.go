package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vaultexec/integration/servers"
)

// exampleDockerfile is Dockerfile.example, whose stages are built here as they
// are, but for the one that needs a base image from a registry.
type exampleDockerfile struct {
	head   string   // what is before the first stage
	stages []string // names, in order
	texts  []string // from FROM up to the next
}

func readDockerfile(t *testing.T) exampleDockerfile {
	t.Helper()
	text, err := os.ReadFile("../Dockerfile.example")
	if err != nil {
		t.Fatal(err)
	}
	var d exampleDockerfile
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 4 && words[0] == "FROM" && words[2] == "AS":
			d.stages, d.texts = append(d.stages, words[3]), append(d.texts, line)
		case len(words) > 0 && words[0] == "FROM":
			t.Fatalf("a stage without a name: %s", line)
		case len(d.texts) == 0:
			d.head += line
		default:
			d.texts[len(d.texts)-1] += line
		}
	}
	if want := []string{"build", "vaultexec", "app", "existing"}; !slices.Equal(d.stages, want) {
		t.Fatalf("the stages are %q, want %q: this test knows no others", d.stages, want)
	}
	return d
}

// over is the Dockerfile with another image in place of its build stage.
func (d exampleDockerfile) over(buildImage string) string {
	return d.head + "FROM " + buildImage + " AS build\n" + strings.Join(d.texts[1:], "")
}

// instructions are the lines of a stage that start with a word, without it.
func (d exampleDockerfile) instructions(stage, word string) []string {
	var out []string
	for line := range strings.Lines(d.texts[slices.Index(d.stages, stage)]) {
		if rest, ok := strings.CutPrefix(line, word+" "); ok {
			out = append(out, strings.TrimSpace(rest))
		}
	}
	return out
}

// built is an image of each final stage, name -> image, built by the engine
// from the unchanged text.
func (d exampleDockerfile) built(t *testing.T, e *engine) map[string]string {
	t.Helper()
	static, err := shared.static()
	if err != nil {
		t.Fatal(err)
	}
	entrypoint := filepath.Join(shared.dir, unique("entrypoint"))
	buildStatic(t, entrypoint, "./testdata/entrypoint")
	certificates := writeFile(t, filepath.Join(shared.dir, unique("certificates")), "stand-in\n")
	image := func(dockerfile, target string, files map[string]string, args ...string) string {
		t.Helper()
		name, err := e.buildImage(dockerfile, target, files, args...)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	const from = "FROM scratch\nCOPY . /\n"
	base := image(from, "", map[string]string{"out/vaultexec": static, "etc/ssl/certs/ca-certificates.crt": certificates})
	existing := image(from+"ENTRYPOINT [\"/docker-entrypoint.sh\"]\nCMD [\"nginx\"]\nUSER 1234\n", "",
		map[string]string{"docker-entrypoint.sh": entrypoint})
	out := make(map[string]string)
	for _, stage := range d.stages[1:] {
		out[stage] = image(d.over(base), stage, nil, "--build-arg", "EXISTING_IMAGE="+existing)
	}
	return out
}

// runImage prepares a container of an image as it is, with these words in
// place of its CMD.
func runImage(t *testing.T, image string, words ...string) *container {
	t.Helper()
	c := inContainer(t, words...)
	c.image, c.argv, c.options = image, nil, []string{"--volume", c.dir + ":/report"}
	return c.env("VAULTEXEC_LOG_LEVEL=debug", "VAULTEXEC_LOG_FORMAT=text")
}

// The build stage's command makes a static program that knows its version.
func TestDockerfileBuildCommand(t *testing.T) {
	t.Parallel()
	d := readDockerfile(t)
	commands := d.instructions("build", "RUN")
	out := filepath.Join(t.TempDir(), "vaultexec")
	build := strings.ReplaceAll(commands[len(commands)-1], "/out/vaultexec", out)
	cmd := exec.Command("sh", "-c", build)
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "VERSION=v1.2.3")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, text)
	}
	text, err := exec.Command(out, "version").Output()
	if err != nil || !strings.HasPrefix(string(text), "vaultexec v1.2.3 ") {
		t.Errorf("version: %q, error %v", text, err)
	}
}

// The final stages are built and run as they are.
func TestDockerfileStages(t *testing.T) {
	t.Parallel()
	e, d := needEngine(t), readDockerfile(t)
	images := d.built(t, e)
	kv := kvMount(t, 2)
	password := canary(t, "password")
	kv.put(t, "app", fields{"PASSWORD": password})
	kv.put(t, "web", fields{"SERVER_NAME": "web.example"})
	token := kv.token(t, "app", "web")
	inspect := func(image, format string) string {
		t.Helper()
		out, err := e.run("image", "inspect", "--format", format, image)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	t.Run("app prints its version", func(t *testing.T) {
		if res := runImage(t, images["app"]).run().exited(0); !strings.HasPrefix(res.stdout, "vaultexec ") {
			t.Errorf("stdout is %q", res.stdout)
		}
	})
	for _, stage := range []string{"vaultexec", "app"} {
		t.Run(stage+" runs a command", func(t *testing.T) {
			app, err := staticSelf()
			if err != nil {
				t.Fatal(err)
			}
			c := runImage(t, images[stage], "/mine", childWord, "/report/child.json", "report").
				with(hardened()...).with("--network", "host", "--volume", app+":/mine:ro").
				env("VAULT_ADDR="+kv.vault.Address, "VAULT_TOKEN="+token, "VAULTEXEC_SECRET="+kv.path("app"))
			res := c.run().exited(0)
			res.childHas("PASSWORD", password).childLacks("VAULT_TOKEN", "VAULTEXEC_SECRET")
		})
		t.Run(stage+" is nobody's", func(t *testing.T) {
			if user := inspect(images[stage], "{{.Config.User}}"); user != "65532:65532" {
				t.Errorf("the user is %q", user)
			}
		})
	}
	t.Run("vaultexec without a command", func(t *testing.T) {
		runImage(t, images["vaultexec"]).run().exited(125).says("there is no command")
	})
	t.Run("existing gets its CMD and a secret", func(t *testing.T) {
		c := runImage(t, images["existing"]).with("--network", "host").
			env("VAULT_ADDR="+kv.vault.Address, "VAULT_TOKEN="+token, "VAULTEXEC_SECRET="+kv.path("web"))
		if res := c.run().exited(0); res.stdout != "/docker-entrypoint.sh\nnginx\n-g\ndaemon off;\nweb.example\n" {
			t.Errorf("stdout is %q; stderr:\n%s", res.stdout, res.stderr)
		}
		if user := inspect(images["existing"], "{{.Config.User}}"); user != "1234" {
			t.Errorf("the user is %q", user)
		}
	})
	t.Run("the commands in its comments", func(t *testing.T) { d.runComments(t, images) })
}

// runComments checks that the commands in its comments name stages that there
// are, and runs those that run an image.
func (d exampleDockerfile) runComments(t *testing.T, images map[string]string) {
	kv := kvMountAt(t, ownVault(t, servers.VaultOptions{}), "internal", 2)
	kv.put(t, "database/config", fields{"password": canary(t, "password")})
	tags := make(map[string]string) // as the comments name it -> image
	ran := 0
	for line := range strings.Lines(d.head) {
		words := strings.Fields(strings.TrimPrefix(line, "#"))
		switch {
		case len(words) < 2 || words[0] != "docker":
		case words[1] == "build":
			stage, tag := words[slices.Index(words, "--target")+1], words[slices.Index(words, "-t")+1]
			if tags[tag] = images[stage]; tags[tag] == "" {
				t.Errorf("there is no stage %q: %s", stage, line)
			}
		case words[1] == "run":
			c := runImage(t, tags[words[len(words)-1]]).with(words[2:len(words)-1]...).with("--network", "host")
			c.vars = append(c.vars, "VAULT_ADDR="+kv.vault.Address, "VAULT_TOKEN="+kv.token(t, "database/config"))
			c.run().exited(0)
			ran++
		}
	}
	if len(tags) != 2 || ran != 1 {
		t.Errorf("%d build and %d run commands in the comments, this test knows 2 and 1", len(tags), ran)
	}
}
