# vaultexec: 'make help' lists the targets.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOBUILD  = CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)'
FUZZTIME ?= 10s
DURATION ?= 5m
RACE     = $(if $(shell command -v $$(go env CC)),-race,$(info no C compiler: testing without the race detector))

.PHONY: help build man release test unit lint integration demo bench soak fuzz clean
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/vaultexec, static
	$(GOBUILD) -o bin/vaultexec ./cmd/vaultexec

man: build ## write the manual page, bin/vaultexec.1
	bin/vaultexec man > bin/vaultexec.1

release: ## build dist/: static binaries for every platform, SHA256SUMS, SBOMs; the same bytes everywhere
	go -C integration run ./release -version '$(VERSION)' -out ../dist

test: lint unit integration ## run every test (builds the real servers the first time)

unit: ## run the tests that need no server, with the race detector
	go test $(RACE) -timeout 20m ./...

lint: ## gofmt, vet (Linux, macOS), staticcheck, govulncheck, tidy
	.ci/lint

integration: ## test the binary against a real Vault and a real kube-apiserver
	go -C integration run ./prepare
	go -C integration test $(RACE) -count=1 -timeout 60m ./... # the cache does not know the program under test

demo: ## the main job, with a real Vault and a real service account
	go -C integration run ./demo

bench: ## start, memory, signals: ratios against a floor program, Vault Agent and tini
	go -C integration run ./bench

soak: ## random trouble and rotations for DURATION (default 5m; SEED=N repeats one)
	go -C integration run ./soak -duration $(DURATION) $(if $(SEED),-seed $(SEED))

fuzz: ## fuzz every target for FUZZTIME (default 10s)
	.ci/fuzz $(FUZZTIME)

clean: ## remove what was built here (not the servers' cache)
	rm -rf bin dist
