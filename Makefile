# `make demo` and `make test` set everything up first; nothing else is needed but Python 3.11 and a package index.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check bench bench-train bench-recipes clean lock setup wheel fuzz

setup: $(READY)

# Compiled here because an editable install is not: where Python may not write bytecode, every start would compile anew.
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed; set PYTHON=... to a Python 3.11 or later"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps -e .
	$(BIN)/python -m compileall -q src
	touch $@

demo: $(READY)
	$(BIN)/shapeproof derive four-stage --input N,1,28,28
	$(BIN)/shapeproof train four-stage --recipe reference --output runs/demo --overwrite
	$(BIN)/shapeproof evaluate runs/demo

# Threads are left to the tests' own processes: two workers with two threads each would wait for one another.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

check: $(READY)
	$(BIN)/ruff format --check src tests
	$(BIN)/ruff check src tests
	$(BIN)/mypy

# 100,000 random calls against PyTorch; `FUZZ="--seed 7 --only conv2d"` repeats one.
fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz.py $(FUZZ)

bench: $(READY)
	$(BIN)/python benchmarks/bench_derive.py

# Trains the document's script and ours side by side on real MNIST: 10 to 20 minutes on two cores.
bench-train: $(READY)
	$(BIN)/python benchmarks/bench_train.py

# Every recipe with five seeds, for the table of docs/recipes.md: about 45 minutes on two cores; goes on where it was.
bench-recipes: $(READY)
	$(BIN)/python benchmarks/bench_recipes.py all --output runs/recipes

# Puts the built wheel in the place of the source tree; `make setup` after a change of pyproject.toml puts that back.
wheel: $(READY)
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist . >/dev/null
	$(PIP) install --no-deps --force-reinstall dist/*.whl

lock: $(READY)
	scripts/lock.sh

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache
