package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"vaultexec/internal/ref"
)

// Note says what became of a variable that another tool reads.
type Note struct {
	Text    string
	Warning bool // it has no effect, and whoever set it should know
}

// alias is a variable of vault-env or secret-init (bank-vaults) and the setting
// that it stands for.
type alias struct {
	variables []string // of those that are set the first counts
	setting   string   // flag's name; a setting that is set already is left alone
	own       string   // what it is called here, where no setting stands for it alone
	apply     func(s *Settings, value string) error
}

// aliases are read in this order. The login's are not here, see adoptLogin.
var aliases = []alias{
	{[]string{"VAULT_ENV_PASSTHROUGH", "VAULT_PASSTHROUGH"}, "", "--pass for each", (*Settings).addPassthrough},
	{[]string{"VAULT_TRANSIT_KEY_ID"}, "", "the key that vault:v1:... in a variable is decrypted with", func(s *Settings, v string) error { s.vaultEnv.TransitKey = v; return nil }},
	{[]string{"VAULT_TRANSIT_PATH"}, "", "the mount that vault:v1:... in a variable is decrypted at", func(s *Settings, v string) error { s.vaultEnv.TransitMount = v; return nil }},
	{[]string{"VAULT_IGNORE_MISSING_SECRETS"}, "", "?optional on each inherited reference", whenTrue(func(s *Settings) { s.vaultEnv.IgnoreMissing = true })},
	{[]string{"VAULT_ENV_FROM_PATH", "VAULT_FROM_PATH"}, "", "--secret for each path", (*Settings).addFromPath}, // knows by now what may be missing
	{[]string{"VAULT_ENV_DAEMON", "SECRET_INIT_DAEMON"}, "mode", "", whenTrue(func(s *Settings) { s.Mode = ModeSupervise })},
	{[]string{"VAULT_REVOKE_TOKEN"}, "revoke", "", whenTrue(func(s *Settings) { s.Revoke = RevokeAlways })},
	{[]string{"VAULT_JSON_LOG", "SECRET_INIT_JSON_LOG"}, "log-format", "", whenTrue(func(s *Settings) { s.LogFormat = LogJSON })},
	{[]string{"VAULT_LOG_LEVEL", "SECRET_INIT_LOG_LEVEL"}, "log-level", "", (*Settings).adoptLevel},
}

// without maps variables that have no effect here -> why.
var without = map[string]string{
	"VAULT_ENV_DELAY":        "there is nothing to wait for: the command starts when its secrets are there",
	"SECRET_INIT_DELAY":      "there is nothing to wait for: the command starts when its secrets are there",
	"VAULT_ENV_LOG_SERVER":   "log lines go to standard error",
	"SECRET_INIT_LOG_SERVER": "log lines go to standard error",
}

// needless maps variables that say nothing here, whatever they are -> why.
var needless = map[string]string{
	"VAULT_TRANSIT_BATCH_SIZE": "each ciphertext is decrypted by a request of its own, several at a time",
	"VAULT_CACERT_RELOAD":      "VAULT_CACERT is read again when a certificate does not verify",
}

// VaultEnv is what vault-env makes of inherited variables and has no flag here.
type VaultEnv struct {
	TransitMount  string // of the transit engine
	TransitKey    string // empty: ciphertexts are left as they are
	IgnoreMissing bool
}

// VaultEnv returns it.
func (s *Settings) VaultEnv() VaultEnv { return s.vaultEnv }

// AdoptVaultEnv takes the settings of vault-env and secret-init from the
// environment, where nothing is set in vaultexec's own words: a container moves
// from them by another ENTRYPOINT. Call it once flags and VAULTEXEC_* are read
// and noted.
func (s *Settings) AdoptVaultEnv(environ []string) ([]Note, error) {
	values := map[string]string{}
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if _, twice := values[name]; ok && !twice && value != "" {
			values[name] = value
		}
	}
	s.vaultEnv.TransitMount = "transit"
	var notes []Note
	for _, a := range aliases {
		for _, variable := range a.variables {
			value, given := values[variable]
			if !given {
				continue
			}
			if a.setting != "" && s.IsSet(a.setting) {
				break
			}
			err := a.apply(s, value)
			if err == errUnsaid {
				break
			} else if err != nil {
				return notes, &Error{fmt.Sprintf("%s: %v", variable, err)}
			}
			notes = append(notes, s.adopted(variable, a.setting, a.own))
			break
		}
	}
	login, err := s.adoptLogin(values)
	notes = append(notes, login...)
	for variable, why := range without {
		if values[variable] != "" {
			notes = append(notes, Note{variable + " has no effect: " + why, true})
		}
	}
	for variable, why := range needless {
		if values[variable] != "" {
			notes = append(notes, Note{Text: variable + " is not needed: " + why})
		}
	}
	if values["BAO_ADDR"] != "" && values["VAULT_ADDR"] == "" && values["VAULT_AGENT_ADDR"] == "" {
		notes = append(notes, Note{"BAO_ADDR has no effect: VAULT_ADDR says where the server is, also one of OpenBao", true})
	}
	slices.SortFunc(notes, func(a, b Note) int { return strings.Compare(a.Text, b.Text) })
	return notes, err
}

// adopted notes where a setting comes from; own says what a variable is called
// here that no setting stands for alone.
func (s *Settings) adopted(variable, setting, own string) Note {
	if setting == "" {
		return Note{Text: fmt.Sprintf("%s is read as %s", variable, own)}
	}
	s.origins[setting] = variable
	return Note{Text: fmt.Sprintf("%s is read as --%s", variable, setting)}
}

