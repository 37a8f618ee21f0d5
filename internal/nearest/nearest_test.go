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
		{"abc", []string{"abd", "abe", "abf", "abc"}, []string{"abc", "abd", "abe"}},
	}
	for _, tt := range tests {
		if got := To(tt.name, tt.among); !slices.Equal(got, tt.want) {
			t.Errorf("To(%q, %q) = %q, want %q", tt.name, tt.among, got, tt.want)
		}
	}
}
