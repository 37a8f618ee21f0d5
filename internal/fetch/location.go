package fetch

import (
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// location is where the API has what a reference names. Two references with
// the same location share one read.
type location struct {
	namespace string
	path      string // API path, without v1/
	version   int    // of KV v2; 0 means the newest
	body      string // JSON to write; empty: it is read
	names     bool   // of a list: its names alone are wanted, not what they name
	list      bool   // a folder: the names in it are asked for
}

func (l location) query() url.Values {
	switch {
	case l.list: // as the vault command does it: not every proxy lets the method LIST through
		return url.Values{"list": {"true"}}
	case l.version != 0:
		return url.Values{"version": {strconv.Itoa(l.version)}}
	}
	return nil
}

// inKV2 tells whether the location is a secret of KV v2, whose answers have
// data and metadata, and not its metadata.
func (m *mount) inKV2(apiPath string) bool {
	return m.kv == 2 && strings.HasPrefix(apiPath, m.prefix+"data/")
}

// locate finds the API path of a path as the user typed it. For KV v2 that is
// MOUNT/data/NAME, and the user may have typed it with or without data/. So a
// secret whose own name begins with data/ has to be typed with data/ twice.
func (m *mount) locate(typed string) string {
	name := strings.TrimPrefix(typed, m.prefix)
	if m.kv != 2 || strings.HasPrefix(name, "data/") || strings.HasPrefix(name, "metadata/") {
		return typed
	}
	return m.prefix + "data/" + name
}

// directory is the API path to LIST for what is beside apiPath.
func (m *mount) directory(apiPath string) string {
	dir := path.Dir(apiPath)
	if m.kv != 2 {
		return dir
	}
	if name, ok := strings.CutPrefix(dir+"/", m.prefix+"data/"); ok {
		return strings.TrimSuffix(m.prefix+"metadata/"+name, "/")
	}
	return dir
}

// readPolicy is what a policy has to say for the path to be read.
func readPolicy(apiPath string) string {
	return fmt.Sprintf("path %q { capabilities = [\"read\"] }", apiPath)
}
