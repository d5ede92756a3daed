# The whole contributor guide on one screen: `make demo` and `make test` set everything up by themselves.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench docs clean

demo: .venv/base ## the page, answering, on an invented town's flood night
	$(BIN)/hubbub demo

test: .venv/dev check ## everything CI runs
	$(BIN)/pytest --numprocesses auto --dist loadfile

check: .venv/dev ## formatting, lint, import direction, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy --num-workers 2

bench: .venv/dev ## every claim in docs/benchmarks.md that needs no data of yours
	$(BIN)/python -m benchmarks

docs: .venv/dev ## write the true output into the console blocks of README and quickstart
	$(BIN)/python -m tests.test_docs

.venv/base: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/dev: .venv/base constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,local-llm]' --group dev --constraint constraints.txt
	touch $@

clean:
	rm -rf .venv
