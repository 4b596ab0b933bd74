# Two commands do everything on a fresh machine: `make demo` and `make test`.
# PYTHON may name any interpreter from 3.11 on; all that is installed goes into VENV, all results into OUT.
PYTHON ?= python3
VENV ?= .venv
OUT ?= out/demo

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Extras stay in the locks: pip 23 takes `name[extra]` for unpinned where they say `name` alone and a newer release exists.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--no-strip-extras --generate-hashes --no-emit-index-url --no-header

# A font cache and the like belong to the checkout, not to the home directory, which may not be writable.
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench lock clean

help:
	@echo "make demo     install and run the default study; says where its report is"
	@echo "make test     run all tests, with coverage"
	@echo "make check    check formatting, lint, docstrings, types, import direction and notebooks"
	@echo "make format   format the code and apply safe lint fixes"
	@echo "make bench    run the benchmarks"
	@echo "make lock     resolve the dependencies anew and write requirements/*.txt"
	@echo "make clean    remove the environment, caches and results"

demo: $(VENV)/runtime.stamp
	$(BIN)/twin run -o $(OUT)
	@echo "The report is $(OUT)/report.html: open it in any browser. Its numbers are in $(OUT)/summary.json."

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -rs --cov --numprocesses auto --dist loadfile

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports --no-logo
	find notebooks -name '*.ipynb' -not -path '*/.*' -exec $(BIN)/nbstripout --verify {} +

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev.stamp
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; PYTHONPATH=. $(BIN)/python $$script; done

lock: $(VENV)/dev.stamp
	rm requirements/runtime.txt requirements/dev.txt requirements/build.txt
	$(COMPILE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	$(COMPILE) --group build -c requirements/dev.txt -o requirements/build.txt

clean:
	rm -rf $(VENV) .cache .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache out

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The project itself is installed in place: tests and demo run the checkout's code.
define install_project
	$(INSTALL) --require-hashes --only-binary :all: -r $(1)
	$(INSTALL) --require-hashes --only-binary :all: -r requirements/build.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
endef

$(VENV)/runtime.stamp: $(BIN)/python pyproject.toml requirements/runtime.txt requirements/build.txt
	$(call install_project,requirements/runtime.txt)
	touch $@

# Everything in runtime.txt is in dev.txt at the same version.
$(VENV)/dev.stamp: $(BIN)/python pyproject.toml requirements/dev.txt requirements/build.txt
	$(call install_project,requirements/dev.txt)
	touch $(VENV)/runtime.stamp $@
