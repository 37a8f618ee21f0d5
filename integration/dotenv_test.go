package integration

import (
	"fmt"
	"strings"
	"testing"

	compose "github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/joho/godotenv"
)

// dotenvReaders are two of those that read .env files, as they are: Docker
// Compose's own, and the library that most Go programs take.
var dotenvReaders = []struct {
	name string
	read func(text string) (map[string]string, error)
}{
	{"Compose", func(text string) (map[string]string, error) {
		return compose.UnmarshalWithLookup(text, func(string) (string, bool) { return "EXPANDED", true })
	}},
	{"godotenv", godotenv.Unmarshal},
}

// What vaultexec writes for the readers of .env files is for them what it was, byte
// for byte; what they do not agree on is refused, and nothing is printed.
func TestP1EnvInDotenvReaders(t *testing.T) {
	t.Parallel()
	kv := kvMount(t, 2)
	values := append([]string{"", "plain", canary(t, "value") + " $HOME # it's", "two\nlines # \\ $x", "a 'b' # c"}, hostileValues...)
	all := fields{}
	for i, value := range values {
		all[fmt.Sprint("V", i)] = value
	}
	kv.put(t, "app", all)
	token, held := kv.token(t, "app"), 0
	for name, value := range all {
		ref := name + "=" + kv.path("app") + "#" + name
		c := vaultexec(t, "env", "--format", "dotenv", "--env", ref, "--env", "NEXT="+kv.path("app")+"#V1").alone().vault(kv.vault.Address).token(token)
		c.shows = true
		res := c.run()
		if res.status != 0 {
			if res.exited(125).says("do not agree on"); res.stdout != "" {
				t.Errorf("%q: stdout is %q", value, res.stdout)
			}
			continue
		}
		held++
		for _, r := range dotenvReaders {
			read, err := r.read(res.stdout)
			if err != nil || len(read) != 2 || read[name] != value || read["NEXT"] != "plain" {
				t.Errorf("%q became %q, which is %q for %s, %v", value, strings.TrimSpace(res.stdout), read, r.name, err)
			}
		}
	}
	if held < len(values)*2/3 {
		t.Errorf("of %d values dotenv holds %d", len(values), held)
	}
}
