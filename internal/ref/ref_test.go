package ref

import (
	"encoding/json"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
)

const canary = "canary-hunter2"

func ptr[T any](v T) *T { return &v }

func TestParse(t *testing.T) {
	kv := Source{Path: "kv/app"}
	tests := []struct {
		text string
		use  Use
		want Ref
	}{
		{"kv/app#key", Variable, Ref{Source: kv, Key: "key"}},
		{"vault:kv/app#key", Variable, Ref{Source: kv, Key: "key"}},
		{"/kv/app/#key", Variable, Ref{Source: kv, Key: "key"}},
		{"kv/app", Secret, Ref{Source: kv}},
		{"vault%3Akv/app", Secret, Ref{Source: Source{Path: "vault:kv/app"}}},
		{"kv/app#key#3", Variable, Ref{Source: Source{Path: "kv/app", Version: 3}, Key: "key"}},
		{"kv/app?version=3#key", Variable, Ref{Source: Source{Path: "kv/app", Version: 3}, Key: "key"}},
		{"kv/app?version=3#key#3", Variable, Ref{Source: Source{Path: "kv/app", Version: 3}, Key: "key"}},
		{"kv/app?namespace=/team/a/#key", Variable, Ref{Source: Source{Path: "kv/app", Namespace: "team/a"}, Key: "key"}},
		{"kv/a%23b%3Fc%26d%25e f#k%23%0A", Variable, Ref{Source: Source{Path: "kv/a#b?c&d%e f"}, Key: "k#\n"}},
		{"kv/app?optional", Secret, Ref{Source: kv, Optional: true}},
		{"kv/app?optional=true", Secret, Ref{Source: kv, Optional: true}},
		{"kv/app?optional=false", Secret, Ref{Source: kv}},
		{"kv/app?default=#key", Variable, Ref{Source: kv, Key: "key", Default: ptr("")}},
		{"kv/app?default=a=b%26c%23d%25#key", Variable, Ref{Source: kv, Key: "key", Default: ptr("a=b&c#d%")}},
		{"kv/app?optional=false&default=x#key", Variable, Ref{Source: kv, Key: "key", Default: ptr("x")}},
		{"kv/app?prefix=&case=upper&only=a,b*&except=c&only=d", Secret, Ref{Source: kv, Prefix: ptr(""), Case: CaseUpper, Only: []string{"a", "b*", "d"}, Except: []string{"c"}}},
		{"kv/app?format=json&mode=0440&owner=app:app", File, Ref{Source: kv, Format: "json", Mode: "0440", Owner: "app:app"}},
		{"kv/app?refresh=5m&on_change=signal:HUP", Secret, Ref{Source: kv, Refresh: ptr(5 * time.Minute), OnChange: "signal:HUP"}},
		{"kv/app?refresh=never&on_change=exec:nginx -s reload", Secret, Ref{Source: kv, Refresh: ptr(time.Duration(0)), OnChange: "exec:nginx -s reload"}},
		{">>pki/issue/app", Secret, Ref{Source: Source{Path: "pki/issue/app", Body: "{}"}}},
		{">>vault:pki/issue/app#private_key", Variable, Ref{Source: Source{Path: "pki/issue/app", Body: "{}"}, Key: "private_key"}},
		{`>>pki/issue/app?refresh=1h#key#{ "ttl": 1.50, "cn": "a#b?c" } `, Variable, Ref{Source: Source{Path: "pki/issue/app", Body: `{"cn":"a#b?c","ttl":1.50}`}, Key: "key", Refresh: ptr(time.Hour)}},
		{`>>pki/issue/app#{"cn":"x"}`, Secret, Ref{Source: Source{Path: "pki/issue/app", Body: `{"cn":"x"}`}}},
		{"kv/*", Secret, Ref{Source: Source{Path: "kv", Below: true}}},
		{"vault:/kv/app/*/", File, Ref{Source: Source{Path: "kv/app", Below: true}}},
		{"kv/app/*?names=path&only=db/*&optional&namespace=team", Secret, Ref{Source: Source{Path: "kv/app", Below: true, Namespace: "team"}, PathNames: true, Only: []string{"db/*"}, Optional: true}},
		{"kv/app/*?names=key", Secret, Ref{Source: Source{Path: "kv/app", Below: true}}},
		{"kv/%2A/a%2Ab/%2a", Secret, Ref{Source: Source{Path: "kv/*/a*b/*"}}},
		{"kv/app?version=2#${.a | f \"#}\"}b%20?${.c}", Variable, Ref{Source: Source{Path: "kv/app", Version: 2}, Template: `${.a | f "#}"}b%20?${.c}`}},
		{"kv/app?default=x&decode=base64#${.a}#3", File, Ref{Source: Source{Path: "kv/app", Version: 3}, Template: "${.a}", Default: ptr("x"), Decode: "base64"}},
		{`>>transit/decrypt/k#${.plaintext | b64dec}#{"ciphertext":"c"}`, Variable, Ref{Source: Source{Path: "transit/decrypt/k", Body: `{"ciphertext":"c"}`}, Template: "${.plaintext | b64dec}"}},
		{"kv/app#$%7B.a}", Variable, Ref{Source: kv, Key: "${.a}"}},
		{"kv/app?case=keep#key", Secret, Ref{Source: kv, Key: "key", Case: CaseKeep}},
	}
	for _, tt := range tests {
		got, err := Parse(tt.text, tt.use)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Parse(%q) = %s, %v, want %s", tt.text, show(got), err, show(tt.want))
		}
	}
}