// loginPass are the variables that whoever gets the token of the login needs to
// use it. vault-env hands them on with it.
var loginPass = []string{"VAULT_ADDR", "VAULT_AGENT_ADDR", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_CACERT_BYTES", "VAULT_CAPATH",
	"VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY", "VAULT_SKIP_VERIFY", "VAULT_TLS_SERVER_NAME"}

// adoptLogin takes over how vault-env logs in. As there, a token that is there
// already is used; a login that is configured in vaultexec's own words is none of
// vault-env's.
func (s *Settings) adoptLogin(values map[string]string) (notes []Note, err error) {
	handOn := values["VAULT_TOKEN"] == ref.Login
	if handOn {
		s.Pass.Items = append(s.Pass.Items, loginPass...)
		notes = append(notes, s.adopted("VAULT_TOKEN", "", "--env VAULT_TOKEN=vault:login, and --pass for what it takes to use it"))
	}
	own := slices.ContainsFunc(loginSettings, s.IsSet)
	if own || values["VAULT_TOKEN"] != "" && !handOn {
		return notes, nil
	}
	if variable := tokenVariable(values); variable != "" {
		s.Auth, s.TokenFile, s.origins["auth"] = "token-file", values[variable], variable
		return append(notes, s.adopted(variable, "token-file", "")), nil
	}
	if values["VAULT_ROLE"] == "" && values["VAULT_AUTH_METHOD"] == "" {
		return notes, nil
	}
	method := values["VAULT_AUTH_METHOD"]
	switch method {
	case "", "kubernetes", "jwt": // vault-env's jwt is both: it sends role and JWT to the mount
	default:
		return notes, &Error{fmt.Sprintf("VAULT_AUTH_METHOD: %s is not supported, jwt and kubernetes are: see --auth for the others that vaultexec has", method)}
	}
	if method != "" {
		notes = append(notes, Note{Text: "VAULT_AUTH_METHOD is read as --auth kubernetes"})
	}
	take := func(to *string, setting, fallback string, variables ...string) {
		for _, variable := range variables {
			if values[variable] != "" {
				*to = values[variable]
				notes = append(notes, s.adopted(variable, setting, ""))
				return
			}
		}
		*to = fallback
	}
	take(&s.Role, "role", "default", "VAULT_ROLE")
	take(&s.AuthMount, "auth-mount", "", "VAULT_PATH")
	take(&s.JWTPath, "jwt-path", "", "KUBERNETES_SERVICE_ACCOUNT_TOKEN", "VAULT_JWT_FILE")
	return notes, nil
}

// tokenVariable is the variable that names the file of a token; empty: none does.
// A file of VAULT_TOKEN_PATH need not be there, as in vault-env, where VAULT_ROLE
// or VAULT_AUTH_METHOD says how to log in without it.
func tokenVariable(values map[string]string) string {
	if values["VAULT_TOKEN_FILE"] != "" {
		return "VAULT_TOKEN_FILE"
	}
	if path := values["VAULT_TOKEN_PATH"]; path != "" {
		_, err := os.Stat(path)
		if other := values["VAULT_ROLE"] + values["VAULT_AUTH_METHOD"]; other == "" || !errors.Is(err, fs.ErrNotExist) {
			return "VAULT_TOKEN_PATH" // what else is wrong with it, the login says
		}
	}
	return ""
}

// addFromPath reads VAULT_ENV_FROM_PATH: PATH[#VERSION], separated by commas.
func (s *Settings) addFromPath(value string) error {
	for _, word := range strings.Split(value, ",") {
		path, version, versioned := strings.Cut(strings.TrimSpace(word), "#")
		if path == "" {
			return errors.New("is a list of PATH[#VERSION], and one of them is empty")
		}
		text := ref.Escape(path)
		if versioned {
			text += "?version=" + version
		}
		r, err := ref.Parse(text, ref.Secret)
		if err != nil {
			return fmt.Errorf("%q: %v", word, err)
		}
		r.Optional = s.vaultEnv.IgnoreMissing
		s.Secret.Items = append(s.Secret.Items, r)
	}
	return nil
}

// addPassthrough reads VAULT_ENV_PASSTHROUGH: names separated by commas.
func (s *Settings) addPassthrough(value string) error {
	for _, name := range strings.Split(value, ",") {
		name = strings.TrimSpace(name)
		if !strings.HasPrefix(name, "VAULT_") { // the others are inherited anyway
			continue
		}
		if err := ref.CheckGlob(name); err != nil {
			return err
		}
		s.Pass.Items = append(s.Pass.Items, name)
	}
	return nil
}

// adoptLevel knows the levels of Vault's own tools too, which read VAULT_LOG_LEVEL
// as well.
func (s *Settings) adoptLevel(value string) error {
	level := strings.ToLower(value)
	switch level {
	case "trace":
		level = "debug"
	case "warning":
		level = "warn"
	}
	return s.LogLevel.Set(level)
}

func truth(value string, to *bool) error {
	on, err := strconv.ParseBool(value)
	if err != nil {
		return errors.New("is either true or false")
	}
	*to = on
	return nil
}

// errUnsaid is a variable that says no more than there would be without it: what a
// file says of the setting counts.
var errUnsaid = errors.New("says nothing")

// whenTrue sets something where a variable says true.
func whenTrue(set func(*Settings)) func(*Settings, string) error {
	return func(s *Settings, value string) error {
		var on bool
		if err := truth(value, &on); err != nil {
			return err
		}
		if !on {
			return errUnsaid
		}
		set(s)
		return nil
	}
}
