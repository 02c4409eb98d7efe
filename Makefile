# Needs Python 3.11 or newer, and nothing else: all the rest goes into .venv.

PORT ?= 8000
WORKERS ?= 1
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

# What was compiled is kept, whatever the environment says: `make test` starts hundreds of processes, `make run` a dozen.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run test browser lint format faults bench lock clean

help:  ## what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: .venv/.installed  ## make .venv and install what the lock names (run and test do it first)

# The stamp holds the lock's checksum: a lock that is merely newer installs nothing. pip only installs
# uv, the lock's own, and uv the rest; all of it is checked against the lock's hashes.
.venv/.installed: requirements-dev.lock
	@set -e; \
	sum="$$(cksum requirements-dev.lock)"; \
	if [ "$$(cat $@ 2>/dev/null)" = "$$sum" ]; then touch $@; exit 0; fi; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'; \
	if ! [ -x $(BIN)/uv ]; then \
		echo "installing into .venv"; \
		$(PYTHON) -m venv --clear .venv; \
		awk '/^[^ ]/ {is_uv = /^uv==/} is_uv' requirements-dev.lock > .venv/uv.lock; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock; \
	fi; \
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock; \
	echo "$$sum" > $@

run: install  ## run all of it at http://localhost:8000 (PORT=8001 to change; Ctrl-C to stop)
	@exec $(BIN)/python manage.py up --port $(PORT) --workers $(WORKERS)

test: install  ## the whole suite, in parallel, on a PostgreSQL and a Redis of its own
	$(BIN)/python -m pytest --ignore tests/browser -n auto --dist worksteal

browser: install  ## the pages in a real browser (needs Chromium)
	$(BIN)/python -m pytest tests/browser -n 2 --dist worksteal

lint: install  ## ruff, djade, import-linter, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	git ls-files '*.html' | xargs -r $(BIN)/djade --check --target-version 5.2
	$(BIN)/lint-imports
	DEBUG=1 DATABASE_URL=postgres:///none REDIS_URL=redis://none $(BIN)/mypy

format: install  ## put code and templates in order
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .
	git ls-files '*.html' | xargs -r $(BIN)/djade --target-version 5.2

ALSO_KILLED := tests/wire/test_background.py tests/billing/invoicing tests/ingest/test_import_usage.py

faults: install  ## the tests of faults and races in full: kills by the dozen, outages of a minute (half an hour and more)
	TOLLGATE_FAULTS=long $(BIN)/python -m pytest tests/faults tests/races $(ALSO_KILLED) -p no:randomly --timeout 1800

bench: install  ## the proxy's cost beside nginx, on this machine
	$(BIN)/python -m tests.benchmarks

lock: install  ## write the locks anew from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml -o requirements.lock $(LOCK_OPTIONS)
	$(BIN)/uv pip compile pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock $(LOCK_OPTIONS)

LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-header

clean:  ## forget .venv and the data of `make run`
	rm -rf .venv .tollgate
