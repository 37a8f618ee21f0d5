package nearest

import (
	"slices"
	"testing"
)

func TestTo(t *testing.T) {
	tests := []struct {
		name  string
		among []string
		want  []string
	}{
		{"pasword", []string{"username", "password"}, []string{"password"}},
		{"PASSWORD", []string{"username", "password"}, []string{"password"}},
		{"db-user", []string{"db_user", "db_users"}, []string{"db_user", "db_users"}},
		{"user", []string{"username", "password"}, nil},
		{"user", nil, nil},
		{"", []string{"a"}, nil},
		{"db.user name", []string{"DB_USER_NAME"}, []string{"DB_USER_NAME"}},
		{"ab", []string{"ac"}, nil},
		{"abcd", []string{"bcd", "abcde", "acbd"}, []string{"abcde", "acbd", "bcd"}},
		{"optional", []string{"only", "version"}, nil},
		{"abc", []string{"abd", "abe", "abf", "abc"}, []string{"abc", "abd", "abe"}},
	}
	for _, tt := range tests {
		if got := To(tt.name, tt.among); !slices.Equal(got, tt.want) {
			t.Errorf("To(%q, %q) = %q, want %q", tt.name, tt.among, got, tt.want)
		}
	}
}

// TestDistance holds it against the definition: nothing but equal texts is 0
// apart and the way back is as long. (A detour may be shorter: each byte is
// touched once, so a swap cannot be followed by an insertion into it.)
func TestDistance(t *testing.T) {
	words := []string{"", "a", "b", "ab", "ba", "abc", "acb", "kitten", "sitting", "\xff", "é"}
	for _, a := range words {
		for _, b := range words {
			d := distance(a, b)
			if (d == 0) != (a == b) || d != distance(b, a) || d > max(len(a), len(b)) {
				t.Errorf("distance(%q, %q) = %d, back %d", a, b, d, distance(b, a))
			}
		}
	}
	if d := distance("exce", "exec"); d != 1 {
		t.Errorf("two neighbours swapped are %d apart, want 1", d)
	}
	if d := distance("kitten", "sitting"); d != 3 {
		t.Errorf("kitten is %d from sitting, want 3", d)
	}
}
