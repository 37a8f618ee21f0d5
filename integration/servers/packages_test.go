package servers

import (
	"slices"
	"testing"
)

// Debian's postgresql is told not to start a server before it is installed.
func TestInstallPackagesCommands(t *testing.T) {
	var got []string
	for _, args := range installation([]string{"postgresql", "iproute2"}) {
		got = append(got, args[0]+" "+args[1]+" ... "+args[len(args)-1])
	}
	want := []string{"apt-get update ... update", "apt-get install ... postgresql-common",
		"pg_conftool /etc/postgresql-common/createcluster.conf ... off", "apt-get install ... iproute2"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
