package config

import "time"

// vault reads the block of the same name: the agent's keys, and those of
// consul-template that envconsul has.
func (d *decoder) vault(n node) {
	v := &d.config.Vault
	v.Place = place(d.file, n.line)
	d.block("vault", n, fields{
		"address":         d.text(&v.Address),
		"namespace":       d.text(&v.Namespace),
		"ca_cert":         d.text(&v.CACert),
		"ca_path":         d.text(&v.CAPath),
		"client_cert":     d.text(&v.ClientCert),
		"client_key":      d.text(&v.ClientKey),
		"tls_skip_verify": d.yes(&v.TLSSkipVerify),
		"tls_server_name": d.text(&v.TLSServerName),
		"retry":           d.one(d.retry),

		"enabled":                        mootBut(d, d.yes, "Vault is asked where something of Vault's is asked for, and not otherwise", true),
		"ssl":                            d.one(d.ssl),
		"transport":                      d.moot("vaultexec keeps the connections that it has to Vault"),
		"client_user_agent":              d.moot("vaultexec gives its requests no name"),
		"renew_token":                    mootBut(d, d.yes, "a token is renewed where its policies allow it", true),
		"lease_renewal_threshold":        d.threshold(),
		"grace":                          d.moot("vaultexec has its own time at which a lease is renewed or replaced"),
		"default_lease_duration":         d.duration(&v.Refresh),
		"token":                          d.text(&v.Token),
		"vault_agent_token_file":         d.text(&v.TokenFile),
		"unwrap_token":                   d.yes(&v.UnwrapToken),
		"k8s_auth_role_name":             d.text(&v.Role),
		"k8s_service_account_token_path": d.text(&v.JWTPath),
		"k8s_service_account_token":      d.refused("would be a token that nobody refreshes: name its file with k8s_service_account_token_path"),
		"k8s_service_mount_path":         d.text(&v.AuthMount),
	})
}

// retry reads how often and when a request is tried again, the agent's way
// (num_retries) and consul-template's. What is usual there and no limit at all
// (0 of attempts) need no mention.
func (d *decoder) retry(n node) {
	const always = "a request is tried again until --startup-timeout, and later for ever"
	d.block("vault.retry", n, fields{
		"num_retries": mootBut(d, d.number, always, 0, 12),
		"enabled":     mootBut(d, d.yes, always, true),
		"attempts":    mootBut(d, d.number, always, 0, 12),
		"backoff":     mootBut(d, d.duration, "vaultexec has its own waits between requests", 250*time.Millisecond),
		"max_backoff": mootBut(d, d.duration, "vaultexec has its own waits between requests", time.Minute),
	})
}

// ssl reads the TLS settings as consul-template has them, which leaves them aside
// where enabled is false.
func (d *decoder) ssl(n node) {
	v := &d.config.Vault
	before := *v
	var enabled, verify Given[bool]
	d.block("vault.ssl", n, fields{
		"enabled":       d.yes(&enabled),
		"verify":        d.yes(&verify),
		"ca_cert":       d.text(&v.CACert),
		"ca_cert_bytes": d.text(&v.CACertBytes),
		"ca_path":       d.text(&v.CAPath),
		"cert":          d.text(&v.ClientCert),
		"key":           d.text(&v.ClientKey),
		"server_name":   d.text(&v.TLSServerName),
	})
	if verify.IsSet() {
		v.TLSSkipVerify = Given[bool]{!verify.Value, verify.Place}
	}
	if enabled.IsSet() && !enabled.Value {
		*v = before
	}
}
