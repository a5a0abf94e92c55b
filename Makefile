# Needs git and make, nothing else: `make` first installs what is missing (setup.sh). No make? apt-get install make

BIN := .venv/bin
# Where it is set, each of the hundred processes of a test run would translate all libraries anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup setup-test demo test test-slow check format bench accuracy agreement screenshots
.DEFAULT_GOAL := help

help:            ## this list
	@sed -n 's/^\([a-z-]*\): *[a-z-]* *## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup:           ## install what is needed to run
	@./setup.sh

setup-test:      ## install what is needed to run and to test
	@./setup.sh test

demo: setup      ## open the embedded case (without a display: a picture of the window and a summary)
	@$(BIN)/reviewer demo

test: setup-test ## all tests but the slow ones, the real window on a virtual screen included
	@$(BIN)/pytest -m "not slow" -n 2 --dist loadfile

test-slow: setup-test ## the slow ones
	@$(BIN)/pytest -m slow

check: setup     ## style, types, and who may import whom
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: setup    ## put the code into the one style
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: setup-test ## speed, against peers in the same run
	@$(BIN)/pytest benchmarks --benchmark-only

accuracy: setup  ## docs/accuracy.md: errors against closed form, beside peers
	@PYTHONPATH=tests $(BIN)/python benchmarks/accuracy
	@PYTHONPATH=tests $(BIN)/python benchmarks/accuracy/metrics.py
	@PYTHONPATH=tests $(BIN)/python benchmarks/accuracy/shapes.py
	@PYTHONPATH=tests $(BIN)/python benchmarks/accuracy/walls.py

agreement: setup ## docs/dose-check.md: the pencil beam beside Monte Carlo (reviewer backends --install monte-carlo; half an hour)
	@$(BIN)/python benchmarks/accuracy/agreement.py

screenshots: setup ## docs/screenshots/*.png
	@for size in 1280x800 1920x1080; do $(BIN)/reviewer screenshot --demo --size $$size -o docs/screenshots/review-$$size.png || exit; done
	@$(BIN)/reviewer screenshot --demo --view gating -o docs/screenshots/gating-1280x800.png
