# `make help` lists the targets. Everything is installed into .venv; nothing else on the machine is touched.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo

.DEFAULT_GOAL := help
.PHONY: help demo setup test lint types check-tests bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.user ## Make sample PDFs, convert them with live progress, show the result
	@rm -rf $(DEMO)
	@$(BIN)/python -m tests.samples $(DEMO)/pdfs
	@$(BIN)/pdfbatch local-run $(DEMO)/pdfs $(DEMO)/markdown || test $$? -eq 3 # 3: some samples are broken on purpose

setup: .venv/.dev ## Make the environment for development

test: lint types check-tests ## Lint, types and tests, from nothing

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

check-tests: .venv/.dev
	$(BIN)/pytest

bench: .venv/.dev ## Measure speed, memory and words kept against a bare pymupdf loop
	$(BIN)/python -m tests.bench

clean: ## Remove the environment, caches and the demo
	rm -rf .venv $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.user: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1' # dependency groups
	$(BIN)/pip install --quiet --editable .
	@touch $@

.venv/.dev: .venv/.user
	$(BIN)/pip install --quiet --group dev
	@touch $@
