package template

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vaultexec/internal/ref"
	"vaultexec/internal/secret"
)

const canary = "canary-5f2c"

// canaries are secrets and variables with nothing in them that may be printed.
func canaries(t *testing.T) Data {
	t.Helper()
	return Data{
		Secrets: map[ref.Source]secret.Fields{
			whole("kv/app"): answer(t, `{"s": "`+canary+`", "n": 8472195036, "l": ["`+canary+`"], "m": {"k": "`+canary+`"}, "json": "{\"`+canary+`\": 1}"}`),
		},
		Env: func(string) (string, bool) { return canary, true },
	}
}

func execute(t *testing.T, source string, o Options) (string, error) {
	t.Helper()
	o.Place = "place"
	template, err := Parse(source, o)
	if err != nil {
		return "", err
	}
	r, err := template.Execute(canaries(t))
	return r.Text, err
}

func TestErrorsSayWhereAndShowNoValue(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	with := func(inner string) string { return "{{ with secret `kv/app` }}\n" + inner + "{{ end }}" }
	const generic = "its functions do not take such values"
	for _, c := range []struct{ source, want string }{
		{with(`{{ .Data.none }}`), `there is no key "none"`},
		{with(`{{ .Data.m.none }}`), `there is no key "none"`},
		{with(`{{ .Data.none.deeper }}`), `there is no key "none"`},
		{with(`{{ .Nothing }}`), `can't evaluate field Nothing`},
		{with(`{{ .Auth.ClientToken }}`), ".ClientToken is not there: .Auth and .WrapInfo hold tokens, which no template is handed"},
		{with(`{{ .WrapInfo.Token }}`), ".Token is not there: .Auth and .WrapInfo hold tokens"},
		{with(`{{ (secret "kv/app").Auth.Policies }}`), ".Policies is not there: .Auth and .WrapInfo hold tokens"},
		{with(`{{ .Data.s.deeper }}`), `can't evaluate field deeper`},
		{with(`{{ range .Data.s }}{{ end }}`), generic},
		{with(`{{ range .Data.n }}{{ end }}`), generic},
		{with(`{{ index .Data.l 7 }}`), generic},
		{with(`{{ index .Data.s "x" }}`), generic},
		{with(`{{ index .Data.m 3 }}`), generic},
		{with(`{{ slice .Data.s 99 }}`), generic},
		{with(`{{ lt .Data.m .Data.s }}`), generic},
		{with(`{{ call .Data.s }}`), generic},
		{with(`{{ .Data.s | parseInt }}`), "parseInt: the text cannot be read as that"},
		{with(`{{ .Data.s | parseUint }}`), "parseUint: "},
		{with(`{{ .Data.s | parseFloat }}`), "parseFloat: "},
		{with(`{{ .Data.s | parseBool }}`), "parseBool: "},
		{with(`{{ .Data.s | parseJSON }}`), "parseJSON: the text is not JSON"},
		{with(`{{ .Data.s | base64Decode }}`), "base64Decode: the text is not base64"},
		{with(`{{ .Data.s | base64URLDecode }}`), "base64URLDecode: "},
		{with(`{{ regexMatch (print "(" .Data.s) "x" }}`), "regexMatch: "},
		{with(`{{ regexReplaceAll (print "(" .Data.s) "x" "y" }}`), "regexReplaceAll: "},
		{with(`{{ add 1 .Data.s }}`), "add: an argument is no number"},
		{with(`{{ divide 0 .Data.n }}`), "divide: by zero"},
		{with(`{{ modulo 0 .Data.n }}`), "modulo: by zero"},
		{with(`{{ loop .Data.s }}`), "parseInt: "},
		{with(`{{ loop .Data.m }}`), "loop: an argument is no whole number"},
		{with(`{{ range loop 0 9223372036854775807 }}{{ end }}`), "loop: all loops together"},
		{with(`{{ range loop -9223372036854775808 9223372036854775807 }}{{ end }}`), "loop: all loops together"},
		{with(`{{ range loop 2000 }}{{ range loop 2000 }}{{ end }}{{ end }}`), "loop: all loops together"},
		{with(`{{ toTOML .Data.l | explodeMap }}`), "wrong type for value; expected map[string]interface {}; got string"},
		{with(`{{ scratch.Set "a" .Data.s }}{{ scratch.MapSet "a" "b" 1 }}`), "scratch: "},
		{with(`{{ explodeMap (sprig_dict .Data.s 1 (print .Data.s "/x") 2) }}`), "explodeMap: "},
		{with(`{{ executeTemplate .Data.s }}`), "executeTemplate: there is no template with the name that the template makes"},
		{with(`{{ executeTemplate "none" }}`), `executeTemplate: there is no template "none"`},
		{with(`{{ file .Data.s }}`), "no such file"},
		{with(`{{ file "/none" }}`), `file "/none": cannot be read: no such file`},
		{with(`{{ secret (print .Data.s "?x") }}`), "secret: the path, which the template makes, is none"},
		{with(`{{ secret "kv/x?x=1" }}`), `secret "kv/x": the only parameter of a path is version`},
		{with(`{{ secret "kv/x" .Data.s }}`), "NAME=VALUE"},
		{with(`{{ sprig_fail .Data.s }}`), "sprig_fail: "},
		{with(`{{ sprig_repeat 1000000000 .Data.s }}`), "sprig_repeat: the text becomes longer"},
		{with(`{{ indent 1000000000 .Data.s }}`), "indent: the text becomes longer"},
		{with(`{{ sprig_append .Data.s 1 }}`), "sprig_append: takes a list"},
		{with(`{{ sprig_slice .Data.l 2 }}`), "sprig_slice: the list has no such part"},
		{with(`{{ sprig_chunk 0 .Data.l }}`), "sprig_chunk: takes a number from 1 up"},
		{with(`{{ sprig_dig "s" "x" 0 .Data }}`), "sprig_dig: a key is no text"},
		{with(`{{ sprig_dig .Data }}`), "sprig_dig: takes at least"},
		{with(`{{ sprig_div .Data.n 0 }}`), "sprig_div: by zero"},
		{with(`{{ sprig_divf .Data.n .Data.s }}`), "sprig_divf: by zero"},
		{with(`{{ sprig_addf .Data.n "inf" }}`), "sprig_addf: an argument is infinite"},
		{with(`{{ sprig_mustFromJson .Data.s }}`), "sprig_mustFromJson: the text is not JSON"},
		{with(`{{ sprig_b32dec .Data.s }}`), "sprig_b32dec: the text is not base32"},
		{with(`{{ sprig_urlParse (print "%zz" .Data.s) }}`), "sprig_urlParse: the text is no URL"},
		{with(`{{ sprig_urlJoin (sprig_dict "userinfo" (print .Data.s "%zz")) }}`), "sprig_urlJoin: the part userinfo"},
		{with(`{{ sprig_urlJoin (sprig_dict "host" .Data.l) }}`), "sprig_urlJoin: the part host is no text"},
		{with(`{{ sprig_mustToDate "2006" .Data.s }}`), "sprig_mustToDate: the text is no time"},
		{with(`{{ sprig_mustDateModify .Data.s sprig_now }}`), "sprig_mustDateModify: the first argument is no duration"},
		{with(`{{ sprig_decryptAES "x" .Data.s }}`), "sprig_decryptAES: "},
		{with(`{{ sprig_mustRegexMatch (print "(" .Data.s) "x" }}`), "sprig_mustRegexMatch: "},
		{with(`{{ sprig_regexReplaceAll (print "(" .Data.s) "x" "y" }}`), "sprig_regexReplaceAll: the first argument is no regular"},
		{with(`{{ sprig_regexMatch (sprig_repeat 5000 .Data.s) "x" }}`), "sprig_regexMatch: the regular expression is longer than 4096"},
		{with(`{{ regexMatch (sprig_repeat 5000 .Data.s) "x" }}`), "regexMatch: the regular expression is longer than 4096"},
		{with(`{{ sprig_regexReplaceAll "" (sprig_repeat 10000 .Data.s) (sprig_repeat 10000 .Data.s) }}`), "sprig_regexReplaceAll: the text becomes longer"},
		{with(`{{ sprig_regexSplit "" (sprig_repeat 200000 .Data.s) -1 }}`), "sprig_regexSplit: the list has more than"},
		{with(`{{ sprig_regexFindAll "." (sprig_repeat 200000 .Data.s) -1 }}`), "sprig_regexFindAll: the list has more than"},
		{with(`{{ sprig_split "" (sprig_repeat 200000 .Data.s) }}`), "sprig_split: the list has more than"},
		{with(`{{ sprig_wrapWith 1 (sprig_repeat 10000 .Data.s) (sprig_repeat 10000 .Data.s) }}`), "sprig_wrapWith: the text becomes longer"},
		{with(`{{ sprig_snakecase (sprig_repeat 100000 .Data.s) }}`), "sprig_snakecase: the text is longer than"},
		{with(`{{ sprig_join (sprig_repeat 10000 .Data.s) (sprig_until 1000) }}`), "sprig_join: the text becomes longer"},
		{with(`{{ $x := sprig_repeat 1000000 .Data.s }}{{ sprig_join "" (sprig_list $x $x) }}`), "sprig_join: the text becomes longer"},
		{with(`{{ sprig_until 9223372036854775807 }}`), "sprig_until: all loops together"},
		{with(`{{ sprig_untilStep -9223372036854775808 9223372036854775807 1 }}`), "sprig_untilStep: all loops together"},
		{with(`{{ sprig_seq 1000000 -1000000 }}`), "sprig_seq: all loops together"},
		{with(`{{ range loop 2000 }}{{ sprig_seq 2000 }}{{ end }}`), "sprig_seq: all loops together"},
		{with(`{{ $l := .Data.l }}{{ range loop 30 }}{{ $l = sprig_concat $l $l }}{{ end }}`), "sprig_concat: the list has more than"},
		{with(`{{ sprig_until 4000 | sprig_chunk 1 | sprig_uniq }}`), "sprig_uniq: the list has too many"},
		{with(`{{ sprig_until 400000 | sprig_chunk 1 | sprig_deepCopy }}`), "sprig_deepCopy: the value has more than"},
		{with(`{{ $m := sprig_set .Data "self" .Data }}{{ sprig_deepCopy $m }}`), "sprig_set: the map would be within itself"},
		{with(`{{ sprig_randAlphaNum 8 }}`), "sprig_randAlphaNum: it gives another value each time"},
		{with(`{{ sprig_bcrypt .Data.s }}`), "sprig_bcrypt: its result is another one each time"},
		{with(`{{ sprig_genCA .Data.s 365 }}`), "sprig_genCA: it makes another certificate each time"},
		{with(`{{ spew_dump .Data }}`), "spew_dump: "},
		{with(`{{ plugin "sh" .Data.s }}`), "plugin: "},
		{with(`{{ key .Data.s }}`), "Consul"},
		{with(`{{ explode .Data }}`), "explode: it takes the pairs of Consul's ls and tree: explodeMap takes a map"},
		{with(`{{ template "none" }}`), `template "none" not defined`},
		{`{{ define "t" }}{{ template "t" . }}{{ end }}` + with(`{{ template "t" .Data.s }}`), "exceeded maximum template depth (100000)"},
		{`{{ define "t" }}{{ executeTemplate "t" . }}{{ end }}` + with(`{{ executeTemplate "t" .Data.s }}`), "executeTemplate: more than 100"},
		{with(`{{ $x := .Data.s }}{{ range loop 30 }}{{ $x = print $x $x }}{{ end }}`), "print: the text becomes longer"},
		{with(`{{ $x := sprig_repeat 1000000 "x" }}{{ range loop 30 }}{{ $x }}{{ end }}`), "the output is longer than"},
		{with(`{{ file "` + dir + `/fifo" }}`), "is no regular file"},
		{with(`{{ file "` + dir + `" }}`), "is no regular file"},
		{with(`{{ file "/dev/zero" }}`), "is no regular file"},
		{"\n{{ nope }}", `function "nope" not defined`},
		{"\n{{ if }}", "missing value for if"},
		{"\n{{ `open", "raw quoted string"},
	} {
		got, err := execute(t, c.source, Options{})
		switch {
		case err == nil:
			t.Errorf("%s\ngives %q, not an error", c.source, got)
		case !strings.Contains(err.Error(), c.want):
			t.Errorf("%s\n%v\nwanted %s", c.source, err, c.want)
		case !strings.HasPrefix(err.Error(), "place, line 2 of the template: ") && !strings.Contains(c.source, "define") && !strings.Contains(c.want, "output"):
			t.Errorf("%s\n%v\nhas no place and line", c.source, err)
		case leaks(err), strings.ContainsRune(err.Error(), '\n'):
			t.Errorf("%s\n%v\nshows a value, or is more than a line", c.source, err)
		}
	}
	for _, name := range []string{"/link", "/none", "/../" + filepath.Base(dir)} {
		_, err := execute(t, `{{ file "`+dir+name+`" }}`, Options{Sandbox: dir})
		if err == nil || leaks(err) {
			t.Errorf("file %s in the sandbox: %v", name, err)
		}
	}
	if _, err := execute(t, `{{ file "`+dir+`/link" }}`, Options{Sandbox: dir}); err == nil || !strings.Contains(err.Error(), "outside of the sandbox") {
		t.Errorf("a link out of the sandbox: %v", err)
	}
	if _, err := execute(t, `{{ env "X" }}`, Options{Deny: []string{"env"}}); err == nil || !strings.Contains(err.Error(), "env: function_denylist forbids it") {
		t.Errorf("a function of the execution: %v", err)
	}
	for _, o := range []Options{{Deny: []string{"toUpper"}}, {Deny: []string{"to*"}}} {
		if _, err := execute(t, `{{ toUpper "x" }}`, o); err == nil || !strings.Contains(err.Error(), "toUpper: function_denylist forbids it") {
			t.Errorf("%v: %v", o, err)
		}
	}
}

