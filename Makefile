# `make help` lists the targets. Everything is installed into .venv; nothing else on the computer is changed.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo
# Tests need no GPU. On Linux, torch from PyPI includes 3 GB of CUDA; for the CPU build:
#   make test TORCH='torch==2.13.0+cpu --extra-index-url https://download.pytorch.org/whl/cpu'
TORCH ?= torch==2.13.0
IMAGE ?= pdfbatch
FOLDER ?= /var/tmp/pdfbatch-fleet
STACK ?= pdfbatch
# Where it is set, every process that a test starts would compile the program anew: a second each.
export PYTHONDONTWRITEBYTECODE =
typed = $(if $(findstring command line,$(origin $(1))),--build-arg $(1)='$($(1))')
# uv takes half of pip's time, but knows none of pip's settings.
install = $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode $(1) || $(BIN)/pip install --quiet $(1)
STUBS := $(filter-out %/aws,$(shell find tests/fleet/machine/stubs tests/fleet/machine/shims -type f)) # aws is Python
PINS := .venv/bin/uv pip compile pyproject.toml --excludes docker/requirements/excludes.txt --python-version 3.11 \
  --python-platform linux --generate-hashes --no-annotate --quiet --custom-compile-command 'make lock'

# A test that hangs fails after ten minutes; where that cannot be (in C, or in a property that is tried again), its worker
# ends a minute later and another goes on. Either shows the stacks.
PYTEST := $(BIN)/pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder \
  --timeout 600 -o faulthandler_timeout=660 -o faulthandler_exit_on_timeout=true

.DEFAULT_GOAL := help
.PHONY: help demo setup test test-slow lint types check-tests docs pictures dist bench bench-scale bench-gpu chaos image push check-image check-fleet check-sight check-localstack live lock audit sbom clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.user ## Create sample PDFs, convert them with live progress, show the result
	@rm -rf $(DEMO)
	@$(BIN)/pdfbatch demo $(DEMO)

setup: .venv/.dev ## Create the development environment

test: lint ## Run lint, type checks and all but the slow tests, from a fresh clone
	@$(MAKE) --no-print-directory --jobs=2 types check-tests

