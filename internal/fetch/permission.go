package fetch

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"vaultexec/internal/ref"
)

// Permission is what the token may do with what a reference names.
type Permission struct {
	Reference string
	Mount     string // that holds it, and its KV version or engine
	Path      string // in the API; empty where the mount is not known
	Needs     string // the capability
	OK        bool
	Unknown   bool   // Vault does not say
	Fix       Fix    // what opens the path, or mends the reason
	Reason    string // what else is wrong with it

	at location
}

// Permissions asks for those of all references to Vault, each once. The error is
// Vault's trouble.
func (c *Client) Permissions(ctx context.Context, refs []ref.Ref) ([]Permission, error) {
	var all []Permission
	asked := map[string][]string{} // namespace -> paths
	for _, r := range refs {
		if r.Login || r.File != "" || slices.ContainsFunc(all, func(p Permission) bool { return p.Reference == r.String() }) {
			continue
		}
		namespace := cmp.Or(r.Namespace, c.namespace)
		p, err := c.permission(ctx, namespace, r)
		if err != nil {
			return all, err
		}
		all = append(all, p)
		if path := p.asks(); path != "" && !slices.Contains(asked[namespace], path) {
			asked[namespace] = append(asked[namespace], path)
		}
	}
	for namespace, paths := range asked {
		capabilities, err := c.capabilities(ctx, namespace, paths)
		if err != nil {
			return all, err
		}
		for i := range all {
			if p := &all[i]; p.at.namespace == namespace && p.asks() != "" {
				p.judge(capabilities[p.asks()], capabilities != nil)
			}
		}
	}
	return all, nil
}

// asks is the path that decides; empty: there is none. A folder's has a slash at
// its end, as Vault adds it to what is listed.
func (p *Permission) asks() string {
	switch {
	case p.Path == "" || p.Reason != "":
		return ""
	case p.at.list:
		return p.Path + "/"
	}
	return p.Path
}

// permission is what a reference needs, before anybody is asked for it.
func (c *Client) permission(ctx context.Context, namespace string, r ref.Ref) (Permission, error) {
	p := Permission{Reference: r.String(), Needs: "read"}
	m := c.mounts.find(namespace, r.Path)
	if m == nil {
		var refusal *answer
		var err error
		if m, refusal, err = c.askMount(ctx, namespace, r.Path); err != nil {
			return p, c.inWords("asking for the mount of "+r.Path, err)
		}
		if m == nil {
			if refusal.rejectsToken() {
				return p, c.tokenRejected(refusal)
			}
			problem := mountProblem(r.Path, refusal)
			problem.typed, problem.namespace = r.Path, namespace
			p.Reason, p.Fix = problem.what(), problem.Mend()
			return p, nil
		}
	}
	p.at = m.location(namespace, r.Source)
	p.Path, p.Mount = p.at.path, m.String()
	switch {
	case p.at.list:
		p.Needs, p.Fix = "list", Paste(m.folderPolicy(p.Path))
	case p.at.body != "":
		p.Needs, p.Fix = "update", Paste(policyFor(p.Path, "update"))
	default:
		p.Fix = Paste(readPolicy(p.Path))
	}
	if p.Reason = m.objection(r.Source); p.Reason != "" {
		p.Fix = m.mendObjection(r.Source)
	}
	return p, nil
}

// judge compares what is needed with what there is.
func (p *Permission) judge(has []string, known bool) {
	p.Unknown = !known
	p.OK = slices.Contains(has, p.Needs) || slices.Contains(has, "root") || p.Needs == "update" && slices.Contains(has, "create")
}

// capabilities are those of paths; nil where the token may not ask for them.
func (c *Client) capabilities(ctx context.Context, namespace string, paths []string) (map[string][]string, error) {
	const words = "asking for the token's capabilities"
	body, err := json.Marshal(map[string]any{"paths": paths})
	if err != nil {
		panic("BUG: paths that are no JSON: " + err.Error())
	}
	var a *answer
	if err := c.retry(ctx, words, namespace, c.writing("sys/capabilities-self", body, &a)); err != nil {
		return nil, c.inWords(words, err)
	}
	if a.rejectsToken() {
		return nil, c.tokenRejected(a)
	}
	if a.status != http.StatusOK {
		return nil, nil
	}
	capabilities := map[string][]string{}
	for _, path := range paths {
		capabilities[path] = texts(a.data[path])
	}
	return capabilities, nil
}
