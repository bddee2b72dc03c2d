# The few commands that everybody needs. `make help` lists them.

SHELL    := /bin/bash
GOFLAGS  ?=
LINT     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
# What make bench measures beside, and in how many rounds (0: as many as each row wants).
PEERS    := s6 systemd nodejs gunicorn python3-uvicorn
ROUNDS   := 0
export DEBIAN_FRONTEND := noninteractive

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: build
build: ## bin/brood and bin/broodd, static
	CGO_ENABLED=0 go build $(GOFLAGS) -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

.PHONY: demo
demo: ## see a birth, a full pool, a crash, the recovery, a reload, and a pool of a brood.toml; needs nothing but Go
	@$(MAKE) --silent --no-print-directory build
	@bin/brood demo

.PHONY: test
test: test-deps build lint ## everything: installs what the tests need (apt, as root), builds, lints, tests with the race detector
	go test -count=1 ./internal/pool ./internal/sim # at full length; the race detector makes them shorter
	CGO_ENABLED=1 go test -race -timeout 20m $$(go list ./... | grep -v /e2e/)
	CGO_ENABLED=1 go test -race -timeout 20m -p 1 ./e2e/... # one after the other: some rows count the seconds of Postfix's own master

.PHONY: test-short
test-short: ## what needs neither root nor Postfix
	go test -short ./...

.PHONY: test-deps
test-deps: ## the Debian packages that the tests use
	@scripts/test-deps

.PHONY: lint
lint: ## go vet, for another machine too, and golangci-lint
	go vet ./...
	GOARCH=arm64 CGO_ENABLED=0 go vet ./cmd/...
	go run $(LINT) run ./...

.PHONY: bench
bench: test-deps ## measures beside Postfix, s6 and systemd (apt, as root; 25 minutes); writes bench/RESULTS.md; ROUNDS=3 is quicker
	@dpkg -s $(PEERS) >/dev/null 2>&1 || { apt-get update -q && apt-get install -y -q --no-install-recommends $(PEERS); }
	go run ./bench -rounds $(ROUNDS) -out bench
