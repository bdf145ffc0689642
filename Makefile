# One way to do each thing. Every target sets up what it needs by itself in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(shell command -v uv 2>/dev/null)

.PHONY: run test race check bench lock clean

run: $(STAMP)
	@exec $(BIN)/tenantry up

# All tests side by side, each file in one process that has a database of its own; what ARGS names, one by one.
# The order is that of the files, since the long ones are the acceptance tests.
test: $(STAMP)
	$(BIN)/python -m pytest $(or $(ARGS),-n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder)

# The race of the calendars with ten times as many attempts as among the other tests; it takes minutes.
race: $(STAMP)
	TENANTRY_RACE_ATTEMPTS=10000 $(BIN)/python -m pytest -s tests/acceptance/test_calendar_race.py

check: $(STAMP)
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports --no-logo

bench: $(STAMP)
	$(BIN)/python -m bench

lock:
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --custom-compile-command 'make lock' -q -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache

$(STAMP): requirements.lock pyproject.toml
ifeq ($(UV),)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
else
	test -x $(BIN)/python || $(UV) venv -q --python $(PYTHON) $(VENV)
	$(UV) pip sync -q --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
endif
	@touch $@