func show(r Ref) string {
	b, _ := json.Marshal(r)
	return string(b)
}

const (
	starElsewhere = "a * stands only at the end of a path, as in MOUNT/PATH/*, for every secret below it; a star that is part of a name is written %2A"
	manySecrets   = "PATH/* is many secrets: it goes with --secret and with files, and without a key; a star that is part of a name is written %2A"
)

func TestParseErrors(t *testing.T) {
	tests := []struct {
		text string
		use  Use
		want string
	}{
		{"", Secret, "the path is empty"},
		{"vault:", Secret, "the path is empty"},
		{"#key", Variable, "the path is empty"},
		{"///", Secret, "the path is empty"},
		{"kv", Secret, "the path has no slash: write MOUNT/PATH, as for vault kv get"},
		{"kv//app", Secret, "the path has an empty, . or .. element"},
		{"kv/../sys", Secret, "the path has an empty, . or .. element"},
		{"kv/%2E%2E/sys", Secret, "the path has an empty, . or .. element"},
		{"kv/./a", Secret, "the path has an empty, . or .. element"},
		{"kv/a%00", Secret, "the path has a control character in it"},
		{"kv/a\n", Secret, "the path has a control character in it"},
		{"/*", Secret, "the path is empty"},
		{"*", Secret, starElsewhere},
		{"kv/*/app", Secret, starElsewhere},
		{"kv/app*", Secret, starElsewhere},
		{"kv/*/*", Secret, starElsewhere},
		{"kv/*%2F*", File, starElsewhere},
		{"kv/app/*#key", Secret, manySecrets},
		{"kv/app/*#key", Variable, manySecrets},
		{"kv/app/*", Variable, manySecrets},
		{">>kv/app/*", Secret, manySecrets},
		{">>kv/app/*#{" + `"a": "b"}`, File, manySecrets},
		{"kv/../*", Secret, "the path has an empty, . or .. element"},
		{"kv/app/*?version=2", Secret, "parameter version goes with one secret, not with all below a path: name the secret in place of /*"},
		{"kv/app/*?default=" + canary, File, "parameter default goes with one secret, not with all below a path: name the secret in place of /*"},
		{"kv/app/*?names=full", Secret, `parameter names is key or path, not "full"`},
		{"kv/app?names=path", Secret, "parameter names goes with all secrets below a path: MOUNT/PATH/*"},
		{"kv/100%", Secret, "the path: has a % that is not followed by two hexadecimal digits: write %25 for the sign itself"},
		{"kv/app", Variable, "one variable takes one key: add #KEY"},
		{"kv/app#", Variable, "there is no key after #"},
		{"kv/app##3", Variable, "there is no key after #"},
		{"kv/app#a%", Variable, "the key: has a % that is not followed by two hexadecimal digits: write %25 for the sign itself"},
		{"kv/app#${.a | b}", Secret, "a template in place of the key has no name for its variable: use --env NAME=kv/app#${.a | b}"},
		{"kv/app/*#${.a}", File, manySecrets},
		{"kv/app?only=a#${.a}", File, "parameter only goes with a whole secret: remove #${.a}"},
		{"kv/app#${.a}#x", Variable, "the version after the second #: is a number from 1 up"},
		{"kv/app#key#", Variable, "the version after the second #: is a number from 1 up"},
		{"kv/app#key#0", Variable, "the version after the second #: is a number from 1 up"},
		{"kv/app#key#-1", Variable, "the version after the second #: is a number from 1 up"},
		{"kv/app#key#1#2", Variable, "the version after the second #: is a number from 1 up"},
		{"kv/app?version=2#key#3", Variable, "parameter version is given twice"},
		{"kv/app?version=x", Secret, "parameter version is a number from 1 up"},
		{">>pki/issue/app#key#{" + canary, Variable, `what is to be written is not one JSON object, as in >>PATH#KEY#{"name": "value"}`},
		{`>>pki/issue/app#key#{"a":1}{"b":2}`, Variable, `what is to be written is not one JSON object, as in >>PATH#KEY#{"name": "value"}`},
		{">>pki/issue/app?version=2#key", Variable, "what is written has no version to ask for"},
		{"kv/app?refresh=5", Secret, "parameter refresh is a time from 1s up, such as 30s or 5m, or never"},
		{"kv/app?refresh=10ms", Secret, "parameter refresh is a time from 1s up, such as 30s or 5m, or never"},
		{"kv/app?on_change=reload", Secret, "parameter on_change is restart, signal:NAME, exec:COMMAND, exit or none"},
		{"kv/app?on_change=signal", Secret, "parameter on_change is restart, signal:NAME, exec:COMMAND, exit or none"},
		{"kv/app?on_change=exec:", Secret, "parameter on_change is restart, signal:NAME, exec:COMMAND, exit or none"},
		{"kv/app?on_change=exit:1", Secret, "parameter on_change is restart, signal:NAME, exec:COMMAND, exit or none"},
		{"kv/app?", Secret, `unknown parameter "": there are version, optional, default, namespace, prefix, case, names, only, except, refresh, on_change`},
		{"kv/app?otional", Secret, `unknown parameter "otional": did you mean optional?`},
		{"kv/app?Mode=1", File, `unknown parameter "Mode": did you mean mode?`},
		{"kv/app?mode=0400", Secret, "parameter mode has no meaning here"},
		{"kv/app?prefix=a#k", Variable, "parameter prefix has no meaning here"},
		{"kv/app?default=x", Secret, "parameter default goes with one key: add #KEY"},
		{"kv/app?only=a#key", Secret, "parameter only goes with a whole secret: remove #key"},
		{"kv/app?only=a,,b", Secret, "parameter only has an empty name in it"},
		{"kv/app?except=[", Secret, `parameter except pattern "[" is malformed: a [ is not closed, or it ends in a backslash`},
		{"kv/app?case=Upper", Secret, `parameter case is keep or upper, not "Upper"`},
		{"kv/app?optional=maybe", Secret, "parameter optional is either there or not: optional, optional=true or optional=false"},
		{"kv/app?optional&default=x#k", Variable, "optional and default exclude each other: a default is never missing"},
		{"kv/app?prefix=a&prefix=b", Secret, "parameter prefix is given twice"},
		{"kv/app?namespace=a%0Ab", Secret, "parameter namespace has a control character in it"},
		{"kv/app?default=" + canary + "&default=" + canary + "#k", Variable, "parameter default is given twice"},
		{"kv/app?default=" + canary + "%2#k", Variable, "parameter default has a % that is not followed by two hexadecimal digits: write %25 for the sign itself"},
		{"kv/app?default=a&" + canary + "#k", Variable, "an unknown parameter follows default=: write %26 for an & in the default"},
		{"kv/app?default=a#k#" + canary, Variable, "the version after the second #: is a number from 1 up"},
		{canary, Secret, "the path has no slash: write MOUNT/PATH, as for vault kv get"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.text, tt.use)
		switch {
		case err == nil:
			t.Errorf("Parse(%q) is no error, want %s", tt.text, tt.want)
		case err.Error() != tt.want:
			t.Errorf("Parse(%q): %v\nwant %s", tt.text, err, tt.want)
		case strings.Contains(err.Error(), canary):
			t.Errorf("Parse(%q) prints a value: %v", tt.text, err)
		}
	}
}

