# Needs Python 3.11 or newer with its venv module, and make. Everything else goes into .venv.
#
# PyTorch is fetched in the build that your pip finds. On Linux that is the CUDA build of several
# gigabytes: without a GPU, set PIP_EXTRA_INDEX_URL to PyTorch's index of CPU builds first.

PYTHON ?= python3
JOBS ?= 2
ARGS ?=

BIN := .venv/bin
READY := .venv/.installed
UV := uv==0.13.9

.DEFAULT_GOAL := help
.PHONY: help install demo test check lock clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(READY) ## make .venv as the lock says (the other verbs do so too)

demo: $(READY) ## draw an archive, learn from it, draft from it; all of it lies in demo/ then
	$(BIN)/xemplar demo --out demo

test: $(READY) ## run every test (JOBS=2 at a time; ARGS="-k ranking" for some)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

check: $(READY) ## lint, formatting and types
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --no-cache --check .
	$(BIN)/mypy

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo 'xemplar needs Python 3.11 or newer with its venv module: set PYTHON=..., or install python3-venv' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	# What the lock leaves open is torch, pinned in pyproject.toml: a CPU build is as good as any.
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable '.[test]'
	@touch $@

# The lock holds what the project, its tests and its build need, for every platform and Python from
# 3.11 on, with hashes; versions already in it stay (delete it first to move all of them). Left out
# are torch and what only its CUDA build asks for.
LOCKED := awk '/^[a-z0-9]/ { keep = !/^(torch==|triton==|nvidia-|cuda-)/ } keep'

lock: ## make requirements.lock again from pyproject.toml
	@test -x build/uv/bin/uv || $(PYTHON) -m venv build/uv
	build/uv/bin/python -m pip install --quiet $(UV)
	@if [ -f requirements.lock ]; then cp requirements.lock build/full.lock; else rm -f build/full.lock; fi
	printf 'hatchling\neditables\n' | build/uv/bin/uv pip compile pyproject.toml - --quiet --extra test \
	  --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o build/full.lock
	{ echo '# Made by `make lock`; torch is pinned in pyproject.toml.'; $(LOCKED) build/full.lock; } > requirements.lock

clean: ## remove what was built and drawn (not .venv)
	rm -rf build dist demo .pytest_cache .mypy_cache .ruff_cache
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +
