# Wheelwright. `make` alone says what there is to make.
#
# Needs python3 (3.11 or later) and make, nothing else: everything is installed into .venv, each
# package pinned by version and hash in requirements.lock. Commands run from this directory, so the
# project itself needs no installing.

MAKEFLAGS += --no-print-directory
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# More for pytest or the benchmarks: make test ARGS="-k alerts", make bench ARGS="--quick risk"
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run-all test fuzz check bench demo rebuild verify export import restore schwab-login clean lock

# An environment whose Python has gone (an upgrade, a copied folder) counts as not installed.
$(shell test -x $(BIN)/python || rm -f $(INSTALLED))

help: ## Say what there is to make
	@"$(PYTHON)" -c 'import re; print(*(f"  make {t:<12} {h}" for t, h in \
		re.findall(r"^([a-z-]+):.*## (.*)", open("Makefile").read(), re.M)), sep="\n")'

install: $(INSTALLED) ## Install everything into .venv (does nothing when nothing changed)

run-all: install ## Start the whole instance; Ctrl-C stops it
	@exec $(BIN)/python -m supervisor

test: install ## Run the tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

fuzz: install ## Send the API thousands of requests that nobody would
	@$(BIN)/python -m tests.fuzz $(ARGS)

check: install ## Lint, formatting, types and architecture
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports

bench: install ## Measure speed and memory, each as a ratio within one run
	@$(BIN)/python -m benchmarks $(ARGS)

demo: install ## Play the reference wheel on SPY in 2021 through a live system
	@$(BIN)/python -m demo

rebuild: install ## Rebuild the views from the ledger
	@$(BIN)/python -m projections rebuild

verify: install ## Check the ledger's hash chain from the first event to the last
	@$(BIN)/python -m adapters.verify

export: install ## Write the ledger to a file of JSON lines: make export FILE=ledger.jsonl
	@$(BIN)/python -m adapters.ledger_file export "$(or $(FILE),ledger.jsonl)"

import: install ## Begin a new data directory from such a file: make import FILE=ledger.jsonl
	@$(BIN)/python -m adapters.ledger_file import "$(or $(FILE),ledger.jsonl)"

restore: install ## Begin a new data directory from a backup: make restore FILE=... DIR=...
	@$(BIN)/python -m adapters.restore "$(FILE)" "$(DIR)"

schwab-login: install ## Log in at Schwab; it lasts a week
	@$(BIN)/python -m adapters.schwab

clean: ## Remove what was installed and built (never the data directory)
	@rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One lock for Linux, macOS and Windows, and every supported Python: versions and hashes only.
lock: install ## Pin the newest allowed versions in requirements.lock
	@UV_CUSTOM_COMPILE_COMMAND='make lock' $(BIN)/python -m uv pip compile --quiet --upgrade \
		--universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
		--extra postgres --extra schwab --group dev pyproject.toml --output-file requirements.lock

# The stamp is written last. Without it whatever is there is half done, and made anew.
$(INSTALLED): requirements.lock
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "Wheelwright needs Python 3.11 or later, and there is no $(PYTHON) here."; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Wheelwright needs Python 3.11 or later, and $(PYTHON) is" \
			"$$("$(PYTHON)" -c 'import platform; print(platform.python_version())')."; \
		echo "Name a newer one: make install PYTHON=python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments here: its venv package is missing."; \
		echo "On Debian and Ubuntu: sudo apt install python3-venv, then make install again."; \
		exit 1; }
	@test -f $@ || { rm -rf .venv && "$(PYTHON)" -m venv .venv; }
	@rm -f $@
	@"$(PYTHON)" -c 'import re; print(re.search(r"(?ms)^uv==.*?(?=^\S|\Z)", \
		open("requirements.lock").read())[0])' > .venv/uv.lock
	@echo "Installing into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--requirement .venv/uv.lock
	@$(BIN)/python -m uv pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements.lock || { \
		echo "uv cannot reach the packages; trying pip, which knows its own settings ..."; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
			--require-hashes --requirement requirements.lock; }
	@touch $@
