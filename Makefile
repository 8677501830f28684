# One target for each routine task. Each sets up what it needs, once, in .venv.

PYTHON  ?= python3
DEMO    := PP-LiteSeg-Demo
# These variables are read only from the command line: in the environment they may belong to other programs. They are taken as they
# were typed: in a path, $x is no variable of make's.
GIVEN   := MODEL WEIGHTS NAME CLASSES MEMORY VERSION PRECISION CALIBRATION FORCE DEVICE ACCELERATOR ENGINE THRESHOLD IMAGES SECONDS DATASET
$(foreach name,$(GIVEN),$(if $(filter command,$(firstword $(origin $(name)))),$(eval override $(name) := $$(value $(name))),$(eval $(name) :=)))
MODEL   := $(or $(MODEL),$(DEMO))
WEIGHTS := $(or $(WEIGHTS),$(wildcard demo/$(MODEL)))
# Calibration data for int8: a folder of images like those that will be segmented.
CALIBRATION := $(or $(CALIBRATION),$(if $(filter int8,$(PRECISION)),$(if $(filter $(DEMO),$(MODEL)),demo/images)))
ARGS    ?=
# Recipes read them from the environment: pasted into a command, a quote or a line end would break it.
$(foreach name,$(GIVEN),$(eval export GIVEN_$(name) := $$($(name))))
option   = $(if $($2),$1 "$$GIVEN_$2")
quoted   = '$(subst ','\'',$1)'
# The models for `make serve`: one or more names, or all for every exported model.
SERVED  := $(filter-out all,$(subst (slice),,$(MODEL)))
ONE      = $(if $(filter 1,$(words $(SERVED))),$(SERVED),$(error this is for a single model: name it with MODEL=...))

VENV   := .venv
SERVE  := $(VENV)/bin
EXPORT := $(VENV)/export/bin
TOOLS  := $(VENV)/tools/bin
PINS   := constraints.txt

# Each environment installs from its file in locks/, with the hashes of PyPI's files. Nothing is built from source, so no setup.py runs.
LOCKED := -q --no-deps --only-binary :all: --require-hashes -r
OURS   := -q --no-deps --no-build-isolation
ROOMS  := contract client export server
SOURCES := VERSION $(ROOMS:%=%/pyproject.toml)
PADDLESEG := paddleseg==2.8.0
# For one comparison in the tests. It would bring a package `typing`, which is for Python 2.
CITYSCAPES := cityscapesscripts==2.3.0 pyquaternion==0.9.9
BENCH  := .bench

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup serve demo eval export models rollback prune check test test-examples test-zoo test-paddlex bench bench-scale bench-engines lint audit format fuzz chaos train-demo lock dist clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.serve $(VENV)/.export ## install what serving and exporting need (the other targets do this themselves)

serve: $(VENV)/.serve $(SERVED:%=model_repository/%/config.pbtxt) ## serve MODEL="A B" or MODEL=all over REST, HTTP and gRPC (default: the demo network)
	@$(if $(VERSION),PYTHONPATH=export $(SERVE)/python -m semseg_export.versions use $(call quoted,$(ONE)) "$$GIVEN_VERSION")
	@$(SERVE)/semseg serve $(foreach name,$(SERVED),--model $(call quoted,$(name))) $(ARGS)

demo: $(VENV)/.serve model_repository/$(DEMO)/config.pbtxt ## try it out: export, serve, segment a sample image, stop
	@$(SERVE)/python -m demo.run

eval: $(VENV)/.serve $(SERVED:%=model_repository/%/config.pbtxt) $(if $(DATASET),,build/held-out/val.txt) ## measure MODEL on DATASET=folder with ground truth (default: the demo's held-out scenes)
	@$(SERVE)/semseg eval --model $(call quoted,$(ONE)) --model-repository model_repository $(ARGS) -- "$${GIVEN_DATASET:-build/held-out}"

