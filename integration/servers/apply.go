package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// Object is an object of the Kubernetes API, as in a manifest.
type Object = map[string]any

// Objects parses the manifests of a YAML file, one or more.
func Objects(text string) ([]Object, error) {
	var out []Object
	for i, part := range strings.Split(text, "\n---\n") {
		var o Object
		if err := yaml.UnmarshalStrict([]byte(part), &o); err != nil {
			return nil, fmt.Errorf("manifest %d: %v", i+1, err)
		}
		out = append(out, o)
	}
	return out, nil
}

// Create creates an object. The API server refuses what has a field that it
// does not know, or one twice, as 'kubectl create --validate=strict' does.
func (c *Cluster) Create(ctx context.Context, o Object) error {
	return c.create(ctx, o, "?fieldValidation=Strict")
}

// DryRun asks the API server whether it would create an object.
func (c *Cluster) DryRun(ctx context.Context, o Object) error {
	return c.create(ctx, o, "?fieldValidation=Strict&dryRun=All")
}

func (c *Cluster) create(ctx context.Context, o Object, query string) error {
	path, err := c.pathOf(ctx, o)
	if err != nil {
		return err
	}
	return c.post(ctx, path+query, o, nil)
}

// pathOf is where objects of this kind are created, as the API server's own
// discovery has it.
func (c *Cluster) pathOf(ctx context.Context, o Object) (string, error) {
	var head struct {
		APIVersion, Kind string
		Metadata         struct{ Namespace string }
	}
	text, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(text, &head)
	}
	if err != nil {
		return "", err
	}
	root := "/api/"
	if strings.Contains(head.APIVersion, "/") {
		root = "/apis/"
	}
	var found struct {
		Resources []struct {
			Name, Kind string
			Namespaced bool
		}
	}
	if err := c.do(ctx, http.MethodGet, root+head.APIVersion, nil, &found); err != nil {
		return "", err
	}
	for _, r := range found.Resources {
		if r.Kind != head.Kind || strings.Contains(r.Name, "/") { // with a slash: a part of one, such as its status
			continue
		}
		if r.Namespaced == (head.Metadata.Namespace == "") {
			return "", fmt.Errorf("%s: namespace %q, but namespaced is %v", head.Kind, head.Metadata.Namespace, r.Namespaced)
		}
		if r.Namespaced {
			return root + head.APIVersion + "/namespaces/" + head.Metadata.Namespace + "/" + r.Name, nil
		}
		return root + head.APIVersion + "/" + r.Name, nil
	}
	return "", fmt.Errorf("%s has no %s", head.APIVersion, head.Kind)
}

// foreignKind is a kind that is no part of Kubernetes: the Go module whose
// files define it, and the file.
type foreignKind struct{ module, file string }

// The modules are only downloaded for their files, and depended on by nothing.
var foreignKinds = []foreignKind{
	{"sigs.k8s.io/secrets-store-csi-driver@v1.4.8", "config/crd/bases/secrets-store.csi.x-k8s.io_secretproviderclasses.yaml"},
	{"github.com/external-secrets/external-secrets@v0.20.4", "config/crds/bases/external-secrets.io_secretstores.yaml"},
	{"github.com/external-secrets/external-secrets@v0.20.4", "config/crds/bases/external-secrets.io_externalsecrets.yaml"},
}

// DefineForeignKinds makes the cluster know SecretProviderClass, SecretStore and
// ExternalSecret, as their projects define them.
func (c *Cluster) DefineForeignKinds(ctx context.Context) error {
	for _, k := range foreignKinds {
		if err := c.define(ctx, k); err != nil {
			return fmt.Errorf("%s of %s: %w", k.file, k.module, err)
		}
	}
	return nil
}

// DownloadForeignKinds sees to it that DefineForeignKinds needs no network.
func DownloadForeignKinds(ctx context.Context) error {
	for _, k := range foreignKinds {
		if _, err := k.definition(ctx); err != nil {
			return err
		}
	}
	return nil
}

// definition is the file's text.
func (k foreignKind) definition(ctx context.Context) ([]byte, error) {
	out, err := goTool(ctx, ".", nil, "mod", "download", "-json", k.module)
	if err != nil {
		return nil, err
	}
	var module struct{ Dir string }
	if err := json.Unmarshal([]byte(out), &module); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(module.Dir, k.file))
}

func (c *Cluster) define(ctx context.Context, k foreignKind) error {
	text, err := k.definition(ctx)
	if err != nil {
		return err
	}
	var o Object
	if err := yaml.Unmarshal(text, &o); err != nil {
		return err
	}
	if err := c.Create(ctx, o); err != nil {
		return err
	}
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Plural string }
			Versions []struct{ Name string }
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return err
	}
	// The server takes a moment to serve what it was told of.
	return c.apiserver.ready(ctx, func(ctx context.Context) error {
		return c.do(ctx, http.MethodGet, "/apis/"+crd.Spec.Group+"/"+crd.Spec.Versions[0].Name+"/"+crd.Spec.Names.Plural, nil, nil)
	})
}
