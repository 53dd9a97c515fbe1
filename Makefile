# SPDX-License-Identifier: Apache-2.0
# Every way to build, run and test Sluice. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
BENCH ?=
RINGS ?=

.PHONY: help deps build asan run test bench fuzz tidy fmt docs tsan install clean
.PHONY: deps-build deps-test deps-bench

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: deps-bench ## Install every Debian package that building, testing and measuring need
deps-build deps-test deps-bench: deps-%:
	@tools/install-deps $*

build: deps-build ## Build build/release/sluice
	@cmake --preset release --log-level=WARNING -DSLUICE_TESTS=OFF
	@ninja -C build/release -j$(JOBS) sluice

run: build ## Start the gateway with a demo upstream and one route, in the foreground
	@python3 tools/demo.py

define build_tests
	@echo "== building $(1)"
	@cmake --preset $(1) --log-level=WARNING -DSLUICE_TESTS=$(2)
	@ninja -C build/$(1) -j$(JOBS) $(3)
endef

# Whether one of the rings named is to be run; all of them are when RINGS names none.
runs = $(if $(RINGS),$(filter $(1),$(RINGS)),$(1))

test: deps-test ## Build the release and the AddressSanitizer tree and run every ring (RINGS="unit scenarios" picks)
	$(if $(call runs,unit scenarios weather peers),$(call build_tests,release,ON))
	$(if $(call runs,unit scenarios fuzz),$(call build_tests,asan,ON))
	@python3 tools/run_tests.py $(RINGS)

tsan: deps-test ## Build with ThreadSanitizer and run the unit tests and scenarios on it
	$(call build_tests,tsan,ON)
	@python3 tools/run_tests.py --tree tsan unit scenarios

fuzz: deps-test ## Run every fuzz target for FUZZ_SECONDS (60) each, every time another way
	$(call build_tests,asan,ON,fuzzers)
	@python3 tools/run_tests.py --fuzz-seconds $(FUZZ_SECONDS) --seed 0 fuzz

bench: deps-bench ## Measure side by side with nginx and haproxy (BENCH="--quick --only plain")
	$(call build_tests,release,ON)
	@python3 tests/bench/run.py $(BENCH)

tidy: ## Check layering, lengths, banned calls and licence lines
	@python3 tools/tidy.py

fmt: deps-bench ## Format the C++ lines that are too long (tools/fmt.py --all: everything)
	@python3 tools/fmt.py

docs: build ## Write docs/reference from the schemas that the gateway itself tells
	@python3 tools/reference.py

install: build ## Install the gateway below PREFIX (/usr/local), DESTDIR honoured
	install -Dm755 build/release/sluice $(DESTDIR)$(PREFIX)/bin/sluice
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	build/release/sluice completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluice
	build/release/sluice completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_sluice
	install -Dm644 packaging/sluice.service $(DESTDIR)/lib/systemd/system/sluice.service
	sed -i 's|@PREFIX@|$(PREFIX)|g' $(DESTDIR)/lib/systemd/system/sluice.service
	[ -e $(DESTDIR)/etc/sluice/conf/config.yaml ] || \
	  install -Dm644 conf/config.yaml $(DESTDIR)/etc/sluice/conf/config.yaml

clean: ## Remove everything that was built
	rm -rf build
