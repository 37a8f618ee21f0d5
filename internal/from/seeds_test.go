package from

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vaultexec/internal/seeds"
)

// realLines are NAME and VALUE of the lines of such files, where a separator is
// between the two.
func realLines(f *testing.F, pattern, separator string) (pairs [][2]string) {
	f.Helper()
	for _, text := range seeds.Files(f, pattern) {
		for line := range strings.Lines(text) {
			if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), separator); ok {
				pairs = append(pairs, [2]string{name, value})
			}
		}
	}
	return pairs
}

// TestRealFiles: the seeds of fuzzing are files that are read, each in the format
// that its name or its content tells.
func TestRealFiles(t *testing.T) {
	for name, want := range map[string]struct {
		format Format
		fields int
		some   map[string]string
	}{
		"config.export":   {Export, 9, map[string]string{"DB_PASSWORD": `A1a-"quoted"-$5-and-\-4Kq`, "API_KEY": "it's 100% #1", "EMPTY": "", "WORKERS": "4"}},
		"app.env":         {Dotenv, 10, map[string]string{"SESSION_SECRET": "s3ss10n $ecret with spaces", "LOG_FORMAT": "json"}},
		"credentials.map": {Map, 9, map[string]string{"connection_url": "postgres://app:pa:ss@db:5432/shop?sslmode=disable", "password": `"A1a-#x: y`}},
		"secret.json":     {JSON, 6, map[string]string{"password": `p<a>&"\ss`, "replicas": `["db-0","db-1"]`}},
		"secret.yaml":     {YAML, 10, map[string]string{"password": "it's #1: 100%", "pin": "0123", "enabled": "yes"}},
		"values.yaml":     {YAML, 16, map[string]string{"motd": "Welcome to the shop", "defaultMode": "0440", "nodeSelector": "{}"}},
		"application.properties": {Properties, 13, map[string]string{"spring.datasource.password": `p:a=ss\word!`,
			"management.endpoints.web.exposure.include": "health,info,prometheus", "key with blanks": "v"}},
	} {
		text, err := os.ReadFile(filepath.Join("testdata/seeds", name))
		if err != nil {
			t.Fatal(err)
		}
		fields, format, wrong := Parse(name, Auto, string(text))
		if wrong != nil || format != want.format || len(fields) != want.fields {
			t.Errorf("%s is %s with %d fields, %v, want %s with %d", name, format, len(fields), wrong, want.format, want.fields)
			continue
		}
		for field, value := range want.some {
			if got := fields[field].Text(); got != value {
				t.Errorf("%s: %s is %q, want %q", name, field, got, value)
			}
		}
	}
}
