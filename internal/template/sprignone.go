package template

const (
	another  = "it gives another value each time, so that each rendering would be a change: write one to Vault and read that with secret"
	hashed   = "its result is another one each time, so that each rendering would be a change: write the hash to Vault and read that with secret"
	issued   = "it makes another certificate each time, so that each rendering would be a change: use pkiCert, or read one from Vault with secret"
	versions = "versions are not compared here: use regexMatch, or eq"
)

// sprigRefused maps functions of sprig that there are not -> why.
func sprigRefused() map[string]string {
	return map[string]string{
		"randAlphaNum": another, "randAlpha": another, "randAscii": another, "randNumeric": another, "randBytes": another,
		"randInt": another, "shuffle": another, "uuidv4": another, "genPrivateKey": another,
		"bcrypt": hashed, "htpasswd": hashed,
		"genCA": issued, "genCAWithKey": issued, "genSelfSignedCert": issued, "genSelfSignedCertWithKey": issued,
		"genSignedCert": issued, "genSignedCertWithKey": issued,
		"buildCustomCert": "certificates are made by Vault: use pkiCert, or write the PEM text as it is",
		"derivePassword":  "passwords are not made here: write this one to Vault and read it with secret",
		"encryptAES":      "its result is another one each time, so that each rendering would be a change: write the text to Vault and read it with secret",
		"semver":          versions, "semverCompare": versions,
		"getHostByName": "a template asks no name servers: give the address in a variable and use env",
		"env":           "use env, which reads the variables that vaultexec inherited",
		"expandenv":     "use env, which reads the variables that vaultexec inherited",
	}
}
