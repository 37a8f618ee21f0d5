#!/bin/sh
# What Vault has to know for ../github: the policy, and a role for the workflows
# of one branch of one repository. The auth method is there already (vault auth
# enable jwt; vault write auth/jwt/config
# oidc_discovery_url=https://token.actions.githubusercontent.com).
#
#   VAULT_ADDR=https://vault.example:8200 sh examples/vault/github.sh
set -eu
cd "$(dirname "$0")"
vault policy write app app.hcl
vault write auth/jwt/role/ci role_type=jwt user_claim=sub bound_audiences=vault \
	bound_subject=repo:shop/app:ref:refs/heads/main token_policies=app token_ttl=15m
