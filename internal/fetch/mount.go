package fetch

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/vault/api"
)

// mount is where a secrets engine is mounted, as far as references need it.
type mount struct {
	prefix string // of the paths below it as references write them, with a slash at its end
	engine string // Vault's type: kv, database, pki, ...
	kv     int    // KV version 1 or 2; 0 for other engines
}

// String is how findings name it.
func (m *mount) String() string { return fmt.Sprintf("mount %s, %s", m.prefix, m.kind()) }

// kind is the engine, and of KV its version.
func (m *mount) kind() string {
	if m.kv != 0 {
		return fmt.Sprintf("KV v%d", m.kv)
	}
	return m.engine
}

// holds tells whether a path is below the mount, or is the mount itself.
func (m *mount) holds(path string) bool { return strings.HasPrefix(path+"/", m.prefix) }

// mountTable is what has been learnt about mounts. Failures are not learnt.
type mountTable struct {
	mu    sync.Mutex
	known map[string][]*mount // namespace -> its mounts
}

// find returns the mount that holds the path, or nil where nobody has asked.
// There is one at the most: Vault does not mount anything below a mount.
func (t *mountTable) find(namespace, path string) *mount {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.known[namespace] {
		if m.holds(path) {
			return m
		}
	}
	return nil
}

func (t *mountTable) learn(namespace string, m *mount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = make(map[string][]*mount)
	}
	t.known[namespace] = append(t.known[namespace], m)
}

// askMount asks Vault which mount holds the path. It returns the mount, or the
// answer that refuses to name one. The endpoint is not in the policies' hands:
// it answers every token that may do anything below the mount, and 403 to the
// others, also where there is no mount (vault/logical_system.go,
// pathInternalUIMountRead).
func (c *Client) askMount(ctx context.Context, namespace, path string) (*mount, *answer, error) {
	words := "asking for the mount of " + path
	var m *mount
	var refusal *answer
	err := c.retry(ctx, words, namespace, func(ctx context.Context, client *api.Client) error {
		var a *answer
		if err := c.reading("sys/internal/ui/mounts/"+path, nil, &a)(ctx, client); err != nil {
			return err
		}
		if a.status >= 400 {
			refusal = a
			return nil
		}
		if m = parseMount(path, a.data); m == nil {
			return errNotVault
		}
		return nil
	})
	if m != nil {
		c.mounts.learn(namespace, m)
	}
	return m, refusal, err
}

// parseMount reads the answer to askMount, nil if it makes no sense.
func parseMount(path string, data map[string]any) *mount {
	full, _ := data["path"].(string)
	engine, _ := data["type"].(string)
	prefix := alignMount(full, path)
	if prefix == "" || engine == "" {
		return nil
	}
	m := &mount{prefix: prefix, engine: engine}
	switch engine {
	case "kv", "generic": // generic is what KV was called before it had versions
		m.kv = 1
		options, _ := data["options"].(map[string]any)
		if options["version"] == "2" {
			m.kv = 2
		}
	}
	return m
}

// alignMount finds the part of the typed path that is the mount. Vault does
// not always name it as typed: an auth mount comes without auth/, and a mount
// in a child namespace that the path itself names comes with the namespaces
// from the root on. Empty if they have nothing to do with each other.
func alignMount(full, path string) string {
	full = strings.Trim(full, "/") + "/"
	if full == "/" {
		return ""
	}
	path += "/"
	if inAuth := "auth/" + full; strings.HasPrefix(path, inAuth) {
		return inAuth
	}
	for rest := full; rest != ""; _, rest, _ = strings.Cut(rest, "/") {
		if strings.HasPrefix(path, rest) {
			return rest
		}
	}
	return ""
}
