# Needs Python >= 3.11 with venv and pip, and make; everything else is installed into .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test check lint types bench bench-train clean

# The first interpreter that is new enough, wherever it is called python3 or by its version.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$python; break; fi; done)
JOBS ?= 2

# Linking a library needs a C toolchain; where the machine has none, the one in the ziglang wheel serves.
COMPILER := $(shell command -v "$${CC:-cc}" 2>/dev/null)
CORE := $(if $(COMPILER),.,.[cross])

PIP_INSTALL := python -m pip install --quiet --disable-pip-version-check

help: ## say what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: .venv/core.stamp ## compile a trained network, run it, train another one, export it, and see what the passes did
	@.venv/bin/python examples/digits/demo.py

test: .venv/test.stamp ## run all tests
	.venv/bin/python -m pytest -n $(JOBS)

check: lint types .venv/test.stamp ## linters, types and the quick tests: run it before a commit
	.venv/bin/python -m pytest -n $(JOBS) -m "not slow"

lint: .venv/test.stamp ## run ruff
	.venv/bin/ruff check .

# mypy cannot see packages that are mapped to folders of other names, so it reads an installed copy;
# the folder build/ goes first, because setuptools would put what is left in it into that copy.
types: .venv/test.stamp ## run mypy --strict
	@rm -rf build && .venv/bin/$(PIP_INSTALL) --no-deps --target build/types .
	MYPYPATH=build/types .venv/bin/mypy -p kerac

bench: .venv-bench/stamp ## time the compiled models beside ONNX Runtime
	@.venv-bench/bin/python -m benchmarks.inference

bench-train: .venv-bench/stamp ## time steps of training beside Keras on JAX, TensorFlow and PyTorch
	@.venv-bench/bin/python -m benchmarks.training

clean: ## remove what was built and installed here
	rm -rf .venv .venv-bench .cache build dist kerac.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache

.venv/bin/python .venv-bench/bin/python:
	@test -n "$(PYTHON)" || { echo "kerac needs Python >= 3.11, but none is on the PATH; try make PYTHON=/path/to/python"; exit 1; }
	@echo "creating $(firstword $(subst /, ,$@)) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(firstword $(subst /, ,$@)) || { rm -rf $(firstword $(subst /, ,$@)); exit 1; }

.venv/core.stamp: pyproject.toml | .venv/bin/python
	@echo "installing kerac and what it needs into .venv"
	@.venv/bin/$(PIP_INSTALL) -e '$(CORE)'
	@touch $@

.venv/test.stamp: pyproject.toml | .venv/bin/python
	@echo "installing kerac and what its tests need into .venv"
	@.venv/bin/$(PIP_INSTALL) -e '.[test]'
	@touch $@ .venv/core.stamp

.venv-bench/stamp: pyproject.toml | .venv-bench/bin/python
	@echo "installing kerac and its contestants into .venv-bench"
	@.venv-bench/bin/$(PIP_INSTALL) -e '.[bench]'
	@touch $@
