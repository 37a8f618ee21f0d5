package integration

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"vaultexec/integration/servers"
)

// deployment is an example that is applied to a cluster, and what has to come
// of it.
type deployment struct {
	name  string // a file of examples/, or a directory that is rendered
	as    func(t *testing.T, dir string) string
	env   map[string]string
	files map[string]string
	args  []string
}

var deployments = []deployment{
	{name: "kubernetes/namespace.yaml"}, // the others are in it
	{name: "kubernetes/deployment.yaml", args: []string{"/app", "serve"}, env: map[string]string{"DB_USERNAME": "db-readonly-username",
		"DB_PASSWORD": "db-secret-password", "SMTP_URL": "smtp://app:mail-password@mail:587"}},
	{name: "kubernetes/annotations.yaml", args: []string{"/app", "/vault/secrets/config"}, files: map[string]string{
		"/vault/secrets/config": "postgres://db-readonly-username:db-secret-password@db/app\n"}},
	{name: "kubernetes/install.yaml", args: []string{"/app", "serve"}, env: onePassword},
	{name: "kubernetes/render.yaml", args: []string{"/app", "/run/app/db.json", "/run/app/mail-password"}, files: map[string]string{
		"/run/app/db.json": "{\n  \"password\": \"db-secret-password\",\n  \"username\": \"db-readonly-username\"\n}\n", "/run/app/mail-password": "mail-password"}},
	{name: "kubernetes/job.yaml", args: []string{"/app", "migrate"}, env: map[string]string{"PGUSER": "db-readonly-username", "PGPASSWORD": "db-secret-password"}},
	{name: "kubernetes/csi.yaml", args: []string{"/app", "serve"}, env: databaseConfig},
	{name: "kubernetes/external-secret.yaml", args: []string{"/app", "serve"}, env: databaseConfig},
	{name: "kustomize/overlay", as: kustomized, args: []string{"/app", "serve"},
		env: map[string]string{"PORT": "8080", "DB_PASSWORD": "db-secret-password"}},
	{name: "helm", as: rendered, args: []string{"/app", "serve"}, env: map[string]string{"PORT": "8080", "DB_USERNAME": "db-readonly-username",
		"DB_PASSWORD": "db-secret-password", "SMTP_PASSWORD": "mail-password"}},
}

// manifests are the text of an example's manifests.
func (d deployment) manifests(t *testing.T) string {
	t.Helper()
	path := filepath.Join("../examples", d.name)
	if d.as != nil {
		return d.as(t, path)
	}
	text, err := os.ReadFile(path)
	mustDo(t, err)
	return string(text)
}

// Every manifest is one that a cluster takes, and what it runs gets its secrets
// from a Vault that was told what the examples tell it.
func TestManifests(t *testing.T) {
	t.Parallel()
	cluster := sharedCluster(t)
	v := exampleVault(t)
	mustDo(t, v.EnableKubernetesAuth(t.Context(), cluster, "kubernetes"))
	runVaultScript(t, v, "kubernetes.sh")
	mustDo(t, cluster.DefineForeignKinds(t.Context()))
	s := &podStage{vault: v, namespace: "shop", secrets: make(map[string]map[string]string), classes: make(map[string]map[string]string)}
	for _, d := range deployments {
		t.Run(d.name, func(t *testing.T) {
			objects, err := servers.Objects(d.manifests(t))
			mustDo(t, err)
			for _, o := range objects {
				if d.name == "kubernetes/namespace.yaml" {
					mustDo(t, cluster.Create(t.Context(), o))
				} else if err := cluster.DryRun(t.Context(), o); err != nil {
					t.Error(err)
				}
			}
			s.operate(t, objects)
			for _, o := range objects {
				if p := podOf(t, o); p != nil {
					s.check(t, d, p)
				}
			}
		})
	}
	t.Run("compose/compose.yaml", s.compose)
}

// check runs a pod, and compares what its application got.
func (s *podStage) check(t *testing.T, d deployment, p *podSpec) {
	t.Helper()
	if needEngine(t); s.images == nil {
		s.images = newPodImages(t)
	}
	res := s.run(t, p)
	for name, value := range d.env {
		res.childHas(name, value)
	}
	res.childLacks("VAULT_ADDR", "VAULTEXEC_ROLE", "VAULT_TOKEN")
	if !slices.Equal(res.started().Args, d.args) {
		t.Errorf("the arguments are %q, want %q", res.started().Args, d.args)
	}
	files := res.files()
	for path, content := range d.files {
		if files[path] != content {
			t.Errorf("%s is %q, want %q", path, files[path], content)
		}
	}
}

