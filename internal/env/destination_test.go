package env

import (
	"testing"

	"vaultexec/internal/ref"
)

// TestP12Destinations: whatever two settings would write to one path is said, and
// what would need a file to be a directory.
func TestP12Destinations(t *testing.T) {
	v := vault{"kv/app": `{"user":"` + canary + `","USER":"` + canary + `"}`, "kv/tree/*": `{"user/x":{"k":"` + canary + `"}}`}
	const one, key = ": remove one, or choose another place", ": leave the key out with except=, or choose another place"
	for _, tt := range []struct {
		name      string
		flags     []string
		templates []string // destinations
		want      []string
	}{
		{"nothing", []string{"--file /d/=kv/app", "--file /d/users=kv/app#user", "--file /d/userx/y=kv/app#user", "--file-env users=kv/app#user"}, []string{"/d/use"}, nil},
		{"two files", []string{"--file /a/b/../c=kv/app#user", "--file /a/c=kv/app#USER"}, nil, []string{
			"--file /a/c=kv/app#USER and --file /a/b/../c=kv/app#user both write /a/c" + one}},
		{"a file in a file", []string{"--file /a=kv/app#user", "--file /a/b/c=kv/app#user"}, nil, []string{
			"--file /a/b/c=kv/app#user and --file /a=kv/app#user both write /a" + one}},
		{"a file around files", []string{"--file /a/c=kv/app#user", "--file /a/b=kv/app#user", "--file /a=kv/app#user"}, nil, []string{
			"--file /a=kv/app#user and --file /a/b=kv/app#user both write /a/b" + one}},
		{"a template and a file", []string{"--file /a=kv/app#user"}, []string{"/a"}, []string{
			"the template and --file /a=kv/app#user both write /a" + one}},
		{"two templates", nil, []string{"/a/b", "/a"}, []string{"the template and the template both write /a/b" + one}},
		{"what a variable points to", []string{"--file-env user=kv/app#user", "--file /run/us/user=kv/app#user"}, nil, []string{
			"--file /run/us/user=kv/app#user and --file-env user both write /run/us/user" + one}},
		{"the directory of credentials", []string{"--credentials kv/app#user", "--file /run/us/credentials.d/x=kv/app#user"}, nil, []string{
			"--credentials and --file /run/us/credentials.d/x=kv/app#user both write /run/us/credentials.d/x" + one}},
		{"a file and a key", []string{"--file /d/=kv/app?only=user", "--file /d/user=kv/app#user"}, nil, []string{
			"--file /d/user and --file /d/ both write /d/user" + key}},
		{"a file below a key", []string{"--file /d/=kv/app?only=user", "--file /d/user/x=kv/app#user"}, nil, []string{
			"--file /d/user/x and --file /d/ both write /d/user/x" + key}},
		{"a template and a key", []string{"--file /d/=kv/app?only=user"}, []string{"/d/user"}, []string{
			"the template and --file /d/ both write /d/user" + key}},
		{"a file and a directory", []string{"--file /d=kv/app#user", "--file /d/=kv/app?only=user"}, nil, []string{
			"--file /d and --file /d/ both write /d" + key}},
		{"a directory in another's", []string{"--file /d/=kv/tree/*", "--file /d/user/=kv/app?only=user"}, nil, []string{
			"--file /d/ and --file /d/user/ both write /d/user" + key}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sources(t, nil, tt.flags...)
			for _, dest := range tt.templates {
				s.Templates = append(s.Templates, Template{Place: "the template", Text: "x", Dest: dest})
			}
			p, err := NewPlanner(s)
			if err == nil {
				_, err = p.Plan(v.fetch(t))
			}
			if tt.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			checkError(t, err, ClassConflict, tt.want...)
		})
	}
}

// TestFilePlace: a file that no flag asks for is named by its place.
func TestFilePlace(t *testing.T) {
	token := ref.Ref{Source: ref.Source{Login: true}, Key: ref.TokenKey}
	_, err := NewPlanner(Sources{Files: []File{{"/t", token, "f:2: sink /t"}, {"/x/../t", token, "f:3: sink /x/../t"}}})
	checkError(t, err, ClassConflict, "f:3: sink /x/../t and f:2: sink /t both write /t: remove one, or choose another place")
}

// A check without a run has no directory of private files, so that what is in it
// is in nobody's way in the working directory.
func TestPrivateFilesOfNoDirectory(t *testing.T) {
	for _, flags := range [][]string{
		{"--file-env PW=kv/app#password", "--file PW=kv/app#password"},
		{"--credentials kv/app", "--file credentials.d/user=kv/app#user"},
	} {
		s := sources(t, nil, flags...)
		s.RuntimeDir = ""
		if _, err := NewPlanner(s); err != nil {
			t.Errorf("%q: %v", flags, err)
		}
	}
}
