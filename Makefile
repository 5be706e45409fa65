# Every target sets up what it needs: .venv (Python 3.13) and local/azurite/node_modules, both inside this folder.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo demos up test faults check bench lock package clean

# Hundreds of processes import the same modules; where they may not keep what they compiled, each compiles all anew.
export PYTHONDONTWRITEBYTECODE :=

PYTHON := .venv/bin/python
ARGS ?=
WORKERS ?= 3

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  ARGS=\"...\" goes to what is run: make test ARGS=\"-k policy\", make demo ARGS=\"--json\""

setup: ## install what is missing, inside this folder only (all others do this first)
	@tools/setup.sh

demo: setup ## one rotation, live, against simulated Azure (KIND=<credential or consumer kind>, or federation)
	@$(PYTHON) -m local.demo $(if $(KIND),--kind "$(KIND)") $(ARGS)

demos: setup ## a demo of every kind in a row, then all places at once (about 5 minutes)
	@$(PYTHON) -m pytest -v -m "demos or not demos" tests/demo/test_every_kind.py tests/demo/test_all_places.py tests/demo/test_federation_demo.py $(ARGS)

up: setup ## the app and simulated Azure on this machine, until Ctrl-C
	@$(PYTHON) -m local.up $(ARGS)

test: setup ## the whole suite (WORKERS=3: they mostly wait)
	@$(PYTHON) -m pytest -n $(WORKERS) $(ARGS)

faults: setup ## kill, pause and refuse at every place there is: what the suite has only a sample of (more than an hour)
	@$(PYTHON) -m pytest -n $(WORKERS) -m "exhaustive or not exhaustive" tests/faults $(ARGS)
	@$(PYTHON) -m pytest -n $(WORKERS) -m exhaustive --ignore tests/faults tests $(ARGS)

check: setup ## format, lint, types, import rules, shell scripts, locks
	@$(PYTHON) -m tools.check $(ARGS)

bench: setup ## count requests, sign-ins, handshakes; compare import time; audit log against json.loads
	@$(PYTHON) -m tests.bench $(ARGS)

lock: setup ## compile requirements*.txt from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(PYTHON) -m tools.lock $(ARGS)

package: setup ## what is deployed: dist/rekey.zip, its digest and its bill of materials
	@$(PYTHON) -m tools.package $(ARGS)

clean: ## remove everything that setup, tests and demo made
	@rm -rf .venv .python .rekey .durable dist local/azurite/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
