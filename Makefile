# On a fresh machine with Python and pip, `make demo` and `make test` need no preparation.
PYTHON ?= python3
BIN    := .venv/bin
OUT    ?= demo
RAW_DIR ?=

.PHONY: install demo test test-oldest strangers lint audit format clean

install: .venv/installed

# pip would compile all files of all packages, which takes longer than the rest. Instead, Python compiles the files that
# it imports and keeps the result, unless this variable is set
unexport PYTHONDONTWRITEBYTECODE

# installs again only if the requirements have changed
.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: install
	$(BIN)/dialogue-cube demo --out "$(OUT)" $(if $(RAW_DIR),--raw-dir "$(RAW_DIR)")

# three processes with one thread each, even on two processors, since some tests wait; the tests of a file run in one
# process, since they share fixtures
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

# runs the tests with the oldest versions that pyproject.toml allows, in a separate environment
test-oldest: install
	$(PYTHON) -m venv .venv/oldest
	$(BIN)/python tests/docs/oldest.py > .venv/oldest/constraints.txt
	.venv/oldest/bin/python -m pip install --quiet --no-compile --constraint .venv/oldest/constraints.txt --editable ".[dev]"
	OMP_NUM_THREADS=1 .venv/oldest/bin/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

# runs the tests of other people's environments with real installations: one without this package, one with its wheel
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

# compares the versions of constraints.txt with the published vulnerabilities; needs the network of pypi.org: a mirror of
# the packages alone does not know them, which --strict makes an error
audit:
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --quiet pip-audit
	.venv/audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build *.egg-info demo
