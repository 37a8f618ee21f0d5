package fetch

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

// maxBelow is how many secrets and folders paths may have below them.
// There is no use for that many in one command; what has more is most likely the
// root of a mount that many share.
const maxBelow = 10_000

// location is where the API has what a source names. Of PATH/* that is the
// folder, to be listed.
func (m *mount) location(namespace string, s ref.Source) location {
	if s.View == ref.Names {
		return location{namespace: namespace, path: m.folder(s.Path), list: true, names: true}
	}
	if s.Below {
		return location{namespace: namespace, path: m.folder(s.Path), list: true}
	}
	return location{namespace: namespace, path: m.locate(s.Path), version: s.Version, body: s.Body}
}

// folder is the API path to LIST for a path as the user typed it. Like secrets,
// folders of KV v2 may be typed with or without data/, and metadata/ is how the
// API lists them.
func (m *mount) folder(typed string) string {
	name := strings.TrimPrefix(typed+"/", m.prefix)
	if m.kv != 2 {
		return strings.TrimSuffix(m.prefix+name, "/")
	}
	for _, form := range []string{"data/", "metadata/"} {
		if rest, ok := strings.CutPrefix(name, form); ok {
			name = rest
			break
		}
	}
	return strings.TrimSuffix(m.prefix+"metadata/"+name, "/")
}

// isRoot tells whether a folder is all of the mount.
func (m *mount) isRoot(folder string) bool {
	return folder == m.folder(strings.TrimSuffix(m.prefix, "/"))
}

// child is where the API has what a folder lists under a name.
func (m *mount) child(folder location, name string) location {
	name, deeper := strings.CutSuffix(name, "/")
	if deeper {
		return location{namespace: folder.namespace, path: folder.path + "/" + name, list: true}
	}
	return location{namespace: folder.namespace, path: m.dataOf(folder.path) + "/" + name}
}

// dataOf is where the secrets of a folder are read.
func (m *mount) dataOf(folder string) string {
	if m.kv != 2 {
		return folder
	}
	return strings.TrimSuffix(m.prefix+"data/"+strings.TrimPrefix(folder+"/", m.prefix+"metadata/"), "/")
}

// listPolicy is what a policy has to say for a folder and those in it to be
// listed. A path of KV version 1 has one rule for all that is done with it.
func (m *mount) listPolicy(folder string) string {
	if m.kv == 2 {
		return fmt.Sprintf("path %q { capabilities = [\"list\"] }", folder+"/*")
	}
	return fmt.Sprintf("path %q { capabilities = [\"list\", \"read\"] }", folder+"/*")
}

// guessedFolderPolicy is listPolicy and more where the mount is not known.
func guessedFolderPolicy(typed string) string {
	first, _, _ := strings.Cut(typed, "/")
	v1, v2 := &mount{prefix: first + "/", kv: 1}, &mount{prefix: first + "/", kv: 2}
	folder := v2.folder(typed)
	return fmt.Sprintf("%s or, if %s is a KV v2 mount, %s and %s",
		v1.listPolicy(typed), v2.prefix, v2.listPolicy(folder), readPolicy(v2.dataOf(folder)+"/*"))
}

// namesAsFields are the names in a folder as ref.Names has them.
func (r *read) namesAsFields() (secret.Fields, *Finding) {
	names, problem := r.names()
	if problem != nil {
		return nil, problem
	}
	return keysOf(names), nil
}

func keysOf(names []string) secret.Fields {
	keys := make([]any, len(names))
	for i, n := range names {
		keys[i] = n
	}
	return secret.Fields{"keys": secret.Of(keys)}
}

// names are what the answer to a LIST has in it, those of folders with a slash
// at the end: none of a folder that is not there. Otherwise it says what is
// wrong with the answer.
func (r *read) names() ([]string, *Finding) {
	a := r.answer
	f := &Finding{Path: r.at.path, Mount: r.mount.String(), Status: a.status, List: true}
	switch a.status {
	case http.StatusNotFound:
		return nil, nil
	case http.StatusForbidden:
		f.Kind, f.Policy = Denied, r.mount.listPolicy(r.at.path)
		return nil, f
	case http.StatusOK:
	default:
		f.Kind, f.Reason = Unreadable, r.at.path+" cannot be listed: "+cmp.Or(flatten(a.said), "no reason given")
		return nil, f
	}
	keys, ok := a.data["keys"].([]any)
	if !ok {
		f.Kind, f.Reason = Unreadable, r.at.path+" cannot be listed: "+a.dataless()
		return nil, f
	}
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		name, ok := k.(string)
		if bare := strings.TrimSuffix(name, "/"); !ok || slices.Contains([]string{"", ".", ".."}, bare) || strings.Contains(bare, "/") {
			f.Kind, f.Reason = Unreadable, fmt.Sprintf("%s lists %q, which is no name", r.at.path, name)
			return nil, f
		}
		names = append(names, name)
	}
	return names, nil
}
