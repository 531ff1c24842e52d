# One entry for people and CI. `make help` lists the targets.
# One configuration, release: what is tested is what runs, and BoringSSL is compiled once less.
SHELL := /bin/bash
SWIFT_BUILD := swift build -c release
MARTLET := .build/release/martlet
LAB ?= lab

.PHONY: help run build test unit-test integration-test check format bench fuzz clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

run: build  ## build, start a lab server in ./lab and say how to connect (Ctrl-C ends it)
	@Tools/run-lab $(MARTLET) $(LAB)

build:
	@Tools/setup build
	@Tools/build-if-needed

test:  ## the whole suite: check, unit tests, real clients
	@Tools/setup build test
	swift build -c release --build-tests
	Tools/check
	swift test -c release --skip-build --no-parallel
	/usr/bin/python3 -m pytest -q Tests/IntegrationTests

unit-test:  ## the Swift tests alone; one suite with FILTER=name
	swift test -c release $(if $(FILTER),--filter $(FILTER))

integration-test:  ## the real clients alone, against the binary that is built; one with K=name
	/usr/bin/python3 -m pytest -q Tests/IntegrationTests $(if $(K),-k $(K))

check:  ## format, forbidden patterns, import rules, dead RFC references
	@Tools/check

format:  ## rewrite the sources in the project's format
	swift format --in-place --recursive --parallel Sources Tests Package.swift

bench:  ## side by side with Postfix and Dovecot; writes Docs/benchmarks.md
	@Tools/setup build bench
	$(SWIFT_BUILD) --product martlet
	Benchmarks/run

fuzz:  ## make fuzz FUZZ=name TIME=60
	Tools/fuzz $(FUZZ) $(or $(TIME),60)

clean:
	rm -rf .build
