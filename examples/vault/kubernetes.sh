#!/bin/sh
# What Vault has to know for ../kubernetes, ../kustomize and ../helm: the policy,
# and a role for the service account app in the namespace shop, whose tokens are
# for the audience vault. The auth method is there already (vault auth enable
# kubernetes; vault write auth/kubernetes/config kubernetes_host=https://...).
#
#   VAULT_ADDR=https://vault.example:8200 sh examples/vault/kubernetes.sh
set -eu
cd "$(dirname "$0")"
vault policy write app app.hcl
vault write auth/kubernetes/role/app \
	bound_service_account_names=app bound_service_account_namespaces=shop audience=vault \
	token_policies=app token_ttl=1h