// TestNoFunctionShowsAValue gives every function every kind of value.
func TestNoFunctionShowsAValue(t *testing.T) {
	values := []string{".Data.s", ".Data.n", ".Data.l", ".Data.m", "nil", "-1"}
	for name := range (Options{}).functions() {
		calls := []string{name}
		for _, a := range values {
			calls = append(calls, name+" "+a, name+" "+a+" .Data.s", name+" .Data.s "+a, name+" "+a+" "+a+" "+a)
		}
		for _, call := range calls {
			_, err := execute(t, "{{ with secret `kv/app` }}{{ "+call+" }}{{ end }}", Options{Sandbox: "/none"})
			if err != nil && leaks(err) {
				t.Errorf("%s: %v", call, err)
			}
		}
	}
}

// TestSprigHasItsOwnNames: where a template has sprig's names, as vault-env's do,
// what is refused is refused by them too, and env stays ours.
func TestSprigHasItsOwnNames(t *testing.T) {
	for source, want := range map[string]string{
		`{{ until 3 }}{{ seq 2 }}{{ list 1 | first }}{{ biggest 1 2 }}`: "[0 1 2]1 212",
		`{{ env "X" }}`: canary,
	} {
		if got, err := execute(t, source, Options{Sprig: true}); err != nil || got != want {
			t.Errorf("%s gives %q, %v; want %q", source, got, err, want)
		}
	}
	if _, err := execute(t, `{{ uuidv4 }}`, Options{Sprig: true}); err == nil || !strings.Contains(err.Error(), "uuidv4: it gives another value each time") {
		t.Errorf("uuidv4: %v", err)
	}
	for _, call := range []string{"until 3", "sprig_until 3"} {
		if _, err := execute(t, "{{ "+call+" }}", Options{Sprig: true, Deny: []string{"until", "sprig_*"}}); err == nil || !strings.Contains(err.Error(), "function_denylist forbids it") {
			t.Errorf("%s, denied: %v", call, err)
		}
	}
}

