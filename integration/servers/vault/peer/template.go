package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	text "text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/hashicorp/consul-template/dependency"
	"github.com/hashicorp/consul-template/template"
)

// templateCase is a template with what it renders, or that it fails.
type templateCase struct {
	Template string
	Want     string
	Fails    bool
}

// rendered is the case as consul-template has it, with those functions of sprig too
// that it leaves out. What panics fails.
func rendered(c templateCase) (out templateCase) {
	defer func() {
		if recover() != nil {
			out = templateCase{Template: c.Template, Fails: true}
		}
	}()
	out = templateCase{Template: c.Template, Fails: true}
	t, err := template.NewTemplate(&template.NewTemplateInput{Contents: c.Template, ErrMissingKey: true, ExtFuncMap: sprigFunctions()})
	if err != nil {
		return out
	}
	r, err := t.Execute(&template.ExecuteInput{Brain: brain(), Env: []string{"SET=value", "EMPTY="}})
	if err != nil {
		return out
	}
	return templateCase{Template: c.Template, Want: string(r.Output)}
}

func sprigFunctions() text.FuncMap {
	all := text.FuncMap{}
	for name, f := range sprig.TxtFuncMap() {
		all["sprig_"+name] = f
	}
	return all
}

// brain remembers the answers of Vault that the templates ask for.
func brain() *template.Brain {
	content, err := os.ReadFile(internal + "template/testdata/peer_secrets.json")
	if err != nil {
		panic(err)
	}
	var secrets map[string]json.RawMessage
	if err := json.Unmarshal(content, &secrets); err != nil {
		panic(err)
	}
	b := template.NewBrain()
	for path, object := range secrets {
		dec := json.NewDecoder(bytes.NewReader(object))
		dec.UseNumber() // as Vault's client does
		s := &dependency.Secret{RequestID: "req", LeaseID: "lease", LeaseDuration: 60, Renewable: true}
		if err := dec.Decode(&s.Data); err != nil {
			panic(fmt.Sprintf("%s: %v", path, err))
		}
		query, err := dependency.NewVaultReadQuery(path)
		if err != nil {
			panic(err)
		}
		b.Remember(query, s)
	}
	return b
}
