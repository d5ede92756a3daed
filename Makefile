# The whole contributor guide on one screen: `make demo` and `make test` set everything up by themselves.
PYTHON ?= python3
BIN := .venv/bin

DEMO ?= /tmp/hubbub-train-demo

.PHONY: demo train-demo test check bench docs clean

demo: .venv/base ## the page, answering, on an invented town's flood night
	$(BIN)/hubbub demo

train-demo: .venv/train ## the whole loop on an invented forum: posts, corpus, model, GGUF, an answer; some ten minutes
	rm -rf $(DEMO) && mkdir -p $(DEMO)
	$(BIN)/python -m hubbub.sample.forum --posts 40000 > $(DEMO)/forum.ndjson
	$(BIN)/hubbub follow $(DEMO)/forum.ndjson --data $(DEMO)/house
	$(BIN)/hubbub corpus build $(DEMO)/house $(DEMO)/corpus --vocab 2048 --held-out-days 7
	$(BIN)/hubbub corpus stats $(DEMO)/corpus
	$(BIN)/hubbub train $(DEMO)/corpus $(DEMO)/run --params 3M --tokens 300k --batch-tokens 2048 --wired --archive $(DEMO)/house
	$(BIN)/hubbub train evaluate $(DEMO)/run $(DEMO)/corpus --limit 1000
	$(BIN)/hubbub train lessons $(DEMO)/house $(DEMO)/corpus $(DEMO)/lessons --limit 400 --drills 3000
	$(BIN)/hubbub train lessons $(DEMO)/house $(DEMO)/corpus $(DEMO)/held-out --held-out --limit 150
	$(BIN)/hubbub train sft $(DEMO)/run $(DEMO)/lessons $(DEMO)/answerer --epochs 1 --batch-tokens 2048 --rate 1e-3
	$(BIN)/hubbub train evaluate $(DEMO)/answerer $(DEMO)/corpus --limit 200 --lessons $(DEMO)/held-out
	$(BIN)/hubbub model export $(DEMO)/answerer $(DEMO)/answerer.gguf --kind F32
	$(BIN)/hubbub model card $(DEMO)/answerer
	$(BIN)/hubbub ask "What is happening at the Weaver Bridge?" --data $(DEMO)/house --model $(DEMO)/answerer.gguf --at 2026-04-05
	$(BIN)/hubbub ask "What is new at Saint Orlo School?" --data $(DEMO)/house --model $(DEMO)/answerer.gguf --at 2026-04-05
	$(BIN)/hubbub ask "When does the opera in Vienna begin?" --data $(DEMO)/house --model $(DEMO)/answerer.gguf --at 2026-04-05
	$(BIN)/hubbub model check $(DEMO)/answerer $(DEMO)/answerer.gguf
	@echo "loss curve: $(DEMO)/run/loss.html  corpus: $(DEMO)/corpus/report.html"

test: .venv/dev check ## everything CI runs
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

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

.venv/train: .venv/base constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,local-llm,hf]' --constraint constraints.txt
	touch $@

.venv/dev: .venv/base constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[train,local-llm]' --group dev --constraint constraints.txt
	$(BIN)/python -m compileall -qq -j 0 -x '/tests/|/transformers/models/(?!auto|llama)' .venv/lib || true # templates are no Python
	touch $@

clean:
	rm -rf .venv
