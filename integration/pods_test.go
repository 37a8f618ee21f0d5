package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"vaultexec/integration/servers"
)

// podSpec is what kubelet would need of a pod, as far as the examples use it.
// That there is nothing else in it, the API server has checked.
type podSpec struct {
	Annotations        map[string]string `json:"-"` // of the pod, where the others are of its spec
	ServiceAccountName string
	SecurityContext    struct{ RunAsUser *int }
	InitContainers     []containerSpec
	Containers         []containerSpec
	Volumes            []volumeSpec
}

type containerSpec struct {
	Name, Image     string
	Command, Args   []string
	Env             []variable
	VolumeMounts    []mount
	SecurityContext struct{ ReadOnlyRootFilesystem bool }
}

type (
	variable  struct{ Name, Value string }
	mount     struct{ Name, MountPath string }
	podSecret struct{ SecretName string }
)

type volumeSpec struct {
	Name     string
	EmptyDir *struct{}
	Secret   *podSecret
	CSI      *struct{ VolumeAttributes map[string]string }

	DownwardAPI *struct {
		Items []struct {
			Path     string
			FieldRef struct{ FieldPath string }
		}
	}
	Projected *struct {
		Sources []struct {
			ServiceAccountToken *struct{ Path, Audience string }
		}
	}
}

// podOf is the pod of a workload, nil for any other object.
func podOf(t *testing.T, o servers.Object) *podSpec {
	t.Helper()
	var workload struct {
		Spec struct {
			Template *struct {
				Metadata struct{ Annotations map[string]string }
				Spec     podSpec
			}
		}
	}
	text, err := json.Marshal(o)
	mustDo(t, err)
	mustDo(t, json.Unmarshal(text, &workload))
	if workload.Spec.Template == nil {
		return nil
	}
	p := &workload.Spec.Template.Spec
	p.Annotations = workload.Spec.Template.Metadata.Annotations
	return p
}

// podStage is a cluster's node and what is around it: Vault, images, and what
// the operators of others have put into volumes.
type podStage struct {
	vault     *servers.Vault
	namespace string
	images    map[string]string            // as the examples name it -> as the engine does
	secrets   map[string]map[string]string // Kubernetes Secret -> file -> content
	classes   map[string]map[string]string // SecretProviderClass -> file -> content
}

// newPodImages builds what stands in for the images that the examples name:
// vaultexec as Dockerfile.example makes it, and the application on it and alone.
func newPodImages(t *testing.T) map[string]string {
	t.Helper()
	e := needEngine(t)
	app := filepath.Join(shared.dir, unique("podapp"))
	buildStatic(t, app, "./testdata/podapp")
	vaultexec := readDockerfile(t).built(t, e)["vaultexec"]
	images := map[string]string{"registry.example/vaultexec:1": vaultexec}
	for name, dockerfile := range map[string]string{
		"registry.example/app:1":       "FROM " + vaultexec + "\nCOPY app /app\n",
		"registry.example/plain-app:1": "FROM scratch\nCOPY app /app\nENTRYPOINT [\"/app\"]\n",
	} {
		image, err := e.buildImage(dockerfile, "", map[string]string{"app": app})
		mustDo(t, err)
		images[name] = image
	}
	return images
}

// run does what kubelet does: it makes the volumes, runs the init containers one
// after the other, and then the first container, whose end it returns.
func (s *podStage) run(t *testing.T, p *podSpec) *ranPod {
	t.Helper()
	dirs := make(map[string]string)
	for _, v := range p.Volumes {
		dirs[v.Name] = s.volume(t, p, v)
	}
	for _, c := range p.InitContainers {
		s.container(t, p, c, dirs).run().exited(0)
	}
	c := s.container(t, p, p.Containers[0], dirs)
	return &ranPod{c.run().exited(0), c.dir}
}

// ranPod is how the application ended, and where it has reported to.
type ranPod struct {
	*result
	dir string
}

// files are those that the application has read: path -> content.
func (r *ranPod) files() map[string]string {
	r.t.Helper()
	var report struct{ Files map[string]string }
	text, err := os.ReadFile(filepath.Join(r.dir, "child.json"))
	mustDo(r.t, err)
	mustDo(r.t, json.Unmarshal(text, &report))
	return report.Files
}

// volume makes a volume on the host.
func (s *podStage) volume(t *testing.T, p *podSpec, v volumeSpec) string {
	t.Helper()
	switch {
	case v.EmptyDir != nil:
		return volumeDir(t)
	case v.Secret != nil:
		return kubeletVolume(t, s.secrets[v.Secret.SecretName])
	case v.CSI != nil:
		return kubeletVolume(t, s.classes[v.CSI.VolumeAttributes["secretProviderClass"]])
	case v.DownwardAPI != nil && v.DownwardAPI.Items[0].FieldRef.FieldPath == "metadata.annotations":
		return kubeletVolume(t, map[string]string{v.DownwardAPI.Items[0].Path: s.here(downwardText(p.Annotations))})
	case v.Projected != nil && len(v.Projected.Sources) == 1 && v.Projected.Sources[0].ServiceAccountToken != nil:
		source := v.Projected.Sources[0].ServiceAccountToken
		a := &account{namespace: s.namespace, name: p.ServiceAccountName}
		return kubeletVolume(t, map[string]string{source.Path: a.jwt(t, source.Audience)})
	}
	t.Fatalf("this kubelet cannot make the volume %s", v.Name)
	return ""
}

