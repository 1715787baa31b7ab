# `make demo` and `make test` need only make and Python 3.11 to 3.13; they install everything else into .venv.
.DEFAULT_GOAL := help
.PHONY: help setup plan-tools demo test check test-all test-real docs bench wheels requirements clean

# The first Python on the PATH that runs and has a supported version.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# One process per core. The tests of a file stay together, since they share fixtures; tests/conftest.py orders the files.
PARALLEL := --numprocesses auto --dist loadfile --no-loadscope-reorder

help:  ## Show what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 24

# The accelerator and the extras that .venv was installed for. They are the defaults until ACCELERATOR or EXTRAS is given.
INSTALLED := $(shell cat .venv/.installed 2>/dev/null)
# Which JAX to install; `make setup ACCELERATOR=cuda12` overrides the detected accelerator.
ifndef ACCELERATOR
ACCELERATOR := $(or $(word 1,$(INSTALLED)),$(shell test -z "$(PYTHON)" || $(PYTHON) podium/core/accelerator.py))
endif
ACCELERATORS := cuda12 cuda13 tpu
# EXTRAS=postgres,samplers also installs these optional dependencies of pyproject.toml.
ifndef EXTRAS
EXTRAS := $(word 2,$(INSTALLED))
endif
PINNED := requirements.txt $(if $(filter-out cpu,$(ACCELERATOR)),requirements-$(ACCELERATOR).txt)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet

# With this stamp file, a second run installs nothing. The JAX plugins of other accelerators are removed first, because
# builds for two accelerators in one environment hide each other's devices.
.venv/.installed: $(PINNED) pyproject.toml $(if $(filter-out $(INSTALLED),$(ACCELERATOR) $(EXTRAS)),FORCE)
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 on the PATH; install one or set PYTHON=" >&2; exit 2; }
	@echo "Installing into .venv for $(ACCELERATOR) (about a minute, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@rm -f $@
	@$(PIP) --quiet uninstall --yes $(patsubst %,-r requirements-%.txt,$(filter-out $(ACCELERATOR),$(ACCELERATORS)))
	@$(PIP) install --require-hashes --no-deps $(addprefix -r ,$(PINNED))
	@$(PIP) install --no-build-isolation --editable '.$(if $(EXTRAS),[$(EXTRAS)])' $(if $(EXTRAS),,--no-deps)
	@echo $(ACCELERATOR) $(EXTRAS) > $@

.PHONY: FORCE
FORCE:

requirements-%.txt:
	@echo "error: ACCELERATOR=$*, must be cpu, cuda12, cuda13 or tpu" >&2; exit 2

setup: .venv/.installed  ## Create .venv with the pinned requirements and the JAX for this machine (ACCELERATOR=, EXTRAS=)

# In a folder of its own, because JAX starts what it finds beside itself: trainer/plan/tools.py puts it on the path of
# the processes that compile, and of no other.
.venv/plan/.installed: requirements-plan.txt .venv/.installed
	@echo "Installing the compilers for TPUs and GPUs into .venv/plan (1.4 GB, once) ..."
	@rm -rf .venv/plan
	@$(PIP) install --require-hashes --no-deps --target .venv/plan -r requirements-plan.txt
	@touch $@

plan-tools: .venv/plan/.installed  ## Install what `podium plan` needs to compile for TPUs and GPUs

demo: setup  ## Build, sweep, promote, submit and package a tiny model, end to end (under 4 minutes on 2 cores)
	@$(BIN)/podium demo

test: check  ## Run `make check` and the default tests (6 to 12 minutes on 2 cores)
	@$(BIN)/python -m pytest $(PARALLEL) -m "not slow and not realdata"

check: setup  ## Run ruff, mypy and import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# An empty XLA_FLAGS replaces the flags of tests/conftest.py, so that programs are compiled as they are for a user.
test-all: check plan-tools  ## Run all tests, slow ones included, except those that need real data
	@XLA_FLAGS= $(BIN)/python -m pytest $(PARALLEL) -m "not realdata and not alone"
	@XLA_FLAGS= $(BIN)/python -m pytest -m alone

test-real: setup  ## Run the tests on real data; PODIUM_REALDATA names its folder
	@test -d "$(PODIUM_REALDATA)" || { echo "error: PODIUM_REALDATA='$(PODIUM_REALDATA)' is not a folder; name the one that holds gsm8k/ and stories15m/" >&2; exit 2; }
	@XLA_FLAGS= $(BIN)/python -m pytest -m realdata

docs: setup  ## Build the documents into site/, and fail on a broken link
	@$(BIN)/zensical build --clean --strict
	@echo "open site/index.html, or serve it: $(BIN)/zensical serve"

bench: setup  ## Run the quick benchmarks; `python -m benchmarks.NAME [--json]` runs a single one
	@$(BIN)/python -m benchmarks.cli_start
	@$(BIN)/python -m benchmarks.compiles
	@$(BIN)/python -m benchmarks.sandbox

# What a machine with JAX, flax, optax, orbax-checkpoint, transformers and safetensors lacks; pinned with hashes.
WHEELS := annotated-types|pydantic|pydantic-core|pyyaml|typing-extensions|typing-inspection

wheels: setup  ## Fill wheels/ with what `python -m benchmarks.accelerator` needs on a bare x86-64 Linux machine
	@mkdir -p wheels
	@sed -nE '/^($(WHEELS))==/,/[^\\]$$/p' requirements.txt > wheels/requirements.txt
	@for version in 3.11 3.12 3.13; do $(PIP) download --require-hashes --no-deps --only-binary=:all: --dest wheels \
		--implementation cp --python-version $$version --platform manylinux2014_x86_64 -r wheels/requirements.txt || exit; done
	@echo "Copy the clone with wheels/ to the machine; there: python -m pip install --no-index --find-links wheels pydantic pyyaml"

requirements:  ## Recompile the pinned requirements files, with hashes, for all supported Pythons (needs uv)
	$(COMPILE) --upgrade --extra dev --output-file requirements.txt
	@for name in $(ACCELERATORS) plan; do \
		rm -f requirements-$$name.txt; \
		$(COMPILE) --extra dev --extra $$name --constraint requirements.txt --output-file requirements-$$name.txt \
			$$(sed -nE 's/^([A-Za-z0-9_.-]+)==.*/--no-emit-package \1/p' requirements.txt | sort -u); done

clean:  ## Remove .venv and caches, but not the workspace or submission runs
	rm -rf .venv site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