build/held-out/val.txt: | $(VENV)/.serve
	@echo "Drawing the held-out scenes (half a minute)"
	@$(SERVE)/python -m demo.held_out build/held-out

export: $(VENV)/.export ## export MODEL=... or all, from WEIGHTS=folder, archive, .onnx, .pdparams, URL (default: official), also NAME= CLASSES= THRESHOLD= IMAGES= MEMORY= DEVICE=gpu PRECISION=fp16|int8 ENGINE=auto|onnxruntime|openvino|mnn
	@$(EXPORT)/semseg-export $(if $(NAME),--architecture "$$GIVEN_MODEL") $(call option,--weights,WEIGHTS) $(call option,--classes,CLASSES) \
	    $(call option,--memory,MEMORY) $(call option,--precision,PRECISION) $(call option,--calibration,CALIBRATION) $(if $(FORCE),--force) \
	    $(call option,--device,DEVICE) $(call option,--accelerator,ACCELERATOR) $(call option,--engine,ENGINE) $(call option,--threshold,THRESHOLD) \
	    $(call option,--images,IMAGES) $(ARGS) -- "$${GIVEN_NAME:-$$GIVEN_MODEL}"

models: $(VENV)/.serve ## list PaddleX's networks and which are exported
	@PYTHONPATH=export $(SERVE)/python -m semseg_export.models

rollback: $(VENV)/.serve ## serve the previous version of MODEL=..., or VERSION=...; a running server picks it up
	@PYTHONPATH=export $(SERVE)/python -m semseg_export.versions use $(call quoted,$(ONE)) $(call option,,VERSION)

prune: $(VENV)/.serve ## delete all versions of MODEL=... except the served one
	@PYTHONPATH=export $(SERVE)/python -m semseg_export.versions prune $(foreach name,$(SERVED),$(call quoted,$(name)))

check: $(VENV)/.test ## quick check while you work: unit tests and lint
	@$(SERVE)/python -m pytest -n 2 tests/unit --ignore tests/unit/export
	@$(MAKE) --no-print-directory lint

test: $(VENV)/.test $(VENV)/.openapi ## run all tests
	@echo 'Tests of the export, and of the service under fire (three minutes)'
	@$(MAKE) --no-print-directory --keep-going --output-sync=target -j 2 test-export test-under-fire
	@echo 'All other tests (five minutes)'
	@$(SERVE)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder tests --ignore tests/unit/export --ignore tests/zoo --ignore tests/paddlex \
	    $(UNDER_FIRE:%=--ignore %)

test-export:
	@$(EXPORT)/python -m pytest -n 2 tests/unit/export

# These look at the whole machine, or at a browser's own reports: nothing else of ours may serve at the same time.
UNDER_FIRE = tests/integration/test_chaos.py tests/browser
test-under-fire:
	@$(SERVE)/python -m pytest $(UNDER_FIRE)

test-examples: $(VENV)/.test $(VENV)/.languages ## install seven languages from Debian (as root) and npm, and run the clients in examples/ and PaddleX's own
	@$(SERVE)/python -m pytest tests/languages -rs

test-zoo: $(VENV)/.test ## compare the export of all twenty networks with Paddle (an hour on two cores)
	@$(EXPORT)/python -m pytest tests/zoo/test_zoo.py -s
	@$(SERVE)/python -m pytest tests/zoo/test_served.py -s

test-paddlex: $(VENV)/.test $(VENV)/.paddlex ## train a network, serve it and compare it with PaddleX itself (four minutes)
	@$(SERVE)/python -m pytest tests/paddlex -s

fuzz: $(VENV)/.test ## decode damaged images in a child process for SECONDS=600; keep those that crash, hang or exhaust memory in output/fuzz
	@$(SERVE)/python -m tests.fuzz --seconds $(or $(SECONDS),600) $(ARGS)

chaos: $(VENV)/.test model_repository/$(DEMO)/config.pbtxt ## kill, stop and attack the service under load for SECONDS=600; report what was lost and what was left behind (SEED=1)
	@$(SERVE)/python -m tests.chaos --seconds $(or $(SECONDS),600) --seed $(or $(SEED),1) $(ARGS)

