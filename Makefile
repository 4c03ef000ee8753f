# The one task runner: people and CI use the same recipes. `make` lists them.

PYTHON_IN_VENV := .venv/bin/python
UV := .venv/bin/uv
EXTRAS := jobs airflow local experiments dev
PYTEST_OPTIONS :=
# In two processes, since most tests wait for a server or for Spark; a file stays in one, in the order of collection.
TWO_PROCESSES := -n 2 --dist loadfile --no-loadscope-reorder
COMPILE = $(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet \
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(foreach extra,$(EXTRAS),--extra $(extra))
.DEFAULT_GOAL := help
.SUFFIXES:
.PHONY: help setup demo test check up down status bench autogluon bench-demand lock

help: ## List the recipes
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# Second run: the stamp is newer than the lock, the jars have their checksums; nothing is done, no network is needed.
setup: .venv/.installed ## Python packages and Spark's jars; the other recipes do this first
	@./deploy/tools.sh java
	@$(PYTHON_IN_VENV) -m deploy.jars

.venv/.installed: requirements.lock pyproject.toml deploy/uv.txt
	@./deploy/tools.sh java
	@./deploy/make_venv.sh

demo: setup ## A simulated plant, its files, a night in Airflow, a forecast from the API
	@$(PYTHON_IN_VENV) -m deploy.demo

test: check ## All checks, then all tests: the fast ones first
	$(PYTHON_IN_VENV) -m pytest $(TWO_PROCESSES) --durations=15 --durations-min=1 $(PYTEST_OPTIONS)

check: setup ## Linter, formatter, types, import rules, released contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/uretimiq contracts check

up: setup ## Start S3, MLflow, Airflow and the API on loopback; print their addresses
	@$(PYTHON_IN_VENV) -m deploy.local up

down: ## Stop them; no process is left
	@if [ -x $(PYTHON_IN_VENV) ]; then $(PYTHON_IN_VENV) -m deploy.local down; else echo "nothing is set up"; fi

status: setup ## Which of them run
	@$(PYTHON_IN_VENV) -m deploy.local status

bench: setup ## The benchmarks of docs/benchmarks.md
	@$(PYTHON_IN_VENV) -m bench

autogluon: .venv/.peers ## AutoGluon, for tenants with `challenger: autogluon`, and the benchmark's other peers: 7 GB

bench-demand: .venv/.peers ## Our demand models beside their peers on four public data sets; hours, and 7 GB of packages
	@$(PYTHON_IN_VENV) -m bench.demand

# Beside what is installed already: both locks hold the same versions of it.
.venv/.peers: .venv/.installed requirements-peers.lock
	$(UV) pip install --python $(PYTHON_IN_VENV) --require-hashes -r requirements-peers.lock
	@touch $@

# Requirements format, since uv.lock would write the address of the index that it was made against.
# First all extras together, then those of everybody at the same versions: one environment can hold both.
lock: .venv/bin/uv ## Resolve the dependencies of pyproject.toml anew (add UPGRADE=1 for newer versions)
	$(COMPILE) --extra torch $(if $(UPGRADE),--upgrade) -o requirements-peers.lock
	$(COMPILE) --constraint requirements-peers.lock --no-annotate -o requirements.lock

.venv/bin/uv:
	@./deploy/make_venv.sh uv
