package fetch

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"vaultexec/internal/ref"
)

// Mend is what may mend a finding; the values that are to be written are read from
// standard input. Where another name was meant Near has that.
func (f Finding) Mend() Fix {
	switch {
	case f.fix.known():
		return f.fix
	case f.Kind == MountDenied:
		return Paste(f.vault("secrets list")+"   # is its mount there?", guessedPolicies(f.typed)...)
	case f.Kind == Denied && f.List && f.engine != nil:
		return Paste(f.engine.folderPolicy(f.Path))
	case f.Kind == Denied:
		return Paste(readPolicy(f.Path))
	case f.engine == nil:
		return Paste(f.vault("secrets list") + "   # what holds it")
	case f.engine.kv == 0:
		return f.mendOther()
	case f.List:
		return Paste(f.vault("kv list", f.secret())+"   # what there is", f.vault("kv put", f.secret()+"/NAME", f.assignment()))
	}
	return f.mendKV()
}

// mendKV is for one secret.
func (f Finding) mendKV() Fix {
	secret, v2 := f.secret(), f.engine.kv == 2
	put := f.vault("kv put", secret, f.assignment())
	metadata := f.vault("kv metadata get", secret) + "   # which versions there are"
	switch f.Kind {
	case KeyMissing, KeyNull:
		if v2 {
			return Paste(f.vault("kv patch", secret, f.assignment()))
		}
		return Paste(f.vault("kv get", secret)+"   # KV v1 has no patch: write all keys again, this one too\n"+put, f.vault("kv enable-versioning", f.engine.prefix)+"   # for patch and versions")
	case Deleted:
		if version := max(f.Version, f.newest); version > 0 {
			return Paste(f.vault("kv undelete", fmt.Sprintf("-versions=%d", version), secret))
		}
		return Paste(metadata)
	case VersionMissing:
		if f.Version == 0 {
			return Paste(put)
		}
		return Paste(metadata)
	case Destroyed:
		return Paste(metadata, put)
	case NotFound:
		if f.Version != 0 {
			return Paste(metadata)
		}
		return Paste(put)
	}
	return Paste(f.vault("read", ShellWord(f.Path)))
}

// mendOther is for what another engine has, or does.
func (f Finding) mendOther() Fix {
	if f.Kind == KeyMissing || f.Kind == KeyNull {
		return Paste(f.vault("path-help", ShellWord(f.Path)) + "   # what it answers with")
	}
	return Paste(f.vault("list", ShellWord(path.Dir(f.Path)))+"   # what there is", f.vault("path-help", ShellWord(f.Path))+"   # what it wants, and how it is asked")
}

// number reads a version; 0: there is none.
func number(v any) int {
	n, _ := v.(json.Number)
	i, _ := n.Int64() // of what is no number: 0
	return int(i)
}

// vault is a command in the finding's namespace, whose options come first.
func (f Finding) vault(verb string, words ...string) string {
	return administer(verb, f.namespace, words...)
}

// secret is the path as vault kv takes it.
func (f Finding) secret() string {
	name, api := strings.TrimPrefix(f.Path, f.engine.prefix), "data/"
	if f.List {
		api = "metadata/"
	}
	if f.engine.kv == 2 {
		name = strings.TrimPrefix(name+"/", api)
	}
	return ShellWord(strings.TrimSuffix(f.engine.prefix+name, "/"))
}

// assignment gives a key its value.
func (f Finding) assignment() string {
	key := f.Key
	if key == "" {
		key = f.wanted
	}
	if key == "" {
		key = "KEY"
	}
	return ShellWord(key) + "=-"
}

// folderPolicy is what a policy has to say for a folder to be listed and what is
// in it to be read.
func (m *mount) folderPolicy(folder string) string {
	if m.kv != 2 {
		return m.listPolicy(folder) // which opens both
	}
	return m.listPolicy(folder) + "\n" + readPolicy(m.dataOf(folder)+"/*")
}

// mendObjection is what may mend what objection objects to.
func (m *mount) mendObjection(s ref.Source) Fix {
	switch {
	case s.Below && m.kv == 0:
		return Paste(administer("list", s.Namespace, ShellWord(s.Path)) + "   # which secrets to name")
	case s.Path+"/" == m.prefix:
		return Paste(administer("list", s.Namespace, ShellWord(m.folder(s.Path))) + "   # which secrets to name")
	case m.kv == 1:
		return Paste(administer("kv enable-versioning", s.Namespace, ShellWord(m.prefix)) + "   # makes it KV v2, for all who read it")
	}
	return Paste(administer("read", s.Namespace, ShellWord(s.Path)) + "   # it has one version")
}
