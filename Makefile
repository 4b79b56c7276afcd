# Everything that is done with a checkout. `make` alone lists it.

# The first that is there and runs: a name on the path may belong to a version manager that has nothing behind it.
KNOWN := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for each in python3.11 python3.12 python3.13 python3; do \
	$$each -c '$(KNOWN)' 2>/dev/null && echo $$each && break; done)
BIN := .venv/bin
INSTALLED := .venv/.installed

# Values that are only there to be filled in while docker-compose.yml is checked.
COMPOSE_CHECK := LETHE_POSTGRES_PASSWORD=check LETHE_VALKEY_PASSWORD=check

# Two processes on two cores, each with the whole of a file's tests and with servers of its own.
TEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=25 -m "not slow"

.PHONY: help install demo demo-text up test test-all lint check-containers clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

install: $(INSTALLED) ## the environment alone, in .venv

$(INSTALLED): pyproject.toml
	@$(or $(PYTHON),false) -c '$(KNOWN)' || { echo "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@echo "installing into .venv (takes minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[worker,local,nsfw,c2pa,dev]'
	@touch $@

demo: install ## one real job through the whole service, with its results in demo/
	@$(BIN)/lethe demo

demo-text: install ## the same of a text-to-image model, with its results in demo-text/
	@$(BIN)/lethe demo --text

up: install ## the service on this machine, until Ctrl-C
	@$(BIN)/lethe up

test: install ## the tests; finds or installs the browser that they need
	@$(BIN)/python -m tests.support.programs
	@$(TEST)

test-all: test ## the tests, those that take minutes each, and every fault at its full figure
	@$(BIN)/python -m pytest -m slow
	@$(BIN)/python -m benchmarks --quick
	@$(BIN)/python -m benchmarks.faults

.PHONY: faults
faults: install ## every fault at its full figure, then without what holds it, with a table
	@$(BIN)/python -m benchmarks.faults

.PHONY: bench
bench: install ## every benchmark in its quick form, with a table
	@$(BIN)/python -m benchmarks --quick

.PHONY: docs
docs: install ## the documentation as a site with search, in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lint: install ## style, types, and who may import whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/mypy docs/site_hooks.py
	@$(BIN)/lint-imports

check-containers: install ## the Docker files, without an engine
	@$(BIN)/hadolint Dockerfile
	@$(COMPOSE_CHECK) $(BIN)/docker-compose -f docker-compose.yml config -q
	@$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

# For the images: their Python and platform, and no source of packages named. The CPU's wheels of torch are no part of
# PyPI: they are found in a folder, or at an address, that is named here.
CPU_WHEELS ?=
LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --no-header --generate-hashes --no-emit-index-url \
	--no-emit-find-links --python-version 3.11 --python-platform x86_64-manylinux_2_28
WORKER = --extra worker --extra nsfw --extra s3

.PHONY: locks sbom
locks: install ## the versions and hashes that the images install, in locks; CPU_WHEELS=... for those of a CPU too
	@$(LOCK) --extra s3 --output-file locks/api.txt
	@$(LOCK) $(WORKER) --output-file locks/worker.txt
	@test -z "$(CPU_WHEELS)" || $(LOCK) $(WORKER) --find-links "$(CPU_WHEELS)" --output-file locks/worker-cpu.txt

sbom: install ## what the images hold, as CycloneDX, in sbom
	@mkdir -p sbom
	@for each in locks/*.txt; do \
		$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
			--output-file "sbom/$$(basename "$$each" .txt).json" "$$each" || exit 1; done

clean: ## remove what was made here, but for the data in .lethe
	@rm -rf .venv demo demo-text sbom site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
