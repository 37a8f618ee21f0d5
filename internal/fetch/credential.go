package fetch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"vaultexec/internal/secret"
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
	last secret.Value
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

// readCredential reads it.
func (c *Client) readCredential(f credentialFile) (string, error) {
	text, err := readSmall(f.path)
	if err != nil {
		reason, hint := err, ""
		if path := (*fs.PathError)(nil); errors.As(err, &path) {
			reason = path.Err
		}
		if errors.Is(err, fs.ErrNotExist) && f.missing != "" {
			hint = "; " + f.missing
		}
		bad := configError(fmt.Sprintf("%s %s cannot be read: %v%s", f.what, f.path, reason, hint))
		bad.absent = errors.Is(err, fs.ErrNotExist)
		return "", bad
	}
	credential := strings.TrimSpace(string(text))
	if f.exact {
		credential = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
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

// readSmall reads a file that may be anything, a device without end too.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxCredential+1))
	if err == nil && len(text) > maxCredential {
		err = errors.New("it is longer than any token")
	}
	return text, err
}
