# `make` lists the targets. GO can name another Go, CACHE another cache folder.
GO ?= go
CACHE ?= $(or $(TABLEHAUL_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tablehaul)
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
TIMEOUT ?= 60m
BENCH ?= .
ROWS ?= 0
RUNS ?= 20
JOB ?= tail
SEED ?= 0
KEYS_ROWS ?= 0,1,10000,200000
ARCH ?= $(shell $(GO) env GOARCH)
IMAGE ?= tablehaul:$(subst +,-,$(VERSION))

# The flags are those of .goreleaser.yaml: one commit makes the same program.
go_build = CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)'

GOFUMPT_VERSION := v0.12.0
GOLANGCI_VERSION := v2.15.0
GORELEASER_VERSION := v2.15.1
tools := $(CACHE)/tools
gofumpt := $(tools)/gofumpt-$(GOFUMPT_VERSION)/gofumpt
golangci := $(tools)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint
goreleaser := $(tools)/goreleaser-$(GORELEASER_VERSION)/goreleaser

# All packages, those first whose tests take longest, so that none of these runs alone in the end.
longest := ./pkg/writer/iceberg ./cmd/tablehaul
packages := $(longest) ./pkg/reader/mysql ./pkg/writer/files ./pkg/hdfs ./pkg/writer/doris ./pkg/writer/kafka ./pkg/message ./pkg/move ./...

# The services that tests use, in the order in which they are started.
services := mysql mariadb iceberg-rest s3 azurite gcs kafka hdfs debezium doris pt-osc readers

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: demo
demo: ## from nothing to a lake: build, get a MySQL, move a sample database, read it with DuckDB
	@testdata/demo/demo

.PHONY: demo-pipeline
demo-pipeline: ## MySQL, Kafka, a lake: changes that flow, a table redone meanwhile, and the proof
	@testdata/demo/pipeline

.PHONY: build
build: ## build bin/tablehaul, one static binary
	$(go_build) -o bin/tablehaul ./cmd/tablehaul

.PHONY: quick
quick: ## run the tests that need no server
	$(GO) test -short ./...

.PHONY: test
test: build services ## install and start what is needed, and run every test
	@# As many at a time as there are processors: with more of them little ends sooner, and what
	@# is given a minute takes longer. What comes behind is run whatever has failed before.
	@rc=0; $(env); $(GO) test -vet=off -p $$(getconf _NPROCESSORS_ONLN) -parallel 3 -timeout $(TIMEOUT) $(longest) ./testdata/services $(packages) || rc=1; \
	$(MAKE) --no-print-directory -j3 -O test-cases test-keys test-chaos || rc=1; exit $$rc

.PHONY: test-cases
test-cases: build services ## the SQL cases and the files of messages of this repository, source against lake
	@$(env) && $(both) testdata/compare/corpora testdata/sql --bin bin/tablehaul --server $$s; $(end_both)
	@$(env) && $$TABLEHAUL_TEST_PYTHON testdata/compare/messages.py testdata/messages/maxwell --bin bin/tablehaul

.PHONY: test-keys
test-keys: build services ## every kind of key at every size, source against lake: KEYS_ROWS=0,1,10000,1000000
	@$(env) && $(both) url=TABLEHAUL_TEST_$${s^^}; \
	$$TABLEHAUL_TEST_PYTHON testdata/compare/keys.py --bin bin/tablehaul --server $$s --source $${!url} --rows $(KEYS_ROWS); $(end_both)

.PHONY: test-chaos
test-chaos: build services ## a few runs of each job of chaos
	@$(env) && for job in '-job tail -runs 8' '-job snapshot -runs 3' '-job topic -runs 2' '-job files -runs 4'; do $(GO) run ./cmd/chaos $$job -seed $(SEED) -binary bin/tablehaul; done

.PHONY: chaos
chaos: build services ## kill the program in every way while a bank moves money: JOB=tail|snapshot|topic|files RUNS=n SEED=s
	@$(env) && $(GO) run ./cmd/chaos -job $(JOB) -runs $(RUNS) -seed $(SEED) -binary bin/tablehaul

.PHONY: services
services: ## start the real servers that tests use
	@for s in $(filter-out readers,$(services)); do testdata/services/$$s start; done
	@testdata/services/readers start --spark

.PHONY: stop
stop: ## stop those servers; WIPE=1: and remove what they hold
	@for s in $(services); do testdata/services/$$s stop $(if $(WIPE),--wipe); done