func leaks(err error) bool {
	return strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "8472195036")
}

// FuzzExecute executes anything: that ends, without a panic and without a value
// in its error.
func FuzzExecute(f *testing.F) {
	for _, seed := range []string{
		"{{ with secret `kv/app` }}{{ .Data.s }}{{ .Data.none }}{{ end }}",
		"{{ with secret `kv/app` }}{{ range $k, $v := .Data }}{{ $k }}: {{ $v | toJSON | base64Decode }}{{ end }}{{ end }}",
		"{{ with secret `kv/app` }}{{ .Data | toYAML }}{{ toTOML .Data }}{{ mergeMap .Data .Data.m | explodeMap }}{{ end }}",
		"{{ range loop 3 }}{{ add . 1 }}{{ end }}{{ range secrets `kv/` }}{{ secret (print `kv/` .) }}{{ end }}",
		"{{ define `t` }}{{ executeTemplate `t` . }}{{ end }}{{ executeTemplate `t` (env `X`) }}",
		"{{ index (secret `kv/app`).Data.l 9 }}{{ sprig_repeat 9 `x` | sprig_indent 3 | sprig_trunc -3 }}",
		"{{ (secret `kv/app`).Data.json | parseJSON | toYAML }}{{ scratch.MapSet `a` `b` 1 }}{{ splitToMap `,` `=` `a=b` }}",
		"{{ with secret `kv/app` }}{{ if .Auth }}{{ .Auth.ClientToken }}{{ end }}{{ .WrapInfo.Token }}{{ end }}",
		"{{ $d := sprig_dict `a` (sprig_list 1) }}{{ $e := sprig_set $d `b` $d.a }}{{ mergeMap $e $d }}{{ $d | toYAML }}{{ toTOML $e }}{{ sprig_toPrettyJson $d }}",
		"{{ scratch.MapSet `m` `k` 1 }}{{ scratch.MapSetX `m` `n` (scratch.Get `m`) }}{{ scratch }}{{ scratch.Get `m` }}",
		"{{ $s := secret `kv/app` }}{{ $_ := sprig_set $s.Data `self` $s }}{{ $s | toYAML }}{{ $s }}{{ explodeMap $s.Data }}",
		"{{ mustEnv `X` | file }}{{ secret (mustEnv `X`) (mustEnv `X`) }}{{ slice (env `X`) 99 }}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		if strings.Contains(source, canary) || strings.Contains(source, "8472195036") {
			t.Skip("the text has the canary itself")
		}
		if _, err := execute(t, source, Options{Sandbox: t.TempDir()}); err != nil && leaks(err) {
			t.Fatalf("%q: %v", source, err)
		}
	})
}
