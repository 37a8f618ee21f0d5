package servers

import (
	"bufio"
	"os"
	"strings"
)

// requestLog is the setting with which a server writes down each request that
// has reached it, also one that it forwards or refuses; no audit log has those.
const requestLog = "log_requests_level"

// Logged is what a server's log says of one request.
type Logged struct {
	Method string
	Path   string // with /v1
}

// Requests are the requests so far, oldest first, that have reached this server
// and whose path has the given text in it. A development server has no log of
// them. What it was answering when it was killed is not there.
func (v *Vault) Requests(containing string) ([]Logged, error) {
	f, err := os.Open(v.proc.log)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	var out []Logged
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), ": completed_request: ") {
			continue
		}
		var r Logged
		for word := range strings.FieldsSeq(lines.Text()) {
			switch name, value, _ := strings.Cut(word, "="); name {
			case "request_method":
				r.Method = value
			case "request_path":
				r.Path = value
			}
		}
		if strings.Contains(r.Path, containing) {
			out = append(out, r)
		}
	}
	return out, lines.Err()
}
