# Two commands do it all: `make demo` and `make test`. Everything lives in .venv; nothing outside this folder is touched.
PYTHON ?= python3
# The CPU build used for development. `make demo TORCH=torch==2.10.0` takes another.
TORCH ?= torch==2.13.0
BIN = .venv/bin
# Its metadata asks for a sound card library that we do not need, hence --no-deps.
NO_DEPS = tinysoundfont==0.3.7

.PHONY: demo test setup check fmt lint types layers slow test-gpu bench site browser clean

demo: .venv/installed
	$(BIN)/affetto soundtrack samples/lantern_boat.mp4 --out demo_output/film --seed 7
	$(BIN)/affetto talk samples/mona_lisa.jpg samples/mona_lisa_speaks.flac --emotion happy --out demo_output/portrait --seed 7

test: .venv/developer
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

setup: .venv/developer

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/torch: .venv/bin/python
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24"
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip freeze | grep '^torch==' | sed 's/+.*//' > .venv/constraints.txt
	touch $@

.venv/installed: .venv/torch pyproject.toml setup.py
	$(BIN)/python -m pip install --quiet --constraint .venv/constraints.txt --editable ".[score,studio]"
	$(BIN)/python -m pip install --quiet --no-deps $(NO_DEPS)
	touch $@

.venv/developer: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint .venv/constraints.txt --editable ".[dev]"
	touch $@

check: lint types layers

fmt: .venv/developer
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: .venv/developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/developer
	$(BIN)/mypy

layers: .venv/developer
	$(BIN)/lint-imports

slow: .venv/developer
	$(BIN)/python -m pytest -m slow

test-gpu: .venv/developer
	$(BIN)/python -m pytest -m gpu

bench: .venv/developer
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

site: .venv/developer
	$(BIN)/python -m pip install --quiet --constraint .venv/constraints.txt --editable ".[docs]"
	$(BIN)/mkdocs build --strict --site-dir build/site

browser: .venv/developer
	$(BIN)/python -m pip install --quiet --constraint .venv/constraints.txt --editable ".[browser]"
	$(BIN)/python -m pytest tests/browser -m browser

clean:
	rm -rf .venv build dist demo_output *.egg-info
