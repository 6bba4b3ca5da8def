# Two commands on a fresh machine: `make demo` and `make test`. Only Python and pip need to be there.
PYTHON ?= python3
BIN    := .venv/bin
OUT    ?= demo
RAW_DIR ?=

.PHONY: install demo test test-oldest strangers lint format clean

install: .venv/installed

# pip would compile all files of all packages, which takes longer than everything else. Python compiles those that are
# imported and keeps the result, unless it is told not to
unexport PYTHONDONTWRITEBYTECODE

# installed again only when what is to be installed has changed
.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: install
	$(BIN)/dialogue-cube demo --out "$(OUT)" $(if $(RAW_DIR),--raw-dir "$(RAW_DIR)")

# three files at a time, one thread each: on two processors, too, as some tests wait; a file's tests stay together, as they
# share what they built
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

# the tests at the oldest versions that pyproject.toml allows, in an environment of their own
test-oldest: install
	$(PYTHON) -m venv .venv/oldest
	$(BIN)/python tests/docs/oldest.py > .venv/oldest/constraints.txt
	.venv/oldest/bin/python -m pip install --quiet --no-compile --constraint .venv/oldest/constraints.txt --editable ".[dev]"
	OMP_NUM_THREADS=1 .venv/oldest/bin/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

# what a stranger meets, with true installs: one environment without this package, one with its wheel
strangers: install
	$(PYTHON) -m venv --clear .venv/strangers/stranger
	$(PYTHON) -m venv --clear .venv/strangers/installed
	.venv/strangers/stranger/bin/python -m pip install --quiet --no-compile --constraint constraints.txt \
		datasets transformers torch sentence-transformers duckdb pandas
	rm -rf build
	.venv/strangers/installed/bin/python -m pip install --quiet --no-compile --constraint constraints.txt ".[embedder]"
	DIALOGUE_CUBE_VENVS=.venv/strangers OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/docs/test_strangers.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build *.egg-info demo
