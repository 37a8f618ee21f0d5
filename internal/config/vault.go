package config

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
		"retry":           d.covered(), // vaultexec tries as long as it may

		"enabled":                        d.covered(),
		"ssl":                            d.one(d.ssl),
		"transport":                      d.covered(),
		"client_user_agent":              d.covered(),
		"renew_token":                    d.covered(), // it always is
		"lease_renewal_threshold":        d.covered(),
		"grace":                          d.covered(),
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

// ssl reads the TLS settings as consul-template has them.
func (d *decoder) ssl(n node) {
	v := &d.config.Vault
	var verify Given[bool]
	d.block("vault.ssl", n, fields{
		"enabled":       d.covered(), // the address tells
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
}