# env is shell code that exports what the running services say of themselves.
env = for s in $(services); do e=$$(testdata/services/$$s env); set -a; eval "$$e"; set +a; done

# both … end_both runs what is between them for both servers $s at the same time, and
# fails if it does for one.
both = pids=(); for s in mysql mariadb; do (
end_both = ) & pids+=($$!); done; rc=0; for p in "$${pids[@]}"; do wait "$$p" || rc=1; done; exit $$rc

.PHONY: test-corpora
test-corpora: build services ## move every .sql file of DIR=… and compare, also what tail makes of its statements; dump every file of messages
	@test -n '$(DIR)' || { echo 'usage: make test-corpora DIR=folder' >&2; exit 2; }
	@if find '$(DIR)' -name '*.sql' -o -name '*.sql.gz' | grep -q .; then $(env) && rc=0 && { testdata/compare/corpora '$(DIR)' || rc=1; $(GO) run ./cmd/shapes '$(DIR)' || rc=1; exit $$rc; }; fi
	@$(env) && $$TABLEHAUL_TEST_PYTHON testdata/compare/messages.py '$(DIR)' --bin bin/tablehaul

.PHONY: test-doris
test-doris: ## what every sink must show, on the cluster of TABLEHAUL_DORIS=doris://USER@FE:8030/
	$(GO) test -tags doris -count 1 -timeout 60m -run TestRealCluster ./pkg/writer/doris

.PHONY: check
check: $(gofumpt) $(golangci) ## format, vet, lint and race tests
	@unformatted=$$($(gofumpt) -l .); test -z "$$unformatted" || { echo "not gofumpt'd: run 'make format'"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(golangci) run ./...
	@# Vetted they are already. The detector has each process that ends wait a second for others'
	@# reports: tests start hundreds.
	@# Pointers of SQLite, which is C that was translated, are not what is looked at.
	GORACE="$${GORACE:-} atexit_sleep_ms=20" $(GO) test -vet=off -race -gcflags='modernc.org/sqlite/...=-d=checkptr=0' -short -timeout $(TIMEOUT) $(packages)

.PHONY: format
format: $(gofumpt) ## format all Go files
	$(gofumpt) -w .

$(gofumpt):
	GOBIN=$(@D) $(GO) install mvdan.cc/gofumpt@$(GOFUMPT_VERSION)

$(golangci):
	GOBIN=$(@D) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

.PHONY: bench
bench: ## measure: BENCH='regexp' ROWS=n; writes bench-results.json
	@$(GO) run ./cmd/bench -bench '$(BENCH)' -rows $(ROWS)

.PHONY: docs
docs: ## write docs/cli anew from the flags
	$(GO) generate ./cmd/tablehaul

.PHONY: man
man: build ## write manual pages to dist-docs/man1
	@rm -rf dist-docs/man1
	bin/tablehaul man dist-docs/man1

.PHONY: completions
completions: build ## write scripts for shells to dist-docs/completions
	@mkdir -p dist-docs/completions
	for s in bash zsh fish; do bin/tablehaul completion $$s > dist-docs/completions/$$s; done

.PHONY: dist
dist: $(goreleaser) ## build all that a release consists of into dist/, and publish nothing
	$(goreleaser) release --snapshot --clean --timeout 4h

.PHONY: test-dist
test-dist: dist ## look at all that was built: run it, install it, build it again
	testdata/dist/check dist

.PHONY: test-operations
test-operations: ## do what docs/operations.md says, as root on Debian: PARTS='page ci cron systemd care kubernetes'
	testdata/operations/run $(PARTS)

.PHONY: image
image: ## build a container image: IMAGE=name ARCH=amd64|arm64 BUILDER=docker|podman|buildah
	mkdir -p dist-image
	GOOS=linux GOARCH=$(ARCH) GOFLAGS=-buildvcs=auto $(go_build) -o dist-image/tablehaul ./cmd/tablehaul
	packaging/image dist-image $(ARCH) $(IMAGE)

$(goreleaser):
	GOBIN=$(@D) $(GO) install github.com/goreleaser/goreleaser/v2@$(GORELEASER_VERSION)

.PHONY: clean
clean: ## remove what was built and the demo's lake
	rm -rf bin dist dist-docs dist-image lake lake2 bench-results.json
