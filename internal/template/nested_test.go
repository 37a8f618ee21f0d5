package template

import (
	"fmt"
	"strings"
	"testing"
)

// itself are the ways in which a template can put a map into itself, directly, by
// way of others, and by way of the answer that has it.
var itself = []struct{ source, by string }{
	{`{{ $d := sprig_dict }}{{ $_ := sprig_set $d "a" $d }}`, "sprig_set"},
	{`{{ $d := sprig_dict }}{{ $_ := sprig_set $d "a" (sprig_list 1 (sprig_dict "b" $d)) }}`, "sprig_set"},
	{`{{ $d := sprig_dict }}{{ $_ := sprig_set $d "a" (sprig_chunk 1 (sprig_list $d)) }}`, "sprig_set"},
	{`{{ $d := (secret "kv/app").Data }}{{ $_ := sprig_set $d.m "a" $d }}`, "sprig_set"},
	{`{{ $d := (secret "kv/app").Data }}{{ $_ := sprig_set $d "a" (secret "kv/app") }}`, "sprig_set"},
	{`{{ $d := sprig_dict }}{{ $_ := sprig_merge $d (sprig_dict "a" $d) }}`, "sprig_merge"},
	{`{{ $d := sprig_dict }}{{ $_ := sprig_mustMergeOverwrite $d (sprig_dict "a" $d) }}`, "sprig_mergeOverwrite"},
	{`{{ $d := sprig_dict "x" (sprig_dict "z" 1) }}{{ $_ := mergeMap $d (sprig_dict "x" (sprig_dict "y" $d)) }}`, "mergeMap"},
	{`{{ $d := sprig_dict "x" (sprig_dict "z" 1) }}{{ $_ := mergeMapWithOverride $d (sprig_dict "x" (sprig_dict "y" $d.x)) }}`, "mergeMapWithOverride"},
	{`{{ $d := sprig_dict }}{{ $d = explodeMap (sprig_dict "a" $d "a/b" $d) }}`, "explodeMap"},
	{`{{ scratch.MapSet "m" "a" 1 }}{{ $d := scratch.Get "m" }}{{ scratch.MapSet "m" "a" $d }}`, "scratch"},
	{`{{ scratch.MapSet "m" "a" 1 }}{{ $d := scratch.Get "m" }}{{ scratch.MapSetX "m" "b" $d }}`, "scratch"},
}

// TestNothingIsWithinItself: whoever prints a map that is within itself ends the
// process with its stack, so that it is refused where it would come to be.
func TestNothingIsWithinItself(t *testing.T) {
	for _, c := range itself {
		for _, print := range []string{"{{ $d }}", "{{ toJSON $d }}", "{{ toYAML $d }}", "{{ toTOML $d }}", "{{ sprig_toPrettyJson $d }}", "{{ printf `%v` $d }}", "{{ html $d }}", "{{ sprig_toString $d }}"} {
			_, err := execute(t, c.source+print, Options{})
			if want := "place, line 1 of the template: " + c.by + ": the map would be within itself"; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s%s: %v, want %s", c.source, print, err, want)
			}
		}
	}
}

// TestNestingHasAnEnd: nor is a value made that is too deep, or too large, to be
// printed.
func TestNestingHasAnEnd(t *testing.T) {
	const deep, large = "maps and lists are more than 1000 deep", "maps and lists within one another have more than 1048576 values"
	for _, c := range []struct{ step, want string }{
		{`sprig_dict "a" $v`, deep},
		{`sprig_list $v`, deep},
		{`sprig_append (sprig_list) $v`, deep},
		{`sprig_prepend (sprig_list) $v`, deep},
		{`sprig_list $v | sprig_chunk 1`, deep},
		{`sprig_set (sprig_dict) "a" $v`, deep},
		{`mergeMap (sprig_dict) (sprig_dict "a" $v)`, deep},
		{`sprig_list $v $v`, large},
		{`sprig_dict "a" $v "b" $v`, large},
		{`sprig_set (sprig_set (sprig_dict) "a" $v) "b" $v`, large},
	} {
		source := fmt.Sprintf(`{{ $v := sprig_dict "x" 1 }}{{ range loop 200000 }}{{ $v = %s }}{{ end }}{{ $v }}`, c.step)
		if _, err := execute(t, source, Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.step, err, c.want)
		}
	}
	for key, want := range map[string]string{strings.Repeat("a/", 998) + "b": "", strings.Repeat("a/", 1000) + "b": "explodeMap: a key has more than 999 slashes"} {
		_, err := execute(t, `{{ explodeMap (sprig_dict "`+key+`" 1) }}`, Options{})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes of a key: %v, want %s", len(key), err, want)
		}
	}
}

// TestTheSameMapTwice: a map that is there more than once is none within itself.
func TestTheSameMapTwice(t *testing.T) {
	const source = `{{ $m := sprig_dict "a" 1 }}{{ $d := sprig_dict "x" $m "y" (sprig_list $m $m) }}{{ $_ := sprig_set $d "z" $m }}{{ $_ := sprig_set $d "w" (sprig_deepCopy $d) }}{{ $d }}`
	const want = "map[w:map[x:map[a:1] y:[map[a:1] map[a:1]] z:map[a:1]] x:map[a:1] y:[map[a:1] map[a:1]] z:map[a:1]]"
	if got, err := execute(t, source, Options{}); err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
