package ref

import (
	"reflect"
	"strings"
	"testing"
)

// What is written means what was read, and has no value in it that may be secret.
func TestWritten(t *testing.T) {
	for _, tt := range []struct {
		use  Use
		text string
	}{
		{Variable, "kv/app#user"},
		{Variable, "kv/a%23p%2A?version=3&optional&decode=base64&namespace=team/a&refresh=5m0s#us%3Fer"},
		{Variable, "kv/app#${.user | b64dec}"},
		{Secret, "kv/app?prefix=&case=upper&only=a*,b&except=c?d,e&refresh=never&on_change=exec:a b&on_change=none"},
		{Secret, "kv/app/*?prefix=DB_%26&names=path"},
		{File, "kv/app?format=json&mode=0640&owner=app:app"},
		{File, "vault:login?mode=0600"},
	} {
		text := strings.Split(tt.text, "&on_change=none")[0]
		r, err := Parse(text, tt.use)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		again, err := Parse(r.Written(), tt.use)
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%s is written as %s, which is %+v (%v), not %+v", text, r.Written(), again, err, r)
		}
	}
	for _, text := range []string{"kv/app?default=canary#a", `>>pki/issue#a#{"x":"canary"}`} {
		r, err := Parse(text, Variable)
		if got := r.Written(); err != nil || strings.Contains(got, "canary") {
			t.Errorf("%s is written as %s (%v)", text, got, err)
		}
	}
	r, err := parseVals(`kv/app?version=2#/db/pass "word"`)
	if want := `kv/app?version=2#${index . "db" "pass \"word\""}`; err != nil || r.Written() != want {
		t.Errorf("it is written as %s (%v), want %s", r.Written(), err, want)
	} else if again, err := Parse(want, Variable); err != nil || again.Template == "" {
		t.Errorf("%s is %+v (%v)", want, again, err)
	}
}
