# Each target sets up what it needs in .venv: the locked packages, checked by hash, then this project, editable.
# The stamps in .venv make the second run quick; they age with the locks and with pyproject.toml.
#
#   PYTHON   the Python to make .venv with, or several to try:  make test PYTHON=python3.12  (`make clean` to change it)
#   ARGS     passed on to what the target runs:                 make test ARGS="-x -k truncate"

PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# What we are measured against and never import lives apart, each by its own lock.
PEERS := livekit-agents openai-agents pipecat-ai
RUNTIME := $(VENV)/runtime.stamp
DEV := $(VENV)/dev.stamp
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Writes the locks; pinned here because it is the one tool that no lock can cover.
UV := uv==0.13.8

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test simulate fuzz lint format bench bench-environments bench-captions soak docs lock clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## run the main job: a spoken conversation, interrupted, with its record
	$(BIN)/rtactors demo $(ARGS)

test: $(DEV) ## run the tests
	$(BIN)/pytest --numprocesses auto --dist loadgroup $(ARGS)

simulate: $(DEV) ## hold thousands of conversations with faults, in virtual time (ARGS="--seeds 20000")
	$(BIN)/python -m rtactors.testing.simulation $(ARGS)

fuzz: $(DEV) ## try what nobody should send, by chance (ARGS="--inputs 5000" for less)
	$(BIN)/pytest tests/fuzz --inputs 100000 $(ARGS)

lint: $(DEV) ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(DEV) ## format, and fix what can be fixed by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-environments: $(PEERS:%=build/bench/%/stamp) ## make the environments of those that we are measured against

bench: $(DEV) ## measure ours, the peers and the floor; write docs/benchmarks.md (ARGS="--only cpu,barge_in", --quick)
	-@$(MAKE) --no-print-directory --keep-going bench-environments
	$(BIN)/python -m benchmarks $(ARGS)

bench-captions: $(DEV) build/bench/livekit-agents/stamp ## measure how near to the heard word captions end, ours and livekit-agents'
	$(BIN)/python -m benchmarks.captions.measure --livekit build/bench/livekit-agents/bin/python \
		--json benchmarks/results/captions.json $(ARGS)

soak: $(DEV) ## let thousands of short sessions live and see that all they took comes back; keep the evidence
	$(BIN)/python benchmarks/soak.py --json benchmarks/results/soak.json $(ARGS)

docs: $(DEV) ## write again what is generated in docs: the charts, the schemas, the page of benchmarks
	$(BIN)/python -m statecharts.drawing docs $(ARGS)
	$(BIN)/python -m rtactors.cli.report > docs/demo-report.schema.json
	$(BIN)/python -m rtactors.recording.json_schema > docs/recording.schema.json
	$(BIN)/python -m benchmarks --only= > /dev/null

# Without ARGS=--upgrade, versions that still fit stay as they are.
lock: pyproject.toml $(PEERS:%=benchmarks/sides/%.in) ## write the locks again (ARGS=--upgrade for the newest versions)
	scripts/venv build/lock $(PYTHON)
	build/lock/bin/python -m pip --quiet --disable-pip-version-check install '$(UV)'
	$(call compile,runtime,pyproject.toml --all-extras --group build)
	$(call compile,dev,pyproject.toml --all-extras --group dev --constraints locks/runtime.txt)
	$(call compile,livekit-agents,benchmarks/sides/livekit-agents.in)
	$(call compile,openai-agents,benchmarks/sides/openai-agents.in)
	$(call compile,pipecat-ai,benchmarks/sides/pipecat-ai.in)

# One lock for every Python from 3.11 on and every system; no index, file or path of this machine may get into it.
compile = build/lock/bin/uv --no-config pip compile $(2) --output-file locks/$(1).txt \
	--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command 'make lock' --quiet $(ARGS)

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist demo-output simulation-*.json* .pytest_cache .ruff_cache .hypothesis
	find rtactors statecharts tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/%.stamp: locks/%.txt pyproject.toml | $(BIN)/python
	@echo "installing $<"
	@$(PIP) install --require-hashes --requirement $<
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

build/bench/%/stamp: locks/%.txt
	@scripts/venv build/bench/$* $(PYTHON)
	@echo "installing $<"
	@build/bench/$*/bin/python -m pip --quiet --disable-pip-version-check install --require-hashes --requirement $<
	@touch $@

$(BIN)/python:
	@scripts/venv $(VENV) $(PYTHON)
