package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func lacksTokenFile(cfg Config) string {
	if cfg.TokenFile == "" {
		return "a file: set --token-file to the file that has the token"
	}
	return ""
}

// tokenFile takes the token that another agent keeps in a file, and the ones
// that it puts there later.
func (c *Client) tokenFile(cfg Config) method {
	file := credentialFile{path: cfg.TokenFile, what: "the token file"}
	var found, used string
	return method{
		find: func(ctx context.Context) (token, identity string, err error) {
			if token, err = c.awaitCredential(ctx, file); err == nil {
				found = token
			}
			return token, "the token of " + file.path, err
		},
		accepted: func() { used = found },
		changed: func() bool {
			token, err := c.readCredential(file)
			return err == nil && token != used
		},
		another: fmt.Sprintf("whoever keeps %s has to put a new one there", file.path),
	}
}

// awaitEvery is how often a file is looked for that is not there yet.
const awaitEvery = 200 * time.Millisecond

// awaitCredential reads a file that another process may not have written yet,
// such as a container beside this one that has started at the same time.
func (c *Client) awaitCredential(ctx context.Context, f credentialFile) (string, error) {
	for told := false; ; told = true {
		credential, err := c.readCredential(f)
		var bad *Error
		if !errors.As(err, &bad) || !bad.absent || ctx.Value(oneTryKey{}) != nil {
			return credential, err
		}
		if !told {
			c.log.Info("waiting for "+f.what, "file", f.path, "reason", bad.Error())
		}
		select {
		case <-time.After(awaitEvery):
		case <-ctx.Done():
			if ctx.Err() == context.Canceled {
				return "", context.Canceled
			}
			bad.cause = context.DeadlineExceeded
			return "", bad
		}
	}
}
