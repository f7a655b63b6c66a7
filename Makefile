# Two commands matter to a newcomer: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test setup lint unit clean

demo: setup            ## build and start the task management stack, print its addresses
	@scripts/demo

test: setup            ## lint, types, arrows, tests
	@scripts/test

setup: $(VENV)/.ready

$(VENV)/.ready: requirements-dev.lock pyproject.toml scripts/setup
	@PYTHON=$(PYTHON) scripts/setup
	@touch $@

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

unit: setup
	@$(BIN)/pytest -q -m "not root and not docker and not network and not slow" -n 2

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
