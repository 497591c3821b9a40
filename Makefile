# Every target sets up an isolated environment first: once, and again only when pyproject.toml changes.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
VJEPA  := $(BIN)/python -m vjepa
OUT    ?= runs/demo
STUDY  ?= runs/glyphs-study
SEEDS  ?= 0,1,2
JOBS   ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
VARIANTS ?= baseline,fwm_hw_ld
LOGDIR ?= runs

.DEFAULT_GOAL := help
.PHONY: help setup demo study report docs bench board test test-slow check format clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make the environment in .venv

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, but $(PYTHON) is " + sys.version.split()[0] + "; try make PYTHON=python3.11")'
	@echo "setting up $(VENV) (a few minutes, once)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || true
	@UV_NATIVE_TLS=true $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[dev]' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(READY)

demo: $(READY)  ## the main job at small scale, in minutes: data, pretraining, probes, report
	@$(VJEPA) demo --out $(OUT)

study: $(READY)  ## the measured glyphs study: VARIANTS= SEEDS= JOBS= STUDY=folder
	@$(VJEPA) study --config experiments/configs/study/glyphs.yaml --variants $(VARIANTS) --seeds $(SEEDS) \
		--jobs $(JOBS) --out $(STUDY) --title "Study on moving glyphs"

report: $(READY)  ## write the report of STUDY again
	@$(VJEPA) report $(STUDY)

docs: $(READY)  ## write the generated parts of docs from the code
	@$(VJEPA) docs objectives --write
	@$(VJEPA) docs robustness --write

bench: $(READY)  ## time masks, what each objective adds to a step, decoding, and the robustness evaluation
	@$(VJEPA) bench masks
	@$(VJEPA) bench objectives
	@$(VJEPA) bench decode
	@$(VJEPA) bench robustness

board: $(READY)  ## TensorBoard over LOGDIR, on this machine only
	@$(BIN)/tensorboard --logdir $(LOGDIR) --host 127.0.0.1

test: $(READY)  ## the tests, without the long ones
	@$(BIN)/python -m pytest

test-slow: $(READY)  ## the long tests
	@$(BIN)/python -m pytest -m slow

check: $(READY)  ## linters and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY)  ## format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

clean:  ## remove environment and caches of tools; runs are kept
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist *.egg-info