// downwardText is how kubelet writes annotations into a file.
func downwardText(annotations map[string]string) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		lines = append(lines, fmt.Sprintf("%s=%q", name, annotations[name]))
	}
	return strings.Join(lines, "\n")
}

// volumeDir is an empty volume. Any user may write into it, as the pod's group
// may on a node.
func volumeDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	mustDo(t, os.Chmod(dir, 0o777))
	return dir
}

// kubeletVolume is a volume with files as kubelet lays them out, so that it can
// replace all in one moment: links through ..data.
func kubeletVolume(t *testing.T, files map[string]string) string {
	t.Helper()
	if len(files) == 0 {
		t.Fatal("nobody has filled the volume")
	}
	dir := volumeDir(t)
	const version = "..2026_01_01"
	mustDo(t, os.Mkdir(filepath.Join(dir, version), 0o755))
	mustDo(t, os.Symlink(version, filepath.Join(dir, "..data")))
	for name, content := range files {
		file := writeFile(t, filepath.Join(dir, version, name), content)
		mustDo(t, os.Chmod(file, 0o644))
		mustDo(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}
	return dir
}

// container is one container of a pod, on the host's network, where Vault is.
func (s *podStage) container(t *testing.T, p *podSpec, spec containerSpec, dirs map[string]string) *container {
	t.Helper()
	image, ok := s.images[spec.Image]
	if !ok {
		t.Fatalf("nobody knows the image %s", spec.Image)
	}
	words := spec.Args
	if len(spec.Command) > 0 { // in place of the image's ENTRYPOINT, and its CMD is gone too
		words = slices.Concat(spec.Command[1:], spec.Args)
	}
	c := runImage(t, image, words...).with("--network", "host")
	if len(spec.Command) > 0 {
		c.with("--entrypoint", spec.Command[0])
	}
	if spec.SecurityContext.ReadOnlyRootFilesystem {
		c.with("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
	}
	if user := p.SecurityContext.RunAsUser; user != nil && os.Getuid() == 0 {
		c.with("--user", fmt.Sprintf("%d:%d", *user, *user))
	} else if os.Getuid() != 0 { // a test that is not root's can only clean up what is its own
		c.with("--user", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()))
	}
	for _, m := range spec.VolumeMounts {
		c.with("--volume", dirs[m.Name]+":"+m.MountPath)
	}
	for _, v := range spec.Env {
		c.env(v.Name + "=" + s.here(v.Value))
	}
	return c
}

// here is a value of the examples with the Vault of the test in it, and a port
// that is free on the host's network.
func (s *podStage) here(value string) string {
	value = strings.ReplaceAll(value, exampleAddress, s.vault.Address)
	return strings.ReplaceAll(value, ":9102", "127.0.0.1:0")
}

// operate does the work of the operators that the objects are for: what they
// read from Vault with the rights that the examples give them is in volumes then.
func (s *podStage) operate(t *testing.T, objects []servers.Object) {
	t.Helper()
	for _, o := range objects {
		var spec struct {
			Kind     string
			Metadata struct{ Name string }
			Spec     struct {
				Parameters struct{ VaultAddress, RoleName, Objects string }
				Provider   any
				Target     struct{ Name string }
				DataFrom   []struct{ Extract struct{ Key string } }
			}
		}
		text, err := json.Marshal(o)
		mustDo(t, err)
		mustDo(t, json.Unmarshal(text, &spec))
		switch spec.Kind {
		case "SecretProviderClass":
			if got := spec.Spec.Parameters; got.VaultAddress != exampleAddress || got.RoleName != exampleRole {
				t.Errorf("it asks %s as %s", got.VaultAddress, got.RoleName)
			}
			var files []struct{ ObjectName, SecretPath, SecretKey string }
			mustDo(t, yaml.UnmarshalStrict([]byte(spec.Spec.Parameters.Objects), &files))
			class := make(map[string]string)
			for _, f := range files {
				class[f.ObjectName] = s.read(t, f.SecretPath)[f.SecretKey].(string)
			}
			s.classes[spec.Metadata.Name] = class
		case "ExternalSecret":
			secret := make(map[string]string)
			for key, value := range s.read(t, "internal/data/"+spec.Spec.DataFrom[0].Extract.Key) {
				secret[key] = value.(string)
			}
			s.secrets[spec.Spec.Target.Name] = secret
		}
	}
}

// read reads a secret of KV version 2 as an operator with the role app may.
func (s *podStage) read(t *testing.T, path string) fields {
	t.Helper()
	client, err := s.vault.Client().Clone()
	mustDo(t, err)
	client.SetToken(newToken(t, s.vault, exampleRole))
	got, err := client.Logical().ReadWithContext(t.Context(), path)
	mustDo(t, err)
	return got.Data["data"].(fields)
}
