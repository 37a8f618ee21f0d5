#!/bin/sh
# What Vault has to know for ../systemd: the policy and a role whose role ID and
# secret ID the machine gets. The auth method is there already (vault auth enable
# approle).
#
#   VAULT_ADDR=https://vault.example:8200 sh examples/vault/approle.sh
#   vault read -field=role_id auth/approle/role/app/role-id > /etc/app/role-id
#   vault write -f -field=secret_id auth/approle/role/app/secret-id > /etc/app/secret-id
set -eu
cd "$(dirname "$0")"
vault policy write app app.hcl
vault write auth/approle/role/app token_policies=app token_ttl=1h
