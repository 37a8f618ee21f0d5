package fetch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vaultexec/internal/secret"
	"vaultexec/internal/smallfile"
)

// credentialFile is a file that a login needs.
type credentialFile struct {
	path    string
	what    string // is in it, for messages
	missing string // what to do where it does not exist
	exact   bool   // blanks are a part of it, and no more than one line end is none
}

// again is a file that may be gone by the time of another login, because it
// was removed or is a pipe. It remembers what was in it.
type again struct {
	credentialFile
	last  secret.Value
	stays bool // it was said that it cannot be removed
}

// readAgain reads it, or remembers.
func (c *Client) readAgain(f *again) (string, error) {
	credential, err := c.readCredential(f.credentialFile)
	if err != nil && !f.last.IsNull() {
		c.log.Debug("a credential is used as it was before", "reason", err.Error())
		return f.last.Text(), nil
	}
	if err == nil {
		f.last = secret.Of(credential)
	}
	return credential, err
}

// removeUsed removes a file that a login has succeeded with, of a link what it
// points to if target is set. Whatever else was delivered there meanwhile is the
// next login's. That it cannot be removed is no reason to go without secrets.
func (c *Client) removeUsed(f *again, target bool) {
	if info, err := os.Stat(f.path); err == nil && info.Mode().IsRegular() { // else it may have to be waited for
		if text, err := c.readCredential(f.credentialFile); err == nil && text != f.last.Text() {
			return
		}
	}
	name := f.path
	if behind, err := filepath.EvalSymlinks(name); target && err == nil {
		name = behind
	}
	err := os.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) || f.stays {
		return
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	f.stays = true // on a volume that is read-only, for each login to come
	c.log.Warn(f.what+" is used and cannot be removed", "file", name, "reason", err.Error())
}

// readCredential reads it.
func (c *Client) readCredential(f credentialFile) (string, error) {
	text, err := smallfile.Read(f.path, maxCredential)
	if err != nil {
		hint := ""
		if errors.Is(err, fs.ErrNotExist) && f.missing != "" {
			hint = "; " + f.missing
		}
		bad := configError(fmt.Sprintf("%s %v%s", f.what, err, hint))
		bad.absent = errors.Is(err, fs.ErrNotExist)
		return "", bad
	}
	credential := strings.TrimSpace(text)
	if f.exact {
		credential = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	}
	if credential == "" {
		bad := configError(fmt.Sprintf("%s %s is empty", f.what, f.path))
		bad.absent = true
		return "", bad
	}
	c.keepSecret(credential)
	return credential, nil
}

// maxCredential is more than any token that a server takes in a header.
const maxCredential = 1 << 20
