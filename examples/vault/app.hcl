# The policy of the examples: what the application reads, and nothing else.
# kubernetes.sh, approle.sh and github.sh write it.
path "internal/data/database/config" { capabilities = ["read"] }
path "internal/data/app/mail" { capabilities = ["read"] }
