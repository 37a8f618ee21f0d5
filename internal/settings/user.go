package settings

import (
	"errors"
	"fmt"
	"math"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// User is who the command runs as.
type User struct {
	UID, GID int
	Groups   []int
	Home     string // "/" where the user database knows none
	text     string // as given; empty: nobody in particular
}

// IsSet tells whether there is one.
func (u *User) IsSet() bool { return u.text != "" }

func (u *User) String() string { return u.text }

// Set reads USER[:GROUP], each a name or a number, and looks them up. As with
// docker run --user, the user's other groups count only where no group is given.
func (u *User) Set(v string) error {
	name, group, hasGroup := strings.Cut(v, ":")
	if name == "" || hasGroup && group == "" {
		return fmt.Errorf("%q is not USER or USER:GROUP", v)
	}
	*u = User{Home: "/", text: v}
	known, err := user.Lookup(name)
	if err != nil {
		known, err = user.LookupId(name)
	}
	switch {
	case err == nil:
		if err := u.take(known, !hasGroup); err != nil {
			return err
		}
	case !hasGroup:
		return fmt.Errorf("there is no user %q here: give a user of this system (the container's own, if in one), or numbers for both, as in 1000:1000", name)
	default:
		if u.UID, err = number(name); err != nil {
			return fmt.Errorf("there is no user %q here: give a user of this system (the container's own, if in one), or a number", name)
		}
	}
	if !hasGroup {
		return nil
	}
	if g, err := user.LookupGroup(group); err == nil {
		group = g.Gid
	}
	if u.GID, err = number(group); err != nil {
		return fmt.Errorf("there is no group %q here: give a group of this system (the container's own, if in one), or a number", group)
	}
	return nil
}

// take is what the user database tells.
func (u *User) take(known *user.User, groups bool) (err error) {
	if u.UID, err = number(known.Uid); err != nil {
		return err
	}
	if u.GID, err = number(known.Gid); err != nil {
		return err
	}
	if known.HomeDir != "" {
		u.Home = known.HomeDir
	}
	if !groups {
		return nil
	}
	ids, err := known.GroupIds()
	if err != nil {
		return fmt.Errorf("the groups of user %q cannot be looked up: %v: give a group, as in %[1]s:GROUP", known.Username, err)
	}
	for _, id := range ids {
		n, err := number(id)
		if err != nil {
			return err
		}
		u.Groups = append(u.Groups, n)
	}
	slices.Sort(u.Groups)
	return nil
}

// number is an ID; (uid_t)-1 means none to the kernel.
func number(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == math.MaxUint32 {
		return 0, errors.New("is no ID")
	}
	return int(n), nil
}
