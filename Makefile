# `make run` shows it; `make tools check test` is exactly what CI runs. What each does: scripts/README.md.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export SKIP

.PHONY: help tools check test bench bench-sockets soak run
help: ## lists the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

run: ## builds and shows the demonstration on 127.0.0.1:8080, or the next free port
	@scripts/run

tools: ## fetches what building, checking and testing need
	@scripts/tools all

check: ## format, lints, docs, licences, unused dependencies, generated files, types
	@scripts/check

test: ## every test, beside one throwaway PostgreSQL (SKIP=browser leaves the browser out)
	@scripts/test

bench: ## throughput and latency, as ratios against bare baselines
	@scripts/bench

bench-sockets: ## our sockets beside the actix-web-actors shape
	@scripts/bench-sockets

soak: ## the long counts; every count is a variable, see scripts/soak
	@scripts/soak
