package settings

import (
	"fmt"
	"os/user"
	"strings"
	"testing"
)

func TestUser(t *testing.T) {
	root, err := user.LookupId("0")
	if err != nil {
		t.Skipf("this system has no user 0: %v", err)
	}
	for text, want := range map[string]string{
		root.Username:           "0:0 " + root.HomeDir,
		"0":                     "0:0 " + root.HomeDir,
		"4711:815":              "4711:815 /",
		"0:815":                 "0:815 " + root.HomeDir,
		root.Username + ":0":    "0:0 " + root.HomeDir,
		"4711:" + root.Username: "", // a group of that name is not everywhere
	} {
		var u User
		err := u.Set(text)
		got := fmt.Sprintf("%d:%d %s", u.UID, u.GID, u.Home)
		if want != "" && (err != nil || got != want) {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
		if strings.Contains(text, ":") && len(u.Groups) > 0 {
			t.Errorf("%s: groups %v, where one is given", text, u.Groups)
		}
	}
	groups, err := root.GroupIds()
	var u User
	if setErr := u.Set("0"); err != nil || setErr != nil || len(groups) != len(u.Groups) || len(groups) == 0 {
		t.Errorf("groups %v, %v, want those of %s: %v, %v", u.Groups, setErr, root.Username, groups, err)
	}
	for text, want := range map[string]string{
		"":                "is not USER or USER:GROUP",
		"a:":              `"a:" is not USER or USER:GROUP`,
		":0":              `":0" is not USER or USER:GROUP`,
		"no-such-user":    `there is no user "no-such-user" here`,
		"4711":            `there is no user "4711" here: give a user of this system (the container's own, if in one), or numbers for both, as in 1000:1000`,
		"no-such-user:0":  `there is no user "no-such-user" here`,
		"0:no-such-group": `there is no group "no-such-group" here`,
		"4294967295:0":    `there is no user "4294967295" here`,
		"0:4294967295":    `there is no group "4294967295" here`,
	} {
		var u User
		if err := u.Set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
