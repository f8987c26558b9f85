# `make help` lists what there is. Each target sets up what it needs.
# Without make: python tools/setup.py, then the commands below.

PYTHON ?=
LESSON ?=
VENV = .venv/bin/python
ifeq ($(OS),Windows_NT)
VENV = .venv/Scripts/python
endif
unexport PYTHONSAFEPATH # Python would not find tools/
# two files at a time, a core each: a machine of two cores is never idle
PYTEST = OPENBLAS_NUM_THREADS=1 $(VENV) -m pytest -n 2 --dist loadfile
FITS = import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

.PHONY: help setup run site refresh lab check test bench judge course slides \
  pdf questions sync lock

help:      ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

# the first Python that fits; if there is none, python3 says what it lacks
setup:     ## make .venv with all that is needed, once
	@p="$(PYTHON)"; \
	for q in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  [ -n "$$p" ] && break; "$$q" -c '$(FITS)' 2>/dev/null && p=$$q; \
	done; \
	"$${p:-python3}" tools/setup.py

run: setup ## execute the lessons, build the site in build/site; one: LESSON=05
	@$(VENV) -m tools.run $(LESSON)

site: setup ## build the site of the stored outputs, without running anything
	@$(VENV) -m tools.site

refresh: setup ## the same, and store all that depends on the outputs
	@$(VENV) -m tools.sync
	@$(VENV) -m tools.weights $(LESSON)
	@$(VENV) -m tools.seeds $(LESSON)
	@$(VENV) -m tools.run --refresh $(LESSON)
	@$(VENV) -m tools.play
	@$(VENV) -m tools.sync
	@$(VENV) -m tools.exercises

lab: setup ## open JupyterLab in notebooks/
	@$(VENV) -m jupyterlab --LabApp.default_url=/lab/tree/notebooks

check: setup ## what takes a minute of it: ruff, types, rules, fast tests
	@$(VENV) -m ruff check
	@$(VENV) -m ruff format --check
	@$(VENV) -m mypy
	@$(VENV) -m tools.sync --check
	@$(VENV) -m tools.exercises --check
	@$(PYTEST) tests -q -m "not slow"

test: setup ## all: ruff, types, tests, and each stored number of the lessons
	@$(PYTEST) --durations=15

bench: setup ## time our code against what a reader would use instead
	@for f in benchmarks/*.py; do \
	  $(VENV) -m benchmarks.$$(basename $$f .py) || exit 1; done

judge: setup ## train the judge of the scores anew; each score changes with it
	@$(VENV) -m tools.make_judge

slides: setup ## make slides of each lesson in build/slides
	@$(VENV) -m tools.slides

pdf: setup ## print all of the site as one PDF, in build
	@$(VENV) -m tools.pdf

course: setup ## make an nbgrader course in build/course
	@$(VENV) -m tools.exercises --course

questions: setup ## make quizzes of Check yourself in build/questions
	@$(VENV) -m tools.questions

sync: setup ## write badges, navigation, tables, student versions anew
	@$(VENV) -m tools.sync
	@$(VENV) -m tools.exercises

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
