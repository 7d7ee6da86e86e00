# Everything runs in .venv, which is created from the lock files. PYTHON=python3.12 selects another interpreter.
PYTHON ?= $(shell for python in python3.11 python3.12 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
TFIO_BIN := .venv-tfio/bin
CODE := schemas pipeline training tests benchmarks docs setup.py

# Number of test processes; each takes a core and up to 4 GB.
WORKERS ?= $(shell nproc | awk '{print ($$1 < 4) ? $$1 : 4}')
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: venv venv-tfio demo test quick test-tfio lint format schemas lock bench clean

venv: .venv/.locked

.venv/.locked: locks/dev.txt pyproject.toml
	@locks/make_venv.sh "$(PYTHON)" .venv locks/dev.txt

venv-tfio: .venv-tfio/.locked

.venv-tfio/.locked: locks/tfio.txt pyproject.toml
	@locks/make_venv.sh "$(PYTHON)" .venv-tfio locks/tfio.txt

demo: venv
	@$(BIN)/python -m pipeline.demo --out demo

test: venv
	$(PYTEST) -m "not tfio" --durations=15 --cov --cov-report=term:skip-covered --cov-fail-under=90

# Linters and quick tests, without training; the result comes within two minutes.
quick: lint
	$(PYTEST) -m "not slow and not tfio" --ignore=tests/training -q

test-tfio: venv-tfio
	$(TFIO_BIN)/python -m pytest -m tfio tests/tfio --durations=5

lint: venv
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy

format: venv
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

# Updates the JSON Schemas of the files that docs/layout.md, docs/labels.md and docs/training.md describe.
schemas: venv
	$(BIN)/python docs/write_schemas.py

bench: venv
	$(BIN)/python -m benchmarks

# Needs uv; the lock files are for Python 3.11 and newer on Linux.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --overrides locks/overrides.txt pyproject.toml locks/build.in
lock:
	$(LOCK) locks/corpus.in --extra gcp --extra train-cpu --extra corpus --extra dev -o locks/dev.txt
	$(LOCK) --extra tfio --extra test -o locks/tfio.txt
	$(LOCK) --extra gcp -o locks/worker.txt
	$(LOCK) --extra train -o locks/train.txt

clean:
	rm -rf .venv .venv-tfio .bootstrap demo
