# Two commands do all set-up: `make run` and `make test`. Everything lives in .venv.
# The first Python on the path that runs and is new enough.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV   := .venv
BIN    := $(VENV)/bin
SUDO   := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
STAMP  := $(VENV)/.installed
DEV    := $(VENV)/.installed-dev
BUILT  := $(VENV)/.compiled
HOT    := $(shell find appliance -name '*.pxd') $(patsubst %.pxd,%.py,$(shell find appliance -name '*.pxd'))

.PHONY: help run test check lint types layers format test-pure test-compiled compile bench verify pcaps clean system system-test

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

system:  ## install what comes from the distribution (Debian)
	@.ci/system-packages

system-test:  ## the same, with what the tests need
	@.ci/system-packages test

$(STAMP): pyproject.toml setup.py | system
	@test -n "$(PYTHON)" || { echo "Eastwall needs Python 3.11 or newer" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip 'setuptools>=77'
	EASTWALL_COMPILE=no $(BIN)/pip install --quiet --editable .
	@touch $@

$(DEV): $(STAMP) | system-test
	EASTWALL_COMPILE=no $(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

$(BUILT): $(STAMP) $(HOT)
	@if command -v cc >/dev/null 2>&1; then \
	  echo "compiling the hot modules"; $(BIN)/python setup.py --quiet build_ext --inplace --parallel 2; \
	else echo "no C compiler: running uncompiled (slower, same results)"; fi
	@touch $@

compile: $(BUILT)  ## compile the hot modules in place

run: $(STAMP) compile  ## show an attack between two VMs and what the appliance does about it
	@$(BIN)/python pcaps/demo.py

test: $(DEV) test-pure test-compiled  ## install what is needed and pass all tests

test-pure: $(DEV)  ## the tests on plain Python; those in namespaces and guests run once, below
	EASTWALL_PURE=1 $(BIN)/python -m pytest -n 2 -m 'not vm and not netns'

test-compiled: $(DEV) compile  ## the tests on the compiled modules
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(DEV)  ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV)  ## types
	$(BIN)/mypy

layers: $(DEV)  ## imports go down only
	$(BIN)/lint-imports

check: lint types layers test  ## all that CI runs

format: $(DEV)  ## bring the source into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

pcaps: $(DEV)  ## craft the shipped captures anew
	$(BIN)/python pcaps/craft.py

bench: $(DEV) compile  ## measure; prints ratios
	$(BIN)/python bench/replay.py

clean:  ## remove what was built
	rm -rf $(VENV) build *.egg-info out .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find appliance -name '*.so' -delete
