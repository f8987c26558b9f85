# `make help` lists what there is. Each target sets up what it needs.
# Without make: python tools/setup.py, then the commands below.

PYTHON ?=
LESSON ?=
VENV = .venv/bin/python
ifeq ($(OS),Windows_NT)
VENV = .venv/Scripts/python
endif

.PHONY: help setup run refresh lab test bench judge course sync lock

help:      ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

setup:     ## make .venv with all that is needed, once
	@if [ -n "$(PYTHON)" ]; then exec "$(PYTHON)" tools/setup.py; fi; \
	for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if "$$p" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then exec "$$p" tools/setup.py; fi; \
	done; \
	for p in python3 python; do \
	  if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null; \
	  then exec "$$p" tools/setup.py; fi; \
	done; \
	echo "No Python 3.11 or newer found. Install one, or name it: make run PYTHON=/path/to/python3" >&2; \
	exit 1

run: setup ## execute the lessons, make pages in build/lessons; one: LESSON=05
	@$(VENV) tools/run.py $(LESSON)

refresh: setup ## the same, and store the outputs in notebooks/
	@$(VENV) tools/sync.py
	@$(VENV) tools/seeds.py
	@$(VENV) tools/run.py --refresh $(LESSON)
	@$(VENV) tools/sync.py

lab: setup ## open JupyterLab in notebooks/
	@$(VENV) -m jupyterlab --LabApp.default_url=/lab/tree/notebooks

test: setup ## ruff, the tests, and each stored number of the lessons
	@$(VENV) -m pytest

bench: setup ## time our code against what a reader would use instead
	@for f in benchmarks/*.py; do $(VENV) $$f || exit 1; done

judge: setup ## train the judge of the scores anew; each score changes with it
	@$(VENV) tools/make_judge.py

course: setup ## make an nbgrader course in build/course
	@$(VENV) tools/exercises.py --course

sync: setup ## write badges, navigation, tables, student versions anew
	@$(VENV) tools/sync.py
	@$(VENV) tools/exercises.py

lock: setup ## pin the newest versions in requirements.txt
	@$(VENV) -m pip install --quiet uv
	@$(VENV) -m uv pip compile --quiet --universal --fork-strategy fewest \
	  --all-extras --python-version 3.11 --upgrade --no-emit-index-url \
	  --no-annotate \
	  --custom-compile-command "make lock" -o requirements.txt pyproject.toml
	@$(VENV) -m uv pip compile --quiet --extra scale --extra test \
	  --group backends --torch-backend cpu --prerelease disallow \
	  --python-version 3.11 --python-platform linux --upgrade \
	  --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" -o requirements-backends.txt pyproject.toml
