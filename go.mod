module vaultexec

go 1.26