func TestString(t *testing.T) {
	for text, want := range map[string]string{
		"vault:/kv/app/?version=3&optional#key":          "kv/app#key",
		"kv/app?namespace=team":                          "kv/app in namespace team",
		"kv/app?namespace=team&default=" + canary + "#k": "kv/app#k in namespace team",
		"kv/a%23b#c%0Ad":                                 "kv/a%23b#c%0Ad",
		"kv/a%2Ab/*?namespace=team":                      "kv/a%2Ab/* in namespace team",
		"kv/app/%2A":                                     "kv/app/%2A",
	} {
		r, err := Parse(text, Secret)
		if err != nil || r.String() != want {
			t.Errorf("%s: %q, %v, want %q", text, r, err, want)
		}
	}
}

func TestSelects(t *testing.T) {
	for _, tt := range []struct {
		query string
		want  string
	}{
		{"", "a a.b b"},
		{"?only=a", "a"},
		{"?only=a*", "a a.b"},
		{"?except=a*", "b"},
		{"?only=a*,b&except=a", "a.b b"},
		{"?except=*", ""},
	} {
		r, err := Parse("kv/app"+tt.query, Secret)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, field := range []string{"a", "a.b", "b"} {
			if r.Selects(field) {
				got = append(got, field)
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s takes %q, want %q", tt.query, got, tt.want)
		}
	}
}

func TestSelectsBelow(t *testing.T) {
	for query, want := range map[string]string{
		"":                     "db/password db/user team/x/password",
		"?only=password":       "db/password team/x/password",
		"?only=db/*":           "db/password db/user",
		"?only=team/*/*":       "team/x/password",
		"?except=db/password":  "db/user team/x/password",
		"?only=*&except=*/*/*": "db/password db/user",
	} {
		r, err := Parse("kv/app/*"+query, Secret)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range [][2]string{{"db", "password"}, {"db", "user"}, {"team/x", "password"}} {
			if r.SelectsBelow(f[0], f[1]) {
				got = append(got, f[0]+"/"+f[1])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s takes %q, want %q", query, got, want)
		}
	}
}

func TestMember(t *testing.T) {
	r, err := Parse("kv/app/*?namespace=team", Secret)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := r.Member("db/a"), (Source{Path: "kv/app/db/a", Namespace: "team"}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// text writes a reference so that it parses to r.
func text(r Ref) string {
	var words []string
	add := func(name, value string) { words = append(words, name+"="+url.QueryEscape(value)) }
	if r.Version != 0 {
		add("version", strconv.Itoa(r.Version))
	}
	for name, value := range map[string]string{"namespace": r.Namespace, "case": string(r.Case), "on_change": r.OnChange, "format": r.Format, "mode": r.Mode, "owner": r.Owner} {
		if value != "" {
			add(name, value)
		}
	}
	if r.Optional {
		words = append(words, "optional")
	}
	if r.Default != nil {
		add("default", *r.Default)
	}
	if r.Refresh != nil {
		add("refresh", r.Refresh.String())
	}
	if r.Prefix != nil {
		add("prefix", *r.Prefix)
	}
	for _, g := range r.Only {
		add("only", g)
	}
	for _, g := range r.Except {
		add("except", g)
	}
	if r.PathNames {
		words = append(words, "names=path")
	}
	s := Escape(r.Path)
	if r.Login {
		s, r.Key = Login, ""
	}
	if r.Below {
		s += "/*"
	}
	if words != nil {
		// PathUnescape leaves + alone, which QueryEscape makes of blanks.
		s += "?" + strings.ReplaceAll(strings.Join(words, "&"), "+", "%20")
	}
	oneKey := func(key string) string { return strings.ReplaceAll(Escape(key), "/", "%2F") }
	switch {
	case r.Key != "" && r.Inner != nil:
		s += "#" + oneKey(r.Key)
	case r.Key != "":
		s += "#" + Escape(r.Key)
	}
	if r.Template != "" {
		s += "#" + r.Template
	}
	for _, key := range r.Inner { // of vals alone, whose scheme is for the caller to add
		s += "/" + oneKey(key)
	}
	if r.Body != "" {
		s = ">>" + s + "#" + r.Body
	}
	return s
}

var seeds = []string{
	"kv/app#key", "vault:kv/app#key#3", "secret/data/app?version=2&optional#key", "kv/app?default=a%26b#key",
	"kv/app?prefix=DB_&case=upper&only=a,b*&except=[c-d]", "kv/app?format=json&mode=0440&owner=1:2", "kv/app?namespace=team/a",
	">>kv/app#k", ">>vault:pki/issue/app#certificate#{\"common_name\": \"a}#?\", \"n\": 1}", ">>pki/issue/app#{}", "kv/app?refresh=5m&on_change=signal:HUP#k", "kv/a%23b#c%23d", "kv/%2e%2e/x", "kv/%", "?#", "vault:", "vault%3Akv/x#k", "kv/x?%", "kv/x#${.a}", "kv/x#a${.a | f \"}\"}b${`}`}?#3", ">>kv/x#${.a}#{}", "kv/x#$%7B", "kv/\xff#\xfe", "kv/*",
	"kv/app/*?names=path&only=db/*&case=upper", "kv/%2A", "kv/%2A/*", "kv/*/", "/*", "kv/*#k", ">>kv/*",
}

// realReferences are values as they stand in manifests for vault-env, vals and us, one
// on each line.
func realReferences(f *testing.F) []string {
	f.Helper()
	text, err := os.ReadFile("testdata/seeds/vault-env.refs")
	if err != nil {
		f.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// FuzzParse holds that parsing never panics, that what it accepts can be
// written so that it parses to the same, and that messages stay on one line.
func FuzzParse(f *testing.F) {
	for _, s := range append(realReferences(f), seeds...) {
		for use := range 3 {
			f.Add(s, use)
		}
	}
	f.Fuzz(func(t *testing.T, s string, use int) {
		if use < int(Variable) || use > int(File) {
			return
		}
		r, err := Parse(s, Use(use))
		if err != nil {
			return
		}
		if strings.ContainsFunc(r.String(), unicode.IsControl) {
			t.Errorf("Parse(%q).String() = %q", s, r)
		}
		again, err := Parse(text(r), Use(use))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("Parse(%q) = %s, but Parse(%q) = %s, %v", s, show(r), text(r), show(again), err)
		}
		if r.Namespace == "" && r.Body == "" && r.Template == "" && !r.Login {
			if again, err = Parse(r.String(), Secret); err != nil || again.Path != r.Path || again.Below != r.Below || again.Key != r.Key {
				t.Errorf("Parse(%q).String() = %q, which is %s, %v", s, r, show(again), err)
			}
		}
	})
}
