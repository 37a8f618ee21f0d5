package servers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hashicorp/vault/api"
)

// Directory is a running LDAP server with the people of a company.
type Directory struct {
	Address string // 127.0.0.1:PORT

	dir  string
	proc *process
}

const (
	ldapPluginName = "ldap"
	// people is what every entry is below.
	people = "ou=people,dc=example"
)

// ErrNoDirectory is why there is no LDAP server here.
var ErrNoDirectory = errors.New("there is no OpenLDAP server; go -C integration run ./prepare says how to get one")

// slapdProgram finds OpenLDAP's server, which Debian keeps beside PATH.
func slapdProgram() (string, error) {
	if path, err := exec.LookPath("slapd"); err == nil {
		return path, nil
	}
	if path := "/usr/sbin/slapd"; isProgram(path) {
		return path, nil
	}
	return "", ErrNoDirectory
}

// StartDirectory starts an OpenLDAP server and waits until it answers. passwords
// maps the names of people -> their passwords. It is ErrNoDirectory if there is
// no such server here.
func StartDirectory(ctx context.Context, passwords map[string]string) (*Directory, error) {
	slapd, err := slapdProgram()
	if err != nil {
		return nil, err
	}
	return withFreePorts(func() (*Directory, error) {
		dir, err := os.MkdirTemp("", "vaultexec-directory-")
		if err != nil {
			return nil, err
		}
		d := &Directory{dir: dir}
		if err := d.start(ctx, slapd, passwords); err != nil {
			_ = d.Stop()
			return nil, err
		}
		return d, nil
	})
}

func (d *Directory) start(ctx context.Context, slapd string, passwords map[string]string) error {
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	d.Address = ports[0]
	data := filepath.Join(d.dir, "data")
	config := fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example"
directory %q
dbnosync
access to attrs=userPassword by anonymous auth by * none
access to * by * read
`, data)
	var entries strings.Builder
	entries.WriteString("dn: dc=example\nobjectClass: domain\ndc: example\n\ndn: " + people + "\nobjectClass: organizationalUnit\nou: people\n\n")
	for name, password := range passwords {
		fmt.Fprintf(&entries, "dn: uid=%s,%s\nobjectClass: inetOrgPerson\nuid: %[1]s\ncn: %[1]s\nsn: %[1]s\nuserPassword:: %[3]s\n\n", name, people, base64.StdEncoding.EncodeToString([]byte(password)))
	}
	file, ldif := filepath.Join(d.dir, "slapd.conf"), filepath.Join(d.dir, "people.ldif")
	err = errors.Join(os.Mkdir(data, 0o700), os.WriteFile(file, []byte(config), 0o600), os.WriteFile(ldif, []byte(entries.String()), 0o600))
	if err != nil {
		return err
	}
	load, err := startProcess(d.dir, slapd, []string{"-T", "add", "-f", file, "-l", ldif}, nil)
	if err != nil {
		return err
	}
	if err := load.finish(ctx); err != nil {
		return err
	}
	// Whatever -d says keeps it in the foreground.
	d.proc, err = startProcess(d.dir, slapd, []string{"-d", "0", "-f", file, "-h", "ldap://" + d.Address}, nil)
	if err != nil {
		return err
	}
	return d.proc.ready(ctx, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.Address)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
}

// Stop ends the server and removes everything it has written.
func (d *Directory) Stop() error { return errors.Join(d.proc.stop(), os.RemoveAll(d.dir)) }

// EnableLDAP mounts the LDAP auth method at auth/MOUNT.
func (v *Vault) EnableLDAP(ctx context.Context, mount string) error {
	if err := v.registerPlugin(ctx, ldapPluginName, api.PluginTypeCredential, v.bin.LDAPPlugin); err != nil {
		return err
	}
	return v.EnableAuth(ctx, mount, ldapPluginName)
}

// Config is what the LDAP auth method is to be told of the directory.
func (d *Directory) Config() map[string]any {
	return map[string]any{"url": "ldap://" + d.Address, "userdn": people, "userattr": "uid"}
}
