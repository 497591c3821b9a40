# Every target sets up an isolated environment first: once, and again only when pyproject.toml changes.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
VJEPA  := $(BIN)/python -m vjepa
LOGDIR ?= runs
STUDY  ?= $(or $(OUT),runs/$(or $(DATA),glyphs)-ablation)

# What is left out is as vjepa ablation --help says, or as it is in a folder that was used before.
ABLATION = --out '$(STUDY)' $(if $(VARIANTS),--variants '$(VARIANTS)') $(if $(READINGS),--readings '$(READINGS)') \
	$(if $(SEEDS),--seeds '$(SEEDS)') $(foreach swept,$(SET),--set '$(swept)') $(if $(DATA),--data '$(DATA)') \
	$(if $(PRESET),--preset '$(PRESET)') $(if $(BENCHMARKS),--benchmarks '$(BENCHMARKS)') \
	$(if $(PROFILE),--profile '$(PROFILE)') $(if $(PROBES),--probes '$(PROBES)') $(if $(CONFIG),--config '$(CONFIG)') \
	$(if $(JOBS),--jobs '$(JOBS)') $(if $(DEVICES),--devices '$(DEVICES)') $(if $(ENGINE),--engine '$(ENGINE)') \
	$(if $(TITLE),--title '$(TITLE)') $(if $(filter-out 0,$(DRY)),--dry-run) $(ARGS)

# Tests of a file share what it trains once, so they stay in one process.
ON_EACH_CORE = --numprocesses logical --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo ablation ablation-core ablation-ucf101 ablation-mixed report results claims docs site bench board lock test test-slow check format clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## make the environment in .venv; LOCKED=1: exactly what requirements.lock pins

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, but $(PYTHON) is " + sys.version.split()[0] + "; try make PYTHON=python3.11")'
	@echo "setting up $(VENV) (a few minutes, once)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || true
ifdef LOCKED
	@UV_NATIVE_TLS=true $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@UV_NATIVE_TLS=true $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
else
	@UV_NATIVE_TLS=true $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[dev]' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
endif
	@touch $(READY)

demo: $(READY)  ## the main job at small scale, in minutes: data, pretraining, probes, report
	@$(VJEPA) demo --out '$(or $(OUT),runs/demo)'

ablation: $(READY)  ## variants x readings x seeds: VARIANTS= READINGS= SEEDS= DATA= SET= PRESET= BENCHMARKS= DRY=1
	@$(VJEPA) ablation $(ABLATION)

ablation-core: VARIANTS = core
ablation-core: ablation  ## the same of baseline, fwm, ld, hw, fwm_ld, hw_ld and fwm_hw_ld

ablation-ucf101: DATA = ucf101
ablation-ucf101: ablation  ## the same on UCF-101 alone: DATA_ROOT=folder of data sets

ablation-mixed: DATA = mixed
ablation-mixed: ablation  ## the same on UCF-101, Something-Something V2 and ImageNet-100

report: $(READY)  ## write table, report and boards of an ablation again: OUT=folder
	@$(VJEPA) report '$(STUDY)'

results: $(READY)  ## result rows of an ablation: OUT=folder ARGS="--where metric=top1 --sort=-value"
	@$(VJEPA) results '$(STUDY)' $(ARGS)

claims: $(READY)  ## the study's claims against its own results, its defects, and our runs: OUT=folder
	@$(VJEPA) claims $(if $(wildcard $(STUDY)/ablation.json),'$(STUDY)') $(ARGS)

docs: $(READY)  ## write the generated parts of docs from the code
	@$(VJEPA) docs objectives --write
	@$(VJEPA) docs robustness --write

site: $(READY)  ## build the documentation in site/, with warnings as errors
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: $(READY)  ## time training, loading, masks, objectives, decoding and the robustness evaluation
	@$(VJEPA) bench train
	@$(VJEPA) bench loader+train
	@$(VJEPA) bench masks
	@$(VJEPA) bench objectives
	@$(VJEPA) bench decode
	@$(VJEPA) bench robustness

board: $(READY)  ## TensorBoard over OUT, else over LOGDIR (runs), on this machine only
	@$(BIN)/tensorboard --logdir '$(or $(OUT),$(LOGDIR))' --host 127.0.0.1

lock: $(READY)  ## pin every dependency, with hashes, in requirements.lock (make setup LOCKED=1 installs them)
	@UV_NATIVE_TLS=true $(BIN)/uv pip compile --quiet pyproject.toml --extra dev --python-version 3.11 --universal \
		--generate-hashes --custom-compile-command 'make lock' --output-file requirements.lock

test: $(READY)  ## the tests, without the long ones, a process on each core
	@$(BIN)/python -m pytest $(ON_EACH_CORE)

test-slow: $(READY)  ## the long tests, a process on each core
	@$(BIN)/python -m pytest -m slow $(ON_EACH_CORE)

check: $(READY)  ## linters and types; changes nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY)  ## format the code, and mend what a linter can mend
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

clean:  ## remove the environment, caches of tools and site/; runs are kept
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist site *.egg-info