// compose runs the service of the compose file, whose secrets are in a directory
// of each container.
func (s *podStage) compose(t *testing.T) {
	var file struct {
		Services map[string]struct {
			Image       string
			Command     []string
			Environment map[string]string
			Secrets     []string
			ReadOnly    bool   `json:"read_only"`
			Grace       string `json:"stop_grace_period"`
		}
		Secrets map[string]struct{ File string }
	}
	text, err := os.ReadFile("../examples/compose/compose.yaml")
	mustDo(t, err)
	mustDo(t, yaml.UnmarshalStrict(text, &file))
	app := file.Services["app"]
	if file.Secrets[app.Secrets[0]].File != "./vault-token" {
		t.Errorf("the secrets are %v", file.Secrets)
	}
	c := containerSpec{Image: app.Image, Args: app.Command}
	for name, value := range app.Environment {
		c.Env = append(c.Env, variable{name, value})
	}
	c.SecurityContext.ReadOnlyRootFilesystem = app.ReadOnly
	c.VolumeMounts = []mount{{"secrets", "/run/secrets"}}
	s.secrets["compose"] = map[string]string{app.Secrets[0]: newToken(t, s.vault, exampleRole)}
	p := &podSpec{Containers: []containerSpec{c}, Volumes: []volumeSpec{{Name: "secrets", Secret: &podSecret{"compose"}}}}
	s.check(t, deployment{args: []string{"/app", "serve"}, env: databaseConfig}, p)
}

// exampleVault is a Vault with the secrets that the examples read.
func exampleVault(t *testing.T) *servers.Vault {
	t.Helper()
	v := ownVault(t, servers.VaultOptions{})
	kv := kvMountAt(t, v, "internal", 2)
	for path, f := range exampleSecrets["internal"] {
		kv.put(t, path, f)
	}
	return v
}

// runVaultScript runs a script of examples/vault as an administrator, with
// Vault's own command line.
func runVaultScript(t *testing.T, v *servers.Vault, name string) {
	t.Helper()
	bin := t.TempDir()
	mustDo(t, os.Symlink(shared.bin.Vault, filepath.Join(bin, "vault")))
	cmd := exec.Command("sh", filepath.Join("../examples/vault", name))
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "VAULT_ADDR=" + v.Address, "VAULT_TOKEN=" + v.Token}
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
}

// kustomized is what 'kubectl kustomize' makes of a directory.
func kustomized(t *testing.T, dir string) string {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	mustDo(t, err)
	text, err := made.AsYaml()
	mustDo(t, err)
	return string(text)
}

// rendered is what Helm makes of the chart, with those of its functions that the
// chart uses; Helm itself would bring more modules than all else together.
func rendered(t *testing.T, dir string) string {
	t.Helper()
	chart := template.New("chart").Option("missingkey=error")
	chart.Funcs(template.FuncMap{
		"quote": func(v string) string {
			return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(v) + `"`
		},
		"nindent": func(n int, text string) string {
			return "\n" + strings.Repeat(" ", n) + strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", n))
		},
		"toYaml": func(v any) (string, error) {
			text, err := yaml.Marshal(v)
			return strings.TrimSuffix(string(text), "\n"), err
		},
		"include": func(name string, values any) (string, error) {
			var out bytes.Buffer
			err := chart.ExecuteTemplate(&out, name, values)
			return out.String(), err
		},
	})
	_, err := chart.ParseGlob(filepath.Join(dir, "templates/*"))
	mustDo(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
	mustDo(t, err)
	var values fields
	mustDo(t, yaml.UnmarshalStrict(text, &values))
	var out bytes.Buffer
	mustDo(t, chart.ExecuteTemplate(&out, "deployment.yaml", fields{
		"Values": values, "Release": map[string]string{"Name": "helmed", "Namespace": "shop"}}))
	return out.String()
}

// Every example says what it is and how to apply it, and is one that a test
// knows.
func TestExampleFiles(t *testing.T) {
	t.Parallel()
	known := []string{"README.md", "vault/app.hcl", "systemd/app.service", "direnv/.envrc", "compose/compose.yaml", "github/workflow.yaml"}
	for _, script := range []string{"kubernetes.sh", "approle.sh", "github.sh"} {
		known = append(known, "vault/"+script)
	}
	for _, d := range deployments {
		known = append(known, d.name)
	}
	root := os.DirFS("../examples")
	mustDo(t, fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path == "README.md" {
			return err
		}
		if dir, _, _ := strings.Cut(path, "/"); !slices.Contains(known, path) && dir != "kustomize" && dir != "helm" {
			t.Errorf("no test knows %s", path)
		}
		text, err := fs.ReadFile(root, path)
		if first := strings.TrimPrefix(string(text), "#!/bin/sh\n"); !strings.HasPrefix(first, "# ") && !strings.HasPrefix(first, "{{- /* ") {
			t.Errorf("%s does not say what it is", path)
		}
		return err
	}))
}
