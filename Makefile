# Everything runs in .venv, which the first target that needs it makes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Versions are those of constraints.txt, torch's among them: on Linux pip's own choice of torch comes
# with CUDA, unless PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS shows it a build without.
INSTALL := $(BIN)/python -m pip install --quiet --constraint=constraints.txt
# Many tests ask XLA for the same compilation.
PYTEST := JAX_COMPILATION_CACHE_DIR=$(VENV)/xla $(BIN)/pytest

.PHONY: help test slow demo benchmarks site wheel clean

help:
	@echo "make test        lint, types and tests, as the CI does"
	@echo "make slow        the tests that take too long for the CI"
	@echo "make demo        animate drawn heads with the model that comes with the project"
	@echo "make benchmarks  time a step of training and the animation at 256x256"
	@echo "make site        the documentation as a site in build/site, without dead links"
	@echo "make wheel       a wheel in dist, to install elsewhere"
	@echo "make clean       remove what these targets have made"

test: $(VENV)/for-development
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(PYTEST) -n 2 --dist=loadscope

slow: $(VENV)/for-development
	OPTIMISED_PROGRAMS=1 $(PYTEST) -m slow

demo: $(VENV)/for-use
	$(BIN)/python main.py --mode=demo

benchmarks: $(VENV)/for-use
	$(BIN)/python -m benchmarks.train_step --batch=2
	$(BIN)/python -m benchmarks.animate

site: $(VENV)/for-site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file=deploy/site/mkdocs.yml \
		--site-dir=$(CURDIR)/build/site

wheel: $(VENV)/python-found
	$(BIN)/python -m pip wheel --no-deps --wheel-dir=dist .

clean:
	rm -rf $(VENV) demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/python-found:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: $(PYTHON) is missing or older than 3.11; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/for-use: $(VENV)/python-found setup.cfg pyproject.toml constraints.txt
	$(INSTALL) --editable '.[train,vgg16]'
	@touch $@

$(VENV)/for-development: $(VENV)/python-found setup.cfg pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dev,train,vgg16,torch,gcs,hub,evaluation,c2pa,app,export]'
	@touch $@ $(VENV)/for-use

$(VENV)/for-site: $(VENV)/python-found setup.cfg pyproject.toml constraints.txt
	$(INSTALL) --editable '.[docs]'
	@touch $@
