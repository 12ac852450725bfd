# The few verbs a newcomer needs. Everything else is `.venv/bin/switchboard --help`.
.DEFAULT_GOAL := help
.PHONY: help run chat test test-fast test-long setup setup-tests check train lint lock clean

PYTHON ?= python3
BIN := .venv/bin

help:            ## this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/ ·/' | column -t -s '·'

run: setup       ## set everything up and start the desk
	@exec $(BIN)/switchboard run

chat: setup      ## talk to the desk in this terminal
	@exec $(BIN)/switchboard chat

test: setup-tests ## set everything up and pass all tests
	@$(BIN)/python -m pytest -n 3

test-fast: setup-tests ## only the tests of single parts and of the store
	@$(BIN)/python -m pytest -n 2 tests/unit tests/integration/test_store.py tests/integration/test_store_changes.py

test-long: setup-tests ## only the tests that repeat at length what a shorter one proves
	@$(BIN)/python -m pytest -n 2 -m long

setup:           ## only set up
	@$(PYTHON) scripts/setup.py

setup-tests:     ## set up with what tests and linters need
	@$(PYTHON) scripts/setup.py --tests

check: setup     ## look for mistakes in the content and the configuration
	@$(BIN)/switchboard check

train: setup     ## train the intent model now
	@$(BIN)/switchboard train

lint: setup-tests ## format, lint, types and the dependency rule
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

lock: setup-tests ## pin the newest allowed versions anew
	@scripts/lock

clean:           ## remove what set-up made; var/ (data and models) stays
	rm -rf .venv .tools node_modules intents/server/.venv
