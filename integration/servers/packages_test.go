package servers

import (
	"slices"
	"testing"
)

// Debian's postgresql and slapd are told not to start a server before they are
// installed.
func TestInstallPackagesCommands(t *testing.T) {
	var got []string
	for _, args := range installation([]string{"postgresql", "slapd", "iproute2"}) {
		got = append(got, args[0]+" "+args[1]+" ... "+args[len(args)-1])
	}
	want := []string{"apt-get update ... update", "apt-get install ... postgresql-common",
		"pg_conftool /etc/postgresql-common/createcluster.conf ... off",
		"sh -c ... echo slapd slapd/no_configuration boolean true | debconf-set-selections", "apt-get install ... iproute2"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
