package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"vaultexec/internal/env"
	"vaultexec/internal/fetch"
	"vaultexec/internal/nearest"
	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
	"vaultexec/internal/supervise"
)

// explained is what explain prints. It has no value of a secret.
type explained struct {
	OK        bool               `json:"ok"`
	Class     string             `json:"class,omitempty"`
	Variables []explainedItem    `json:"variables"`
	Files     []explainedItem    `json:"files"`
	Settings  []explainedSetting `json:"settings"`
	Problems  []string           `json:"problems,omitempty"` // that are of no single item
}

// explainedItem is a variable or a file.
type explainedItem struct {
	Name     string            `json:"name"` // empty: the names are those of keys that are not known
	State    string            `json:"state"`
	SetBy    string            `json:"set_by"`
	Behind   string            `json:"overridden_by,omitempty"`
	From     []explainedOrigin `json:"from"`
	Problems []string          `json:"problems,omitempty"`
}

// The states of an item.
const (
	stateOK         = "ok"
	stateMissing    = "missing"
	stateUnknown    = "unknown"    // nobody could be asked
	stateAbsent     = "absent"     // missing, and that is no error
	stateOverridden = "overridden" // another has the name
)

// explainedOrigin is a place that an item is from.
type explainedOrigin struct {
	Path      string `json:"path"` // as it was given
	APIPath   string `json:"api_path,omitempty"`
	Key       string `json:"key,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Mount     string `json:"mount,omitempty"`
	Engine    string `json:"engine,omitempty"`
	Version   string `json:"version,omitempty"`
	Lease     string `json:"lease,omitempty"`
	Refresh   string `json:"refresh,omitempty"`
	OnChange  string `json:"on_change,omitempty"`
}

// explainPatience is how long explain waits for Vault and for files unless
// --startup-timeout says: somebody is waiting for it.
const explainPatience = 10 * time.Second

// explain resolves everything, without writing a file, and says where each part
// of it comes from. What is missing or cannot be asked for is said at its place.
func (s *stage) explain(name string, asJSON bool) supervise.Outcome {
	all := explained{Settings: s.explainSettings()}
	if err := s.spare(); err != nil && !isSettingName(name) {
		return supervise.Outcome{Err: err}
	}
	if !s.settings.IsSet("startup-timeout") {
		s.settings.StartupTimeout = explainPatience
	}
	if isSettingName(name) {
		return supervise.Outcome{Err: all.tell(s.stdout, name, asJSON, nil)}
	}
	prep, outcome := s.prepare(everySource)
	if outcome.Code != 0 {
		return outcome
	}
	if prep == nil {
		all.Class = classOf(outcome.Err)
		if err := all.tell(s.stdout, "", asJSON, nil); err != nil {
			return supervise.Outcome{Err: err}
		}
		return outcome
	}
	defer prep.revoke()
	result, err := judge(prep.planner, outcome.Err)
	all.OK, all.Class, all.Problems = result.OK, result.Class, result.Problems
	s.explainItems(&all, prep, result)
	unsure := slices.ContainsFunc(all.Variables, func(i explainedItem) bool { return i.Name == "" && i.State == stateUnknown })
	if printErr := all.tell(s.stdout, name, asJSON, prep.planner); printErr != nil && !unsure {
		err = printErr // else the name may be that of a key, and nobody can say
	}
	return supervise.Outcome{Err: err}
}

// explainItems says of each variable and file where it is from.
func (s *stage) explainItems(all *explained, prep *preparation, result checkResult) {
	var secrets map[ref.Source]secret.Fields
	var about map[ref.Source]fetch.About
	select {
	case <-prep.donec: // at once: its outcome is there
		secrets, about = prep.secrets, prep.about
	case <-time.After(time.Second): // it is stuck in a file system
	}
	problems := map[string][]string{} // reference -> what is wrong
	known := map[string]bool{}        // references that were asked for
	for _, c := range result.References {
		problems[c.Reference] = c.Problems
		known[c.Reference] = c.OK || len(c.Problems) > 0
	}
	for _, i := range prep.planner.Items(secrets) {
		x := explainedItem{Name: i.Name, SetBy: i.Place, Behind: i.Behind, State: stateOK, From: []explainedOrigin{}}
		asked, read := true, true
		for _, o := range i.Origins {
			x.From = append(x.From, s.explainOrigin(o, about[o.Source]))
			x.Problems = append(x.Problems, problems[o.Asked.String()]...)
			asked = asked && known[o.Asked.String()]
			read = read && secrets[o.Asked.Source] != nil
		}
		switch {
		case i.Behind != "":
			x.State = stateOverridden
		case i.There && (read || asked): // else a default= may not be needed
		case len(x.Problems) > 0:
			x.State = stateMissing
		case asked:
			x.State = stateAbsent
		default:
			x.State = stateUnknown
		}
		if i.File {
			all.Files = append(all.Files, x)
		} else {
			all.Variables = append(all.Variables, x)
		}
	}
}

// explainOrigin puts into words where something is from and how it is kept.
func (s *stage) explainOrigin(o env.Origin, about fetch.About) explainedOrigin {
	x := explainedOrigin{
		Path: o.Source.Path, APIPath: about.Path, Key: o.Key, Namespace: cmp.Or(o.Source.Namespace, s.settings.Namespace),
		Mount: about.Mount, Engine: about.Engine, Version: about.Version,
		OnChange: o.Asked.OnChange,
	}
	if o.Source.Login || o.Source.File != "" {
		x.Path, x.Namespace = o.Source.String(), ""
	}
	if o.Source.Below {
		x.Path += "/*"
	}
	if about.TTL > 0 {
		x.Lease = about.TTL.Round(time.Second).String()
		if about.Leased && !about.Renews {
			x.Lease += ", not renewable"
		}
	}
	switch about.Upkeep {
	case fetch.Never:
		x.Refresh = "never"
	case fetch.Every:
		x.Refresh = "every " + about.Refresh.String()
	case fetch.AtRotation:
		x.Refresh = "when Vault rotates it"
	case fetch.Renewing:
		x.Refresh = "lease is renewed"
	case fetch.Replacing:
		x.Refresh = "replaced before it ends"
	}
	if s.settings.Once && x.Refresh != "" {
		x.Refresh = "never (--once)"
	}
	return x
}

// tell prints all, or what has the name. planner knows what is inherited; nil:
// there is none.
func (x explained) tell(w io.Writer, name string, asJSON bool, planner *env.Planner) error {
	inherited := ""
	if name != "" {
		var err error
		if inherited, err = x.narrow(name, planner); err != nil {
			return err
		}
	}
	if asJSON {
		for _, list := range []*[]explainedItem{&x.Variables, &x.Files} {
			*list = append([]explainedItem{}, *list...) // [], not null
		}
		x.Settings = append([]explainedSetting{}, x.Settings...)
		return encodeJSON(w, x)
	}
	var b strings.Builder
	if inherited != "" {
		fmt.Fprintf(&b, "%s: %s\n", printable(name), inherited)
	}
	writeItems(&b, "VARIABLE", x.Variables)
	writeItems(&b, "FILE", x.Files)
	writeSettings(&b, x.Settings, name == "")
	_, err := io.WriteString(w, b.String())
	return err
}

// narrow leaves what has the name, and says what becomes of an inherited
// variable that has it.
func (x *explained) narrow(name string, planner *env.Planner) (inherited string, err error) {
	var names []string
	named := func(i explainedItem) bool { names = append(names, i.Name); return i.Name != name }
	x.Variables = slices.DeleteFunc(x.Variables, named)
	x.Files = slices.DeleteFunc(x.Files, named)
	x.Settings = slices.DeleteFunc(x.Settings, func(s explainedSetting) bool {
		names = append(names, s.names()...)
		return !slices.Contains(s.names(), name)
	})
	if planner != nil && len(x.Variables) == 0 {
		inherited = planner.Inheritance(name)
	}
	if len(x.Variables)+len(x.Files)+len(x.Settings) > 0 || inherited != "" {
		return inherited, nil
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	hint := "vaultexec explain without a name shows all there are"
	if near := nearest.To(name, names); len(near) > 0 {
		hint = "did you mean " + near[0] + "?"
	}
	return "", &usageError{fmt.Sprintf("vaultexec explain: there is no variable, file or setting %q: %s", name, hint)}
}

// writeItems writes a table, a line for each place that an item is from.
func writeItems(w io.Writer, heading string, items []explainedItem) {
	if len(items) == 0 {
		return
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "%s\tSTATE\tPATH\tKEY\tVERSION\tLEASE\tREFRESH\tSET BY\n", heading)
	for _, i := range items {
		name, state, by := cmp.Or(i.Name, "(each key)"), i.State, i.SetBy
		if i.Behind != "" {
			by += ", overridden by " + i.Behind
		}
		for _, o := range append(i.From, explainedOrigin{})[:max(1, len(i.From))] {
			cells := []string{name, state, o.Path, o.Key, o.Version, o.Lease, o.Refresh, by}
			for n, c := range cells {
				cells[n] = cmp.Or(printable(c), "-")
			}
			fmt.Fprintln(t, strings.Join(cells, "\t"))
			name, state, by = `"`, `"`, `"`
		}
	}
	_ = t.Flush() // w is a Builder
	fmt.Fprintln(w)
}

// printable keeps what names may have in them from moving the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

func encodeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
