package servers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/vault/api"
)

// Request is what an audit log says of one request, as far as tests count it.
type Request struct {
	Operation string // read, update, list ...
	Path      string // as Vault sees it: kv/data/app
}

// AuditLog is the log of all requests to one server.
type AuditLog struct{ file string }

// EnableAudit makes the server write down each request, before it answers.
func (v *Vault) EnableAudit(ctx context.Context) (*AuditLog, error) {
	file := filepath.Join(v.dir, "audit.json")
	err := v.client.Sys().EnableAuditWithOptionsWithContext(ctx, "file", &api.EnableAuditOptions{
		Type: "file", Options: map[string]string{"file_path": file},
	})
	return &AuditLog{file}, err
}

// Requests are the requests so far, oldest first, whose path has the given
// text in it: a mount that only one test uses, say.
func (a *AuditLog) Requests(containing string) ([]Request, error) {
	f, err := os.Open(a.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []Request
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20) // an answer with a large secret is one line
	for lines.Scan() {
		if !bytes.Contains(lines.Bytes(), []byte(containing)) {
			continue // the log is long
		}
		var entry struct {
			Type    string
			Request Request
		}
		if err := json.Unmarshal(lines.Bytes(), &entry); err != nil {
			return nil, fmt.Errorf("audit log: %v", err)
		}
		if entry.Type == "request" && strings.Contains(entry.Request.Path, containing) {
			out = append(out, entry.Request)
		}
	}
	return out, lines.Err()
}
