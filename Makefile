# On a fresh machine every goal sets up what it needs; later runs find the stamp files and start at once.
#   make demo-quick  train the default network, deploy it to FPGA, print what was proved
#   make demo        three models on three targets, trained and proved: outputs/demo/index.html
#   make test        run the test suite             (ARGS="-k golden -x" passes options to pytest)
#   make test-all    the same with more networks, files and pages
#   make lint        ruff and pyright
#   make docs        build the documentation into site/
#   make setup       only the set-up                (PYTHON=python3.12 selects the interpreter)
#   make clean       remove what the goals above made (the environment and the results)
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo demo-quick test test-all lint docs setup clean

VENV  := .venv
BIN   := $(VENV)/bin
JOBS  ?= 2
ARGS  ?=
# The demo needs simulators; the tests look at pages as well.
SIMULATORS := ghdl yosys iverilog
BROWSER    := chromium

# On a terminal pip shows its progress; in a log only what went wrong is of interest.
QUIET := $(if $(MAKE_TERMOUT),,--quiet --quiet)

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	"$$p" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 15))' 2>/dev/null && echo "$$p" && break; done)

help:
	@sed -n 's/^#   //p' Makefile

setup: $(VENV)/.with-dev $(VENV)/.tools-simulators $(VENV)/.tools-browser

# A half-made environment has no stamp and is made again: `venv --clear` throws the remains away.
$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "lightning-neuro needs Python 3.10 or newer, and none was found on PATH."; \
		echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3"; exit 2; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV) || { echo "The Python module venv does not work here."; \
		echo "Debian, Ubuntu: apt-get install python3-venv; then run make again."; exit 2; }
	@touch $@

# One pip call with every pin for what a goal needs: the FPGA demo, all demos, or everything. The stamp comes last, so an
# interrupted installation is simply continued; the larger sets hold the smaller ones.
$(VENV)/.with-fpga: EXTRAS := fpga
$(VENV)/.with-targets: EXTRAS := fpga,spinnaker
$(VENV)/.with-dev: EXTRAS := dev
$(VENV)/.with-fpga: ALSO :=
$(VENV)/.with-targets: ALSO := $(VENV)/.with-fpga
$(VENV)/.with-dev: ALSO := $(VENV)/.with-fpga $(VENV)/.with-targets
$(VENV)/.with-%: $(VENV)/.created pyproject.toml constraints.txt
	@echo "installing the pinned packages; this takes a few minutes the first time"
	@$(BIN)/python -m pip install --disable-pip-version-check $(QUIET) --no-compile --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests?/' $(VENV)/lib || true # on all cores; pip compiles on one
	@touch $(ALSO) $@

# System tools are optional: without them their checks are reported as skipped. One attempt is enough; the stamp keeps
# later runs from asking the package servers again.
$(VENV)/.tools-simulators: TOOLS := $(SIMULATORS)
$(VENV)/.tools-browser: TOOLS := $(BROWSER)
$(VENV)/.tools-%: | $(VENV)/.created
	@missing=""; for tool in $(TOOLS); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -z "$$missing" ]; then touch $@; exit 0; fi; \
	echo "system tools not found:$$missing"; \
	packages=$${missing/ghdl/ghdl-mcode}; install="apt-get install --yes --no-install-recommends$$packages"; \
	sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	if command -v apt-get >/dev/null && $$sudo true 2>/dev/null \
		&& $$sudo apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive $$sudo $$install --quiet=2 >/dev/null; \
	then :; \
	else echo "They could not be installed here; checks that need them will be skipped."; \
		echo "To enable them: $$install    (to let make try again: rm $@)"; fi; \
	touch $@

demo-quick: $(VENV)/.with-fpga $(VENV)/.tools-simulators
	@$(BIN)/python -m lightning_neuro.demo --quick

demo: $(VENV)/.with-targets $(VENV)/.tools-simulators
	@$(BIN)/python -m lightning_neuro.demo

# One thread in each worker: two workers with two threads each on two cores are slower than with one.
test: DEPTH := -m 'not thorough'
test test-all: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal --quiet $(DEPTH) $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/pyright

docs: $(VENV)/.with-dev
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) outputs multirun build site *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
