package env

import (
	"fmt"
	"strings"
	"testing"

	"vaultexec/internal/ref"
)

// lineOf is an item as a line.
func lineOf(i Item) string {
	kind := "variable"
	if i.File {
		kind = "file"
	}
	var from []string
	for _, o := range i.Origins {
		from = append(from, o.Source.String()+"#"+o.Key)
	}
	line := fmt.Sprintf("%s %q of %s from %s", kind, i.Name, i.Place, strings.Join(from, " "))
	switch {
	case i.Behind != "":
		line += ", behind " + i.Behind
	case !i.There:
		line += ", missing"
	}
	return line
}

func TestItems(t *testing.T) {
	v := vault{"kv/app": `{"A":"canary","B":"canary"}`, "kv/dir": `{"x":"canary","y":null}`, "kv/all/*": `{"one":{"C":"canary"},"two/three":{"D":"canary"}}`}
	inherited := []string{"URL=postgres://${vault:kv/app#A}:${vault:kv/none#p}@db", "B=x", "VAULT_TOKEN=canary"}
	p, err := NewPlanner(sources(t, inherited, "--on-conflict keep", "--secret kv/app", "--secret kv/gone?optional", "--secret kv/all/*",
		"--env A=kv/app#B", "--env E=kv/app#none", "--file-env F=kv/app#A", "--fd-env G=kv/none#x",
		"--file /one=kv/app?format=json", "--file /dir/=kv/dir", "--credentials kv/dir", "--credentials mail=kv/app#A"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`variable "" of --secret kv/gone from kv/gone#, missing`,
		`variable "A" of --env A from kv/app#B`,
		`variable "A" of --secret kv/app from kv/app#A, behind --env A`,
		`variable "B" of --secret kv/app from kv/app#B, behind the inherited variable`,
		`variable "C" of --secret kv/all/* (kv/all/one) from kv/all/one#C`,
		`variable "CREDENTIALS_DIRECTORY" of --credentials from kv/dir# kv/app#A`,
		`variable "D" of --secret kv/all/* (kv/all/two/three) from kv/all/two/three#D`,
		`variable "E" of --env E from kv/app#none, missing`,
		`variable "F_FILE" of --file-env F from kv/app#A`,
		`variable "G_FILE" of --fd-env G from kv/none#x, missing`,
		`variable "URL" of variable URL from kv/app#A kv/none#p, missing`,
		`file "/one" of --file /one from kv/app#`,
		`file "/dir/x" of --file /dir/ from kv/dir#x`,
		`file "$CREDENTIALS_DIRECTORY/x" of --credentials kv/dir from kv/dir#x`,
		`file "$CREDENTIALS_DIRECTORY/mail" of --credentials mail from kv/app#A`,
	}
	var got []string
	for _, i := range p.Items(v.fetch(t)) {
		got = append(got, lineOf(i))
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("items\n%s\nwant\n%s", g, w)
	}
	if n := len(p.Items(nil)); n != 13 { // the keys of five secrets are not known
		t.Errorf("of nothing there are %d items", n)
	}
	for name, want := range map[string]string{"B": "inherited", "VAULT_TOKEN": "not inherited: --pass would hand it on", "NONE": ""} {
		if got := p.Inheritance(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// What templates and secret blocks make has its place too.
func TestItemsOfTemplatesAndBlocks(t *testing.T) {
	s := Sources{Templates: []Template{{Place: "--env-template T", Name: "T", Text: `{{ with secret "kv/app" }}{{ .Data.A }}{{ end }}`},
		{Place: "--template t", Dest: "/t", Text: `{{ with secret "kv/none" }}{{ .Data.A }}{{ end }}`}},
		Custom:  []string{"MODE=canary"},
		Renamed: []Renamed{{Place: "x.hcl:1", Ref: ref.Ref{Source: ref.Source{Path: "kv/app"}}, Names: func(_, field string) []string { return []string{"P_" + field} }}}}
	p, err := NewPlanner(s)
	if err != nil {
		t.Fatal(err)
	}
	want := `variable "MODE" of the configuration from 
variable "P_A" of x.hcl:1 from kv/app#A
variable "P_B" of x.hcl:1 from kv/app#B
variable "T" of --env-template T from kv/app#
file "/t" of --template t from kv/none#, missing`
	var got []string
	fetched := vault{"kv/app": `{"A":"canary","B":"canary"}`}.fetch(t)
	fetched[ref.Source{Path: "kv/app", View: ref.WholeAnswer}] = fields(t, `{"data":{"A":"canary"}}`)
	for _, i := range p.Items(fetched) {
		got = append(got, lineOf(i))
	}
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("items\n%s\nwant\n%s", g, want)
	}
}
