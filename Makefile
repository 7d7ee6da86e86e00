# Everything runs in .venv, made from the lock files with the first of these Pythons that is found: those that every
# package has a release for. PYTHON=python3.12 chooses another of them.
VERSIONS := 3.11 3.12 3.13
TFIO_VERSIONS := 3.11 3.12
BIN := .venv/bin
TFIO_BIN := .venv-tfio/bin
CODE := schemas pipeline training tests benchmarks docs setup.py

# Where this is set, as in many images, each command of a test compiles all of TensorFlow anew, which takes ten seconds.
unexport PYTHONDONTWRITEBYTECODE

# Number of test processes; each takes a core and up to 4 GB.
WORKERS ?= $(shell nproc | awk '{print ($$1 < 4) ? $$1 : 4}')
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: venv venv-tfio renderer demo tag song test coverage quick test-tfio test-engines lint format schemas lock bench clean

venv: .venv/.locked

.venv/.locked: locks/dev.txt pyproject.toml
	@locks/make_venv.sh "$(PYTHON)" .venv locks/dev.txt $(VERSIONS)
	@locks/build_renderer.sh .venv optional

venv-tfio: .venv-tfio/.locked

.venv-tfio/.locked: locks/tfio.txt pyproject.toml
	@locks/make_venv.sh "$(PYTHON)" .venv-tfio locks/tfio.txt $(TFIO_VERSIONS)

# What renders the demonstration corpus: in the lock up to Python 3.12, built here for newer ones.
renderer: venv
	@locks/build_renderer.sh .venv

demo: renderer
	@$(BIN)/python -m pipeline.demo --out demo

# Published weights on your own song: make tag FILE=song.mp3, or with WEIGHTS=MSD_musicnn, MTT_vgg or MSD_vgg. They are
# downloaded and converted once; both are kept in published/.
WEIGHTS ?= MTT_musicnn
WHEEL := published/musicnn-0.1.0-py3-none-any.whl

tag: song venv published/$(WEIGHTS)/saved_model.pb
	@$(BIN)/python training/run.py tag --model published/$(WEIGHTS) "$$FILE"

# Looked for before anything is downloaded.
song:
	@case "$$FILE" in *://*) ;; *) test -e "$$FILE" || { \
		echo "error: FILE: expected an audio file, received '$$FILE', which is missing; name one: make tag FILE=song.mp3" >&2; \
		exit 2; } ;; esac

published/%/saved_model.pb: $(WHEEL) | venv
	@$(BIN)/python training/run.py import-weights musicnn --model $* --from $(WHEEL) --out published/$*

$(WHEEL): locks/published.txt | venv
	@echo "downloading the published weights, 29 MB, into published"
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -r $< -d published
	@touch $@

test: renderer
	$(PYTEST) -m "not tfio and not engines" --durations=15

# Branches that the tests take, those of the commands that they start too. Tracing takes half as long again.
coverage: renderer
	$(PYTEST) -m "not tfio and not engines" --cov --cov-report=term:skip-covered --cov-fail-under=90

# An answer within two minutes: the linter and the quick tests that run no Beam job and train nothing.
QUICK := tests/schemas tests/test_*.py $(patsubst %,tests/pipeline/%,audio importers info labels removal)
quick: venv
	$(BIN)/ruff check $(CODE)
	$(PYTEST) -m "not slow and not tfio and not engines" -q $(QUICK) --ignore=tests/pipeline/audio/fidelity

test-tfio: venv-tfio
	$(TFIO_BIN)/python -m pytest -m tfio tests/tfio --durations=5

# Real clusters, from Maven, each in processes of its own.
test-engines: venv
	$(BIN)/python -m pytest -m engines tests/engines --durations=5

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

# Needs uv; the lock files hold for Python 3.11 and newer on Linux.
RESOLVE := uv pip compile --quiet --universal --generate-hashes --no-header --overrides locks/overrides.txt
LOCK := $(RESOLVE) --python-version 3.11 pyproject.toml locks/build.in
lock:
	$(LOCK) locks/corpus.in --extra gcp --extra train-cpu --extra corpus --extra dev \
		--extra compare --extra export --extra search --extra listen -o locks/dev.txt
	$(LOCK) --extra tfio --extra test -o locks/tfio.txt
	$(LOCK) --extra gcp -o locks/worker.txt
	$(LOCK) --extra gcp --extra train-cpu -o locks/tagger.txt
	$(LOCK) --extra gcp --extra onnx -o locks/tagger_onnx.txt
	$(LOCK) --extra train --extra compare -o locks/train.txt
	$(RESOLVE) --python-version 3.13 locks/renderer.in -o locks/renderer.txt
	$(RESOLVE) --python-version 3.13 locks/renderer_build.in -o locks/renderer_build.txt

clean:
	rm -rf .venv .venv-tfio .bootstrap demo published
