# Every target makes its own environment from the locked, hashed requirements first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests of one file share compiled programs, so they run in one worker. The order is conftest's.
PYTEST := $(BIN)/python -m pytest --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint site bench studies clean lock install

help:
	@echo "make demo       features of real digits, learnt without labels, and a comparison table"
	@echo "make test       everything that CI runs: lint, import contract, types, all tests"
	@echo "make test-fast  tests without those marked slow"
	@echo "make lint       ruff, the import contract, pyright"
	@echo "make site       the documentation as a site (site/)"
	@echo "make bench      benchmarks of speed and memory in their quick form"
	@echo "make studies    every study in its quick form; nothing is written"
	@echo "make install    the environment alone ($(VENV))"
	@echo "make lock       resolve the requirements anew into requirements.lock"
	@echo "make clean      remove everything that these commands made"

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

demo: $(STAMP)
	$(BIN)/metaplastic demo

# Without a cache: where an import belongs can change while the file that holds it does not.
lint: $(STAMP)
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

test: lint
	$(PYTEST) -n 2

test-fast: $(STAMP)
	$(PYTEST) -n 2 -m "not slow"

site: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(STAMP)
	set -e; for name in fit inner_step meta_gradient performance reading_scale rows sizes scaling runtimes; do \
		echo "== $$name"; $(BIN)/python benchmarks/$$name.py --quick; done

studies: $(STAMP)
	$(BIN)/python studies --quick

lock: $(STAMP)
	$(BIN)/uv pip compile --quiet --upgrade --universal --fork-strategy fewest --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url \
		--all-extras --group dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist demo site
	find src tests benchmarks studies -name __pycache__ -type d -prune -exec rm -rf {} +
