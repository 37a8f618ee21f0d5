package env

import (
	"strings"
	"testing"
)

// golden is a secret with everything that formats have to decide about.
const golden = `{
	"text": "plain", "empty": "", "null": null, "yes": true, "no": false, "Y": "y",
	"int": 9007199254740993, "float": -1.10, "exp": 1e400, "small": 2.5E-7,
	"octal": "0o17", "date": "2026-01-02", "words": "a: b # c",
	"pem": "-----BEGIN-----\nMII=\n-----END-----\n", "quote": "it's", "double": "say \"hi\"",
	"unicode": "\u00e4\u20ac\ud83d\ude00\u2028\u0085\ufeff", "blank": "  x  ", "html": "<&>",
	"list": [1, "a", null, [], {}, [[true]], {"k": {"deep": "v"}, "a": [2]}], "map": {"b b": 1, "a": {}}
}`

func encodeGolden(t *testing.T, file, object string) string {
	t.Helper()
	p, err := plan(t, vault{"kv/golden": object}, nil, "--file "+file)
	if err != nil {
		t.Fatal(err)
	}
	return p.Files[0].Content.Text()
}

func checkGolden(t *testing.T, file, object, want string) {
	t.Helper()
	got := encodeGolden(t, file, object)
	if got == want {
		return
	}
	gots, wants := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(gots), len(wants)) {
		if i >= len(gots) || i >= len(wants) || gots[i] != wants[i] {
			t.Fatalf("line %d differs; got\n%s\nwant\n%s", i+1, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	checkGolden(t, "/f.json=kv/golden?only=text,empty,null,yes,int,float,exp,list,html,unicode", golden, `{
  "empty": "",
  "exp": 1e400,
  "float": -1.10,
  "html": "<&>",
  "int": 9007199254740993,
  "list": [
    1,
    "a",
    null,
    [],
    {},
    [
      [
        true
      ]
    ],
    {
      "a": [
        2
      ],
      "k": {
        "deep": "v"
      }
    }
  ],
  "null": null,
  "text": "plain",
  "unicode": "ä€😀\u2028`+"\u0085\ufeff"+`",
  "yes": true
}
`)
	checkGolden(t, "/f=kv/golden?format=json#text", golden, "\"plain\"\n")
	checkGolden(t, "/f=kv/golden?format=json#int", golden, "9007199254740993\n")
	checkGolden(t, "/f=kv/golden?format=json&default=7#none", golden, "\"7\"\n")
}

func TestYAML(t *testing.T) {
	checkGolden(t, "/f.yaml=kv/golden", golden, `"Y": "y"
blank: "  x  "
date: "2026-01-02"
double: "say \"hi\""
empty: ""
exp: 1.0e+400
float: -1.10
html: "<&>"
int: 9007199254740993
list:
  - 1
  - "a"
  - null
  - []
  - {}
  -
    -
      - true
  -
    a:
      - 2
    k:
      deep: "v"
map:
  a: {}
  "b b": 1
"no": false
"null": null
octal: "0o17"
pem: "-----BEGIN-----\nMII=\n-----END-----\n"
quote: "it's"
small: 2.5e-7
text: "plain"
unicode: "ä€😀\u2028\u0085\ufeff"
words: "a: b # c"
"yes": true
`)
	checkGolden(t, "/f.yml=kv/golden?only=text", golden, "text: \"plain\"\n")
	checkGolden(t, "/f=kv/golden?format=yaml#text", golden, "\"plain\"\n")
	checkGolden(t, "/f=kv/golden?format=yaml#map", golden, "a: {}\n\"b b\": 1\n")
	long := strings.Repeat("k", 200)
	checkGolden(t, "/f.yaml=kv/golden", `{"`+long+`":[1]}`, "? "+long+"\n:\n  - 1\n")
}

func TestDotenv(t *testing.T) {
	checkGolden(t, "/f.env=kv/golden?except=double,unicode", golden, `Y=y
blank='  x  '
date=2026-01-02
empty=
exp=1e400
float=-1.10
html='<&>'
int=9007199254740993
list='[1,"a",null,[],{},[[true]],{"a":[2],"k":{"deep":"v"}}]'
map='{"a":{},"b b":1}'
no=false
octal=0o17
pem='-----BEGIN-----
MII=
-----END-----
'
quote="it's"
small=2.5E-7
text=plain
words='a: b # c'
yes=true
`)
	checkGolden(t, "/f=kv/golden?format=dotenv&case=upper#text", golden, "TEXT=plain\n")
}

func TestDotenvQuoting(t *testing.T) {
	tests := []struct{ value, want string }{ // want is empty for what no dotenv file can hold
		{"a_-./:@%+,Z9", "a_-./:@%+,Z9"},
		{"a=b", "'a=b'"},
		{"~", "'~'"},
		{"pa$$word", "'pa$$word'"},
		{"$HOME `id` $(id)", "'$HOME `id` $(id)'"},
		{`C:\dir`, `'C:\dir'`},
		{`say "hi"`, `'say "hi"'`},
		{"it's", `"it's"`},
		{"it's\nhere", "\"it's\nhere\""},
		{"tab\t", "'tab\t'"},
		{"ä", "'ä'"},
		{"#", "'#'"},
		{"${HOME}", ""},
		{`a\\b`, ""},
		{`a\`, ""},
		{`it's "it"`, ""},
		{"it's $x", ""},
		{`it's \`, ""},
		{"it's `x`", ""},
		{"a\rb", ""},
		{"\x00", ""},
		{"\x1b", ""},
		{"\u0085", ""},
		{"\xff", ""},
	}
	for _, tt := range tests {
		got, ok := dotenvQuote(tt.value)
		if ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("dotenvQuote(%q) = %s, %v, want %s", tt.value, got, ok, tt.want)
		}
	}
}

func TestExport(t *testing.T) {
	checkGolden(t, "/f.sh=kv/golden?only=text,empty,null,quote,pem,list,double", golden, `export double='say "hi"'
export empty=''
export list='[1,"a",null,[],{},[[true]],{"a":[2],"k":{"deep":"v"}}]'
export pem='-----BEGIN-----
MII=
-----END-----
'
export quote='it'\''s'
export text='plain'
`)
	checkGolden(t, "/f=kv/golden?format=export#text", golden, "export text='plain'\n")
}

func TestProperties(t *testing.T) {
	checkGolden(t, "/f.properties=kv/golden", golden, `Y=y
blank=\  x  
date=2026-01-02
double=say "hi"
empty=
exp=1e400
float=-1.10
html=<&>
int=9007199254740993
list=[1,"a",null,[],{},[[true]],{"a"\:[2],"k"\:{"deep"\:"v"}}]
map={"a"\:{},"b b"\:1}
no=false
octal=0o17
pem=-----BEGIN-----\nMII\=\n-----END-----\n
quote=it's
small=2.5E-7
text=plain
unicode=\u00E4\u20AC\uD83D\uDE00\u2028\u0085\uFEFF
words=a\: b \# c
yes=true
`)
	checkGolden(t, "/f=kv/golden?format=properties&prefix=a b.#text", golden, "a\\ b.text=plain\n")
}
