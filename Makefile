# Every target works on a machine with nothing but git, make and a Python 3.11 or uv.
# `make help` lists them.

VENV := .venv
PYTHON := $(VENV)/bin/python
SEGPIPE := $(VENV)/bin/segpipe
READY := $(VENV)/.ready
UV := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench lock clean

help:  ## Show this list.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(READY)  ## Install everything from requirements.lock into .venv.

$(READY): requirements.lock pyproject.toml
ifneq ($(UV),)
	@test -x $(PYTHON) || $(UV) venv --quiet --python 3.11 $(VENV)
	$(UV) pip sync --quiet --python $(PYTHON) --compile-bytecode requirements.lock
	$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation --editable .
else
	@test -x $(PYTHON) || $$(command -v python3.11 || echo python3) -c 'import sys; \
	  v = sys.version_info[:2]; v == (3, 11) or sys.exit("segpipe needs Python 3.11 or uv; this is Python %d.%d." % v); \
	  import venv; venv.create("$(VENV)", with_pip=True)'
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements.lock
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endif
	@touch $@

demo: $(READY)  ## Train, judge and serve a land-and-water model from satellite pictures; about 3 minutes.
	$(SEGPIPE) run configs/demo.toml

test: $(READY)  ## Run all tests.
	$(PYTHON) -m pytest

check: $(READY)  ## Lint, types and the direction of imports.
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(READY)  ## Format the code and mend what the linter can.
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(READY)  ## Measure every stage against the published design; prints a table, writes benchmarks/out/.
	$(PYTHON) -m benchmarks

lock:  ## Refresh requirements.lock (needs uv).
	uv pip compile pyproject.toml --quiet --upgrade --python-version 3.11 --all-extras --group dev --universal \
	  --generate-hashes --no-header -o requirements.lock

clean:  ## Remove the environment and the caches; keep runs/.
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis site dist
