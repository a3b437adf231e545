# Everything a change needs, by name. `make help` lists it.
GOLANGCI := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
RUNS ?= 1000
RACE := $(shell grep -v '^\#' .ci/race-flags)

.PHONY: help fmt lint test clients bench generate verify chaos mutants fuzz build demo image bundle

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## build both binaries into bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

image: ## build both container images (Docker)
	docker build -f deploy/Dockerfile --target mde-mcp -t mde-mcp .
	docker build -f deploy/Dockerfile --target mde-slackbot -t mde-slackbot .

bundle: ## pack mde-mcp as an MCP bundle for this machine, into dist/
	go run ./internal/bundle --out dist --version $(or $(VERSION),0.0.0)

demo: ## the main job on the simulated tenant
	go run ./cmd/mde-mcp demo

fmt: ## format all code (gofumpt)
	$(GOLANGCI) fmt

lint: ## vet and lint
	go vet ./...
	$(GOLANGCI) run

test: ## all tests; PostgreSQL's run when MDE_TEST_POSTGRES is set
	go test $(RACE) -shuffle=on ./...

clients: ## other people's suites and clients, which npm installs
	bash .ci/clients

bench: ## every benchmark with its baseline in the same run
	go test -run '^$$' -bench . -benchmem ./mdecore/ ./tools/ ./approvals/... ./internal/azpipe/ ./internal/download/ ./nexus/report/ ./internal/bench/

generate: ## make generated files fresh
	go generate ./...

verify: ## what CI checks, in the same order
	bash .ci/run

chaos: ## kill the worker RUNS times (1000) at its named points, on every store there is
	MDE_TEST_CHAOS_KILLS=$(RUNS) go test -count=1 -timeout=6h -v -run TestKilled ./internal/chaos/

mutants: ## break every guard of the gate by itself, and see that a test dies of it
	MDE_TEST_MUTANTS=1 go test -count=1 -v -timeout=60m -run 'TestMutantsDie|TestTheModelKillsItsMutants' ./approvals/

fuzz: ## fuzz every parser of outside text for FUZZTIME (1m) each
	bash .ci/fuzz $(or $(FUZZTIME),1m)
