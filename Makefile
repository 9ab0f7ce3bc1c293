# `make demo` and `make test` are all that a person needs; each sets up .venv by itself.

PYTHON ?= python3
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
EXTRAS := onnx,sim,test,bench,plots,fpga
# One stamp for each pyproject.toml and place of the checkout: a change of either installs again.
STAMP := $(VENV)/installed-$(shell { pwd; cat pyproject.toml; } | sha256sum | cut -c1-16)
# PyTorch is big, and only the long tests need it.
TRAIN_STAMP := $(STAMP)-train

.PHONY: demo test test-long lint types faults venv clean

demo: $(STAMP)
	@$(BIN)/tamis demo

test: lint types
	@$(BIN)/python -m host.doctor tests
	@$(BIN)/python -m pytest -q -n $(JOBS)

test-long: $(TRAIN_STAMP) lint types
	@$(BIN)/python -m pytest -q -n $(JOBS) -m "long or not long"
	@$(MAKE) --no-print-directory faults

lint: $(STAMP)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --diff golden host tests

types: $(STAMP)
	@$(BIN)/mypy --no-error-summary

faults: $(STAMP)
	@$(BIN)/python -m tests.faults.run

venv: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2> /dev/null || { \
	    echo "$(PYTHON) was not found or is older than 3.11: install Python with" \
	        "\`sudo apt install python3 python3-venv\`, or name another one: make PYTHON=/usr/bin/python3" >&2; \
	    exit 6; }
	@$(PYTHON) -m host.doctor
	@echo "Setting up $(VENV) from PyPI; this takes about a minute, once." >&2
	@$(BIN)/python -c "" 2> /dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -e ".[$(EXTRAS)]"
	@rm -f $(VENV)/installed-*
	@touch $@

$(TRAIN_STAMP): $(STAMP)
	@echo "Installing PyTorch, which the long tests train with; once." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -e ".[$(EXTRAS),train]"
	@touch $@

clean:
	rm -rf $(VENV) build tamis.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