test-slow: .venv/.dev ## Run the slow tests: trained models, killed processes, whole fleets, a browser
	$(PYTEST) -m 'slow and not long' \
	  $$(grep --recursive --files-with-matches mark.slow --include 'test_*.py' tests | sort)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint docker/Dockerfile
	$(BIN)/shellcheck userdata/*.sh docs/generate/bare.sh tests/docker/bench.sh .ci/run tests/fleet/machine/*.sh $(STUBS)
	$(BIN)/zizmor --offline --quiet .github/workflows docs/examples
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml docs/examples/*.yml

types: .venv/.dev
	$(BIN)/mypy

check-tests: .venv/.dev
	$(PYTEST) -m 'not slow and not long'

docs: .venv/.dev ## Regenerate the generated pages of the manual and build it into build/site
	$(BIN)/python -m docs.generate pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

pictures: .venv/.dev ## Regenerate the pictures of the manual from real runs
	$(BIN)/python -m docs.generate pictures

dist: .venv-dist/.installed ## Build wheel and sdist, check them, and run the demo from a clean installation
	rm -rf dist build/bare
	.venv-dist/bin/python -m build --quiet --installer uv
	.venv-dist/bin/twine check --strict dist/*
	docs/generate/bare.sh dist/*.whl build/bare

bench: .venv/.dev ## Measure speed, memory and words kept, compared with a bare pymupdf loop
	$(BIN)/python -m bench

bench-scale: .venv/.dev ## Measure how listing, planning, status and verify grow to a million keys (an hour)
	$(BIN)/python -m bench scale

bench-gpu: .venv/.dev ## Measure Dolphin on a CUDA device, compared with its published program
	$(BIN)/python -m bench gpu --output build/bench-gpu.json

chaos: .venv/.dev ## Run N stories of workers under random faults, and check what must hold (N=1000 takes an hour)
	$(BIN)/python -m tests.chaos --stories $(or $(N),60) --jobs 8
	PDFBATCH_POOL_DOCUMENTS=300 $(BIN)/pytest -n 0 tests/chaos/test_pool.py

image: ## Build the worker image (ENGINE=cpu: without torch; MODEL=ID@REVISION: with weights)
	docker build --file docker/Dockerfile --tag $(IMAGE) \
	  $(foreach name,BASE ENGINE TORCH TORCH_INDEX MODEL RUN_AS SOURCE,$(call typed,$(name))) \
	  --build-arg PIP_INDEX_URL --build-arg PIP_EXTRA_INDEX_URL --build-arg PIP_TRUSTED_HOST \
	  --build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null)" .

check-image: .venv/.dev ## Test the built image, with Docker
	PDFBATCH_IMAGE=$(IMAGE) $(BIN)/pytest tests/docker

check-fleet: .venv/.dev ## Run a fleet on this computer, with Docker and without AWS (root, Debian; FOLDER keeps its images)
	PYTHON=$(BIN)/python tests/fleet/machine/bench.sh $(FOLDER)

check-sight: .venv/.dev ## Compare 500 random documents with what their pages show (20 minutes)
	$(BIN)/pytest --numprocesses 2 -m long tests/documents/test_sight_property.py

check-localstack: .venv/.dev .venv-localstack/.installed ## Run the commands against LocalStack, another simulated AWS
	PDFBATCH_LOCALSTACK=.venv-localstack/bin/python $(BIN)/pytest tests/localstack

live: .venv/.user ## Run a first fleet in a real account; costs money (N=1: number of instances; see tests/live)
	$(BIN)/python -m tests.live $(N)

push: .venv/.user ## Push the image to the repository that `pdfbatch setup` created (STACK=name of another stack)
	@test "$$(docker image inspect --format '{{.Architecture}}' $(IMAGE))" = amd64 \
	  || { echo "$(IMAGE) is not for amd64: DOCKER_DEFAULT_PLATFORM=linux/amd64 make image"; exit 1; }
	$(BIN)/pip install --quiet awscli
	repository=$$($(BIN)/aws ecr describe-repositories --repository-names $(STACK) \
	    --query 'repositories[0].repositoryUri' --output text) && \
	  $(BIN)/aws ecr get-login-password | docker login --username AWS --password-stdin "$${repository%%/*}" && \
	  docker tag $(IMAGE) "$$repository:latest" && docker push "$$repository:latest"

lock: .venv/.dev ## Update the pinned versions of the image
	$(PINS) --upgrade --extra dolphin --extra view --extra analysis --extra events -o docker/requirements/dolphin.txt
	$(PINS) --upgrade --extra view --extra analysis --extra events -c docker/requirements/dolphin.txt -o docker/requirements/cpu.txt

audit: .venv-audit/.installed ## Look up the image's pinned packages in the database of known faults (network)
	.venv-audit/bin/pip-audit --require-hashes --disable-pip --vulnerability-service osv \
	  $(foreach engine,cpu dolphin,--requirement docker/requirements/$(engine).txt) \
	  $$(awk '/^[A-Z]/ {print "--ignore-vuln", $$1}' docker/requirements/advisories.txt)

sbom: .venv-audit/.installed ## List the image's Python packages as CycloneDX, in build/sbom-ENGINE.json
	@mkdir -p build
	@for engine in cpu dolphin; do \
	  .venv-audit/bin/cyclonedx-py requirements --output-reproducible --pyproject pyproject.toml \
	    --output-file "build/sbom-$$engine.json" "docker/requirements/$$engine.txt" && echo "build/sbom-$$engine.json"; \
	done

clean: ## Remove the environment, caches and the demo
	rm -rf .venv .venv-audit .venv-localstack .venv-dist build dist $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The last version that needs no account; the date pins cbor2 and pyOpenSSL to what it was released with.
.venv-localstack/.installed: .venv/.dev
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-localstack
	$(BIN)/uv pip install --quiet --python .venv-localstack/bin/python --exclude-newer 2026-02-10 \
	  'localstack-core[runtime]==4.13.1'
	@touch $@

# Separate from .venv: twine and awscli need different versions of docutils.
.venv-dist/.installed:
	$(PYTHON) -m venv .venv-dist
	.venv-dist/bin/pip install --quiet build uv 'twine>=6'
	@touch $@

.venv-audit/.installed:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet 'pip-audit>=2.10' 'cyclonedx-bom>=7.5'
	@touch $@

.venv/.user: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1' uv # pip: dependency groups
	$(call install,--editable .)
	@touch $@

.venv/.dev: .venv/.user
	$(BIN)/pip install --quiet --no-compile $(TORCH) # most of its modules are never imported
	$(call install,--editable '.[all]' --group dev)
	$(call install,--no-deps 'docling-core~=2.104') # only its own command needs its older typer
	@touch $@
