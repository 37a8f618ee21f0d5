package integration

import (
	"slices"
	"strings"
	"testing"
)

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
