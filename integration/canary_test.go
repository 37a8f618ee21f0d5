package integration

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// canaries are the secrets that no output may show: value -> what it is.
var canaries = struct {
	sync.Mutex
	names map[string]string
}{names: make(map[string]string)}

// canary makes a secret value that no two tests share and that no output may
// show. The name says in a failure which it was.
func canary(t *testing.T, name string) string {
	value := "canary-" + rand.Text()
	register(t.Name()+"'s "+name, value)
	return value
}

// register makes a canary of a value that comes from elsewhere.
func register(name, value string) {
	canaries.Lock()
	defer canaries.Unlock()
	canaries.names[value] = name
	// A value that is logged as bytes often comes out like this.
	canaries.names[base64.StdEncoding.EncodeToString([]byte(value))] = name + " (in base64)"
}

// checkSilence fails the test for every canary in the text, which where names.
func checkSilence(t *testing.T, where, text string) {
	t.Helper()
	canaries.Lock()
	defer canaries.Unlock()
	for value, name := range canaries.names {
		if strings.Contains(text, value) {
			t.Errorf("%s shows %s:\n%s", where, name, strings.ReplaceAll(text, value, fmt.Sprintf("<<%s>>", name)))
		}
	}
}

// hidden is a text without canaries, for messages of a test.
func hidden(text string) string {
	canaries.Lock()
	defer canaries.Unlock()
	for value, name := range canaries.names {
		text = strings.ReplaceAll(text, value, fmt.Sprintf("<<%s>>", name))
	}
	return text
}

func TestCanaryIsFound(t *testing.T) {
	value := canary(t, "secret")
	for _, text := range []string{
		"level=debug body=" + value,
		"body=" + base64.StdEncoding.EncodeToString([]byte(value)),
	} {
		canaries.Lock()
		found := false
		for v := range canaries.names {
			found = found || strings.Contains(text, v)
		}
		canaries.Unlock()
		if !found {
			t.Errorf("no canary is found in %q", text)
		}
	}
}
