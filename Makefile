# The two commands to know: `make rehearse` and `make test`. Both set up what they need first.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# The environment may forbid Python to keep bytecode; every step's process would then compile Dagster anew.
export PYTHONDONTWRITEBYTECODE :=
BIN := .venv/bin
STATE := $(CURDIR)/.tasker-release
# Override on the command line: make rehearse SOURCE=../tasker-core MANIFEST=tasker-ctl
SOURCE ?=
MANIFEST ?= tasker
# make rehearse FAULTS="npm:upload:drop-after": a bad day for the registries; docs/faults.md has the words.
export FAULTS
# make rehearse RELEASE=rehearsal-20260301-030005: continue one that was interrupted
export RELEASE
# make ui PORT=3001: the web UI there; empty: 3000, or a free one where that is taken
PORT ?=
export TASKER_RELEASE_STORE ?= $(STATE)/store
export TASKER_RELEASE_WORK ?= $(STATE)/work
export DAGSTER_HOME ?= $(STATE)/dagster$(if $(DAGSTER_POSTGRES_URL),-postgres)

.PHONY: help set-up set-up-tests rehearse ui test test-all test-service unit lint bench bench-short screenshots lock clean

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

set-up: ## Install what the project needs: .venv, .tools, and (Debian, as root) the system's packages
	@.ci/setup

set-up-tests:
	@.ci/setup tests

rehearse: set-up ## Rehearse a release of the example workspace, or of SOURCE=../checkout, to registries on loopback
	@.ci/rehearse "$(SOURCE)" "$(MANIFEST)"

ui: set-up ## The web UI, on loopback; it shows what was rehearsed
	@$(BIN)/python -m tasker_release_pipeline.steps.home $(DAGSTER_HOME)
	$(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 $(if $(PORT),-p $(PORT))

lint: set-up ## Formatting, linting, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: set-up ## The tests that need neither a network nor a toolchain, the fault matrices aside
	$(BIN)/pytest -n 2 --dist worksteal -m "not toolchain and not slow and not service" \
	  --ignore tests/faults --ignore-glob "tests/loopback/test_fault*"

test: set-up-tests lint ## Everything that has to pass before a change lands (under 15 minutes on two cores)
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow and not service"

test-all: set-up-tests lint ## The same, with the longer proofs of planning, publishing, repairing (under 40 minutes)
	$(BIN)/pytest -n 2 --dist worksteal -m "not service"

test-service: set-up-tests ## The proofs of what a team's service adds: web UI, database, bucket, workers, container
	$(BIN)/pytest -n 2 --dist worksteal -m service

bench: set-up ## How fast it is, beside the tools that it calls (under 15 minutes): a table, and bench/results.json
	$(BIN)/python -m bench

bench-short: set-up ## The same, smaller: fails where a ratio is more than a third above its target
	$(BIN)/python -m bench --short

screenshots: set-up-tests ## The pictures in docs/images, taken anew by the test that drives the web UI
	SCREENSHOTS=docs/images $(BIN)/pytest -n 0 tests/ui/test_repair.py

lock: ## Pin the dependencies anew, within the ranges of pyproject.toml and config/lock/node/package.json
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --generate-hashes --python-version 3.11 --upgrade \
	  --quiet --custom-compile-command "make lock" --output-file config/lock/python.txt
	echo hatchling | $(BIN)/uv pip compile pyproject.toml - --extra web --extra postgres --extra s3 --extra slack --extra celery \
	  --extra tools --universal --generate-hashes --python-version 3.11 --constraints config/lock/python.txt \
	  --quiet --custom-compile-command "make lock" --output-file config/lock/runtime.txt
	cd config/lock/node && npm update --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

clean: ## Remove what rehearsals left; the set-up stays
	rm -rf $(STATE)
