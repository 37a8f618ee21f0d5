package fetch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// credentialFile is a file that a login needs.
type credentialFile struct {
	path    string
	what    string // is in it, for messages
	missing string // what to do where it does not exist
}

// readCredential reads it. Blanks and line ends around the credential are none
// of it.
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
		return "", configError(fmt.Sprintf("%s %s cannot be read: %v%s", f.what, f.path, reason, hint))
	}
	credential := strings.TrimSpace(string(text))
	if credential == "" {
		return "", configError(fmt.Sprintf("%s %s is empty", f.what, f.path))
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
