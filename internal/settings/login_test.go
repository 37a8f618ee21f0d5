package settings

import (
	"strings"
	"testing"
)

// P12: what does not fit the login that is asked for is an error that names
// both, and so is what is missing.
func TestP12LoginSettings(t *testing.T) {
	for args, want := range map[string]string{
		"":           "",
		"--role app": "",
		"--role app --jwt-path /j --auth-mount eks":                               "",
		"--auth kubernetes --role app":                                            "",
		"--auth jwt":                                                              "",
		"--auth jwt --role ci --jwt-path /j --auth-mount m":                       "",
		"--auth jwt --jwt-path /j --remove-jwt":                                   "",
		"--auth jwt --remove-jwt":                                                 "--remove-jwt: without --jwt-path the JWT is the pod's service account token, which has to stay: set --jwt-path, or leave it out",
		"--role app --jwt-path /j --remove-jwt":                                   "--remove-jwt: belongs to the jwt login, but --role without --auth means kubernetes: set --auth",
		"--auth approle --role-id-path /r":                                        "",
		"--auth approle --role-id-path /r --secret-id-path /s --remove-secret-id": "",
		"--auth cert":                                                    "",
		"--auth cert --role web --auth-mount m":                          "",
		"--auth userpass --username alice":                               "",
		"--auth ldap --username alice --password-path /p --auth-mount m": "",
		"--auth token":                                                   "",
		"--auth token-file --token-file /t":                              "",
		"--auth kubernetes":                                              "--auth: the kubernetes login needs --role",
		"--auth approle":                                                 "--auth: the approle login needs --role-id-path",
		"--auth userpass":                                                "--auth: the userpass login needs --username",
		"--auth ldap":                                                    "--auth: the ldap login needs --username",
		"--auth token-file":                                              "--auth: the token-file login needs --token-file",
		"--auth token --role app":                                        "--role: belongs to the kubernetes, jwt, approle or cert login, but --auth says token",
		"--auth token-file --token-file /t --auth-mount m":               "--auth-mount: belongs to the kubernetes, jwt, approle, cert, userpass or ldap login, but --auth says token-file",
		"--auth approle --role-id-path /r --secret-id-path /s --role app":           "--role: the approle login has a role ID in its place, and names the role only of a secret ID that is wrapped: set --wrapped, or leave it out",
		"--auth approle --role-id-path /r --secret-id-path /s --role app --wrapped": "",
		"--auth approle --role-id-path /r --wrapped":                                "--wrapped: there is no secret ID without --secret-id-path",
		"--wrapped":              "",
		"--auth token --wrapped": "",
		"--auth token-file --token-file /t --wrapped":         "",
		"--auth ldap --username a --wrapped":                  "--wrapped: belongs to the approle, token or token-file login, but --auth says ldap",
		"--role app --wrapped":                                "--wrapped: belongs to the approle, token or token-file login, but --role without --auth means kubernetes: set --auth",
		"--auth approle --role-id-path /r --remove-secret-id": "--remove-secret-id: there is no secret ID without --secret-id-path",
		"--auth cert --jwt-path /j":                           "--jwt-path: belongs to the kubernetes or jwt login, but --auth says cert",
		"--auth userpass --username a --secret-id-path /s":    "--secret-id-path: belongs to the approle login, but --auth says userpass",
		"--role app --password-path /p":                       "--password-path: belongs to the userpass or ldap login, but --role without --auth means kubernetes: set --auth",
		"--role app --token-file /t":                          "--token-file: belongs to the token-file login, but --role without --auth means kubernetes: set --auth",
		"--token-file /t":                                     "--token-file: belongs to the token-file login: set --auth",
		"--username alice":                                    "--username: belongs to the userpass or ldap login: set --auth",
		"--jwt-path /j":                                       "--jwt-path: belongs to the kubernetes or jwt login: set --auth, or --role, which means kubernetes",
		"--auth aprole":                                       `--auth: "aprole" is not one of kubernetes, jwt, approle, cert, userpass, ldap, token, token-file: did you mean approle?`,
		"--auth token --role-id-path /r --secret-id-path /s":  "--role-id-path: belongs to the approle login, but --auth says token\n--secret-id-path: belongs to the approle login, but --auth says token",
	} {
		_, err := load(t, nil, strings.Fields(args)...)
		if got := ""; err != nil || want != "" {
			if err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("%s\ngot  %s\nwant %s", args, got, want)
			}
		}
	}
	_, err := load(t, map[string]string{"VAULTEXEC_AUTH": "token", "VAULTEXEC_USERNAME": "alice"})
	if want := "VAULTEXEC_USERNAME: belongs to the userpass or ldap login, but VAULTEXEC_AUTH says token"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// Each setting that says how to log in belongs to some login.
func TestLoginSettingsBelongSomewhere(t *testing.T) {
	for _, name := range loginSettings[1:] {
		found := false
		for _, l := range logins {
			found = found || l.has(name)
		}
		if !found {
			t.Errorf("--%s belongs to no login", name)
		}
	}
}