bench: $(BENCH)/.set-up ## compare with PaddleX, its Triton kit, LitServe and bare ONNX Runtime (ARGS=--help; a full run takes hours)
	@$(BENCH)/harness/bin/python -m bench $(ARGS)

bench-scale: $(BENCH)/.set-up ## measure how the server scales with pixels, clients and models (ARGS=--help)
	@$(BENCH)/harness/bin/python -m bench.scale $(ARGS)

bench-engines: $(BENCH)/.harness $(BENCH)/.engines ## measure the networks on ONNX Runtime, OpenVINO, MNN and ncnn (ARGS=--help; a full run takes hours)
	@$(BENCH)/harness/bin/python -m bench.engines $(ARGS)

lint: $(VENV)/.test ## check style, types, imports and the Dockerfile
	@mkdir -p build
	@$(SERVE)/ruff check -q .
	@$(SERVE)/ruff format -q --check .
	@$(SERVE)/mypy contract/semseg_contract client/semseg_client server/semseg_server/*.py demo/run.py demo/scenes.py locks/audit.py examples/python \
	    $(wildcard bench/*.py bench/engines/*.py bench/rivals/*.py bench/rivals/litserve_app/*.py) \
	    tests/conftest.py tests/unit/client/user_code.py tests/certificates.py tests/browser tests/integration tests/languages/*.py tests/paddlex/test_paddlex.py tests/paddlex/test_conformance.py
	@$(EXPORT)/mypy export/semseg_export tests/zoo/test_zoo.py
	@for folder in server/semseg_server/backends/*/ model_repository/*/1/ bench/rivals/triton_kit_model/; do \
	    [ ! -e $$folder/model.py ] || MYPYPATH=$$folder:server/semseg_server/backends/onnxruntime $(SERVE)/mypy $$folder*.py || exit 1; done
	@PYTHONPATH=export $(SERVE)/lint-imports --no-cache pyproject.toml >build/imports.txt || { cat build/imports.txt; exit 1; }
	@$(SERVE)/hadolint Dockerfile

audit: $(VENV)/.test $(VENV)/.tools ## check for insecure code, write bills of materials (CycloneDX) to build/sbom, look up known vulnerabilities
	@$(SERVE)/ruff check -q --select S .
	@mkdir -p build/sbom
	@$(TOOLS)/$(BOM) -o build/sbom/serve.json $(VENV)
	@$(TOOLS)/$(BOM) -o build/sbom/export.json $(VENV)/export
	@$(TOOLS)/python locks/audit.py $(ARGS)

format: $(VENV)/.test ## apply the project's style to the code
	@$(SERVE)/ruff check -q --fix .
	@$(SERVE)/ruff format -q .

train-demo: $(VENV)/.test ## retrain the demo network (an hour on two cores)
	@OMP_NUM_THREADS=1 $(EXPORT)/python -m demo.train $(ARGS)

# Paddle2ONNX requires onnxoptimizer, which has no wheel for arm64, but imports it only in a function that we never call. OpenVINO
# requires a package that tells its makers what its tools are used for, and does without.
lock: $(VENV)/.tools ## pin the requirements of pyproject.toml and locks/*.in in constraints.txt and locks/ (ARGS=--upgrade: upgrade all)
	@$(RESOLVE) $(ARGS) -c locks/limits.in --all-extras $(ROOMS:%=%/pyproject.toml) locks/test.in -o $(PINS)
	@echo setuptools | $(HASH) --extra gateway --extra pipeline --extra engines client/pyproject.toml server/pyproject.toml - -o locks/serve.txt
	@echo setuptools | $(HASH) --extra gateway client/pyproject.toml - -o locks/gateway.txt
	@$(HASH) --extra engines --no-emit-package onnxoptimizer export/pyproject.toml -o locks/export.txt
	@echo $(PADDLESEG) | $(HASH) --no-deps - >> locks/export.txt
	@$(HASH) locks/test.in -o locks/test.txt
	@printf "%s\n" $(CITYSCAPES) | $(HASH) --no-deps - >> locks/test.txt
	@$(HASH) locks/triton.in -o locks/triton.txt
	@$(RESOLVE) --generate-hashes $(ARGS) locks/tools.in -o locks/tools.txt

dist: $(VENV)/.tools ## build a wheel and a source archive of each package in build/dist, and check them
	@rm -rf build/dist && mkdir -p build
	@for room in $(ROOMS); do $(TOOLS)/python -m build -n --outdir build/dist $$room >build/dist.log 2>&1 || { cat build/dist.log; exit 1; }; done
	@$(TOOLS)/twine check --strict build/dist/*

clean: ## remove the environments and caches; keep exported models and benchmark results
	@rm -rf $(VENV) $(filter-out $(BENCH)/results,$(wildcard $(BENCH)/* $(BENCH)/.[a-z]*)) output build .mypy_cache .pytest_cache .ruff_cache $(ROOMS:%=%/*.egg-info) $(ROOMS:%=%/build)
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

BOM     = cyclonedx-py environment --gather-license-texts --output-reproducible
RESOLVE = $(TOOLS)/uv pip compile -q --universal --python-version 3.10 --no-header --no-annotate --no-emit-package paddle-semseg-contract \
    --no-emit-package openvino-telemetry
HASH    = $(RESOLVE) --generate-hashes -c $(PINS)

# Export a model if it is missing; the demo network also if its weights are newer.
model_repository/%/config.pbtxt:
	@$(MAKE) --no-print-directory export MODEL=$(call quoted,$*) ARGS=

model_repository/$(DEMO)/config.pbtxt: $(wildcard demo/$(DEMO)/*)
	@$(MAKE) --no-print-directory export MODEL=$(DEMO) WEIGHTS=demo/$(DEMO) ARGS=

# The serving environment has no Paddle; the exporting environment, inside it, has no Triton.
$(VENV)/.serve: $(SOURCES) locks/serve.txt
	@echo "Setting up the serving environment in $(VENV) (about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(SERVE)/pip install $(LOCKED) locks/serve.txt
	@$(SERVE)/pip install $(OURS) -e contract -e client -e server
	@touch $@

$(VENV)/.export: $(SOURCES) locks/export.txt | $(VENV)/.serve
	@echo "Setting up the exporting environment in $(VENV)/export: Paddle and its converter, 1.5 GB (about two minutes)"
	@$(PYTHON) -m venv $(VENV)/export
	@$(EXPORT)/pip install $(LOCKED) locks/export.txt
	@$(EXPORT)/pip install $(OURS) -e contract -e export
	@touch $@

$(VENV)/.test: locks/test.txt $(VENV)/.serve $(VENV)/.export
	@echo "Installing what the tests need"
	@$(SERVE)/pip install $(LOCKED) locks/test.txt
	@$(EXPORT)/pip install $(LOCKED) locks/test.txt
	@$(EXPORT)/pip install $(OURS) -e client
	@touch $@

# The packages that lock and audit the other environments stay out of them.
$(VENV)/.tools: locks/tools.txt
	@$(PYTHON) -m venv $(VENV)/tools
	@$(TOOLS)/pip install $(LOCKED) locks/tools.txt
	@touch $@

# Each language's README lists its Debian packages; a package.json lists what PaddleX's own clients need in addition.
$(VENV)/.languages: LANGUAGES = $(shell sed -n 's/^apt-get install -y //p' examples/*/README.md) $(if $(shell which npm),,npm)
$(VENV)/.languages: $(wildcard examples/*/README.md) tests/languages/tutorial/package.json | $(VENV)/.serve
	@echo "Installing from Debian: $(LANGUAGES)"
	@apt-get update -qq
	@DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(LANGUAGES) >/dev/null
	@echo "Installing from npm, in $(VENV)/npm: axios, and allure-commandline for the OkHttp in it"
	@mkdir -p $(VENV)/npm
	@cp tests/languages/tutorial/package.json $(VENV)/npm
	@npm install --silent --no-audit --no-fund --prefix $(VENV)/npm
	@touch $@

# The generator that builds a client from our OpenAPI document requires a different Typer from that in constraints.txt.
$(VENV)/.openapi: tests/openapi/requirements.txt | $(VENV)/.serve
	@echo "Setting up a generator of API clients in $(VENV)/openapi"
	@$(PYTHON) -m venv $(VENV)/openapi
	@$(VENV)/openapi/bin/pip install -q -r $<
	@touch $@

# PaddleX is the tests' oracle, never a dependency; it requires a different PyYAML from that in constraints.txt.
$(VENV)/.paddlex: tests/paddlex/requirements.txt | $(VENV)/.serve
	@echo "Setting up PaddleX for comparison in $(VENV)/paddlex: 1.4 GB (about a minute)"
	@$(PYTHON) -m venv $(VENV)/paddlex
	@$(VENV)/paddlex/bin/pip install -q -r $<
	@touch $@

# Each rival has its own environment; PaddleX's service and its Triton kit share PaddleX's.
$(BENCH)/.set-up: $(BENCH)/.harness $(BENCH)/.paddlex $(BENCH)/.litserve $(BENCH)/.perf_analyzer
	@touch $@

$(BENCH)/.harness: bench/requirements.txt $(SOURCES) $(PINS) | $(VENV)/.export
	@echo "Setting up the benchmark harness in $(BENCH)/harness"
	@$(PYTHON) -m venv $(BENCH)/harness
	@$(BENCH)/harness/bin/pip install -q -c $(PINS) -e contract -e client -r $<
	@$(BENCH)/harness/bin/pip install -q --no-deps -e export
	@touch $@

$(BENCH)/.paddlex: bench/rivals/paddlex.txt
	@echo "Setting up PaddleX in $(BENCH)/paddlex: 2.5 GB (about two minutes)"
	@mkdir -p $(BENCH) && $(PYTHON) -m venv $(BENCH)/paddlex
	@$(BENCH)/paddlex/bin/pip install -q -r $<
	@touch $@

$(BENCH)/.litserve: bench/rivals/litserve.txt $(PINS)
	@echo "Setting up LitServe in $(BENCH)/litserve"
	@mkdir -p $(BENCH) && $(PYTHON) -m venv $(BENCH)/litserve
	@$(BENCH)/litserve/bin/pip install -q -c $(PINS) -r $<
	@touch $@

$(BENCH)/.engines: bench/engines/requirements.txt
	@echo "Setting up OpenVINO, MNN and ncnn in $(BENCH)/engines"
	@mkdir -p $(BENCH) && $(PYTHON) -m venv $(BENCH)/engines
	@$(BENCH)/engines/bin/pip install -q --no-deps -r $<
	@touch $@

# The last perf_analyzer that runs on older glibc versions, with its libraries beside it. Without it, the bench skips that check.
$(BENCH)/.perf_analyzer: | $(BENCH)/.harness
	@mkdir -p $(BENCH)/perf_analyzer && cd $(BENCH)/perf_analyzer && \
	    ../harness/bin/pip download -q --no-deps tritonclient==2.50.0 nvidia-cuda-runtime-cu12==12.9.79 && \
	    for wheel in *.whl; do ../harness/bin/python -m zipfile -e $$wheel .; done && \
	    { { apt-get download -q libb64-0d && dpkg -x libb64-0d_*.deb . && chmod +x tritonclient-*.data/data/bin/perf_analyzer; } >/dev/null 2>&1 || \
	    { rm -rf tritonclient-*.data; echo "Skipping perf_analyzer: Debian's or Ubuntu's archive did not provide libb64"; }; }
	@touch $@
