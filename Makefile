# One way to do each thing. Every target sets up what it needs by itself in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(shell command -v uv 2>/dev/null)
NPM := $(shell command -v npm 2>/dev/null)
GO := $(shell command -v go 2>/dev/null)

WEB_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' 2>/dev/null)
NODE_MODULES := web/node_modules/.package-lock.json
PAGE := src/tenantry/channels/livekit_voice/page/call.html
# The version stands in tests/livekit_server.py too.
LIVEKIT_VERSION := v1.13.5
LIVEKIT := build/livekit/$(LIVEKIT_VERSION)/server

.PHONY: run test race check bench lock clean web livekit

run: $(STAMP) web
	@exec $(BIN)/tenantry up

# All tests side by side, each file in one process that has a database of its own, then those that need the machine to
# themselves; what ARGS names, one by one. The order is that of the files, since the long ones are the acceptance tests.
# Sound passes as time does, also while something else takes the processor: a test of sound that fails is run once more.
test: $(STAMP) web livekit
ifneq ($(NPM),)
	$(if $(ARGS),,cd web && $(NPM) test)
endif
	$(BIN)/python -m pytest $(or $(ARGS),-m 'not realtime' -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder)
	$(if $(ARGS),,$(BIN)/python -m pytest -m realtime || $(BIN)/python -m pytest -m realtime --last-failed --last-failed-no-failures none)

# The race of the calendars with ten times as many attempts as among the other tests; it takes minutes.
race: $(STAMP)
	TENANTRY_RACE_ATTEMPTS=10000 $(BIN)/python -m pytest -s tests/acceptance/test_calendar_race.py

check: $(STAMP) $(if $(NPM),$(NODE_MODULES))
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/basedpyright --level error
	$(BIN)/lint-imports --no-logo
ifneq ($(NPM),)
	cd web && $(NPM) run check
endif

bench: $(STAMP) livekit
	$(BIN)/python -m bench

lock:
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --custom-compile-command 'make lock' -q -o requirements.lock

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache web/node_modules build $(dir $(PAGE))

# The call page, into the package.
ifneq ($(NPM),)
web: $(PAGE)

$(PAGE): $(NODE_MODULES) $(WEB_SOURCES)
	cd web && $(NPM) run build

$(NODE_MODULES): web/package.json web/package-lock.json
	cd web && $(NPM) ci
	@touch $@
else ifeq ($(CI),true)
web:
	@echo 'npm is not installed, and CI tests the call page: install Node.js 20.19 or later'; exit 1
else
web:
	@echo 'npm is not installed: the call page is not built. Install Node.js 20.19 or later, then `make web`.'
endif

# The LiveKit server that tests of calls talk to.
ifneq ($(GO),)
livekit: $(LIVEKIT)

$(LIVEKIT):
	GOBIN=$(abspath $(dir $@)) $(GO) install github.com/livekit/livekit-server/cmd/server@$(LIVEKIT_VERSION)
else ifeq ($(CI),true)
livekit:
	@echo 'Go is not installed, and CI tests calls on a real LiveKit server: install Go 1.26 or later'; exit 1
else
livekit:
	@echo 'Go is not installed: tests of calls through LiveKit are skipped.'
endif

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
