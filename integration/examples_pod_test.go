package integration

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"vaultexec/integration/servers"
)

// runPodSpec has the API server check what a page shows of a pod, and runs the
// command where that is vaultexec, with its volumes filled as by kubelet.
func (s *exampleStage) runPodSpec(t *testing.T, spec string, x example) {
	t.Helper()
	const container, image = "  - name: app\n", "    image: registry.example/app:1\n" // which the pages leave out
	spec = strings.ReplaceAll("\n"+strings.Replace(spec, container, container+image, 1), "\n", "\n  ")
	manifest := "apiVersion: v1\nkind: Pod\nmetadata: {name: example}\nspec:" + spec + "\n"
	pod, err := sharedCluster(t).Pod(t.Context(), s.account.namespace, manifest)
	if err != nil {
		t.Fatal(err)
	}
	c := pod.Spec.Containers[0]
	if c.Command[0] != "/vaultexec" {
		return
	}
	x.others = map[string]string{}
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(pod.Spec.Volumes, func(v servers.Volume) bool { return v.Name == m.Name })
		if i < 0 || pod.Spec.Volumes[i].Secret == nil {
			t.Fatalf("the volume %s is no Secret", m.Name)
		}
		maps.Copy(x.others, secretFiles(m.MountPath))
	}
	script := "exec vaultexec"
	for _, word := range slices.Concat(c.Command[1:], c.Args) {
		script += " '" + word + "'"
	}
	s.runShell(t, script+"\n", x)
}

// runPod has the API server check a manifest, and runs its container's command
// with the annotations in the file that kubelet would make of them.
func (s *exampleStage) runPod(t *testing.T, manifest string, x example) {
	t.Helper()
	pod, err := sharedCluster(t).Pod(t.Context(), s.account.namespace, manifest)
	if err != nil {
		t.Fatal(err)
	}
	const injector, volume = "vault.hashicorp.com/", "/vault/secrets"
	annotations := pod.Metadata.Annotations
	if annotations[injector+"service"] != exampleAddress {
		t.Errorf("service is %q", annotations[injector+"service"])
	}
	annotations[injector+"service"] = s.vault.Address
	// The machine's own /vault is left alone.
	root := t.TempDir()
	annotations[injector+"secret-volume-path"] = root + volume
	container := pod.Spec.Containers[0]
	script := "set -a\n"
	mounted := false
	for _, v := range container.Env {
		script += v.Name + "='" + writeFile(t, root+v.Value, downwardText(annotations)) + "'\n"
		for _, m := range container.VolumeMounts {
			mounted = mounted || strings.HasPrefix(v.Value, m.MountPath+"/")
		}
	}
	if !mounted {
		t.Error("the file of annotations is in no volume")
	}
	line := strings.TrimPrefix(strings.Join(slices.Concat(container.Command, container.Args), " "), "/")
	s.runShellIn(t, root, script+line+"\n", x)
}
