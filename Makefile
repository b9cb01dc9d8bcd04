# Every target works on a machine with nothing but git, make and a Python 3.11 or uv.
# `make help` lists them.

VENV := .venv
PYTHON := $(VENV)/bin/python
SEGPIPE := $(VENV)/bin/segpipe
READY := $(VENV)/.ready
REPOSITORY ?= segpipe
IMAGE ?= $(REPOSITORY)/pipeline
ifeq ($(TAG),)
# Of its own for each push, since Artifact Registry is told never to move a tag: the commit, if this is one, and the time.
TAG := $(shell git rev-parse --verify --quiet --short=12 HEAD 2>/dev/null || echo local)-$(shell date -u +%Y%m%dT%H%M%SZ)
endif
UV := $(shell command -v uv 2>/dev/null)
PIP_INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps

.DEFAULT_GOAL := help
.PHONY: push push-gpu image image-gpu image-here push-image push-image-gpu help setup demo test browser check format bench growth docs compile dist sbom fetch hubsecret report retrain lock clean

help:  ## Show this list.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY)  ## Install everything from requirements.lock into .venv.

$(READY): requirements.lock pyproject.toml
	@# pyfarmhash, which TensorFlow Data Validation imports, has no wheel.
	@command -v c++ >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -qq -y --no-install-recommends g++ >/dev/null; } \
	  || { echo "segpipe needs a C++ compiler for one package without a wheel; Debian: apt-get install g++"; exit 2; }
ifneq ($(UV),)
	@test -x $(PYTHON) || $(UV) venv --quiet --python 3.11 $(VENV)
	$(UV) pip sync --quiet --python $(PYTHON) --compile-bytecode requirements.lock
	$(UV) pip install --quiet --python $(PYTHON) --no-deps --no-build-isolation --editable .
else
	@test -x $(PYTHON) || $$(command -v python3.11 || echo python3) -c 'import sys; \
	  v = sys.version_info[:2]; v == (3, 11) or sys.exit("segpipe needs Python 3.11 or uv; this is Python %d.%d." % v); \
	  import venv; venv.create("$(VENV)", with_pip=True)'
	@# uv is of the lock itself and takes a third of pip's time. It does not read pip's settings (an index of your own,
	@# a certificate): where it cannot install, pip does.
	@sed -n '/^uv==/,/# via/p' requirements.lock > $(VENV)/uv.txt
	$(PIP_INSTALL) --require-hashes --requirement $(VENV)/uv.txt
	$(VENV)/bin/uv pip sync --quiet --python $(PYTHON) --compile-bytecode requirements.lock \
	  || $(PIP_INSTALL) --require-hashes --requirement requirements.lock
	$(PIP_INSTALL) --no-build-isolation --editable .
endif
	@touch $@

demo: $(READY)  ## Train, judge and serve a land-and-water model from satellite pictures; about 3 minutes.
	$(SEGPIPE) run configs/demo.toml

test: $(READY) browser  ## Run all tests.
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

browser:  # The report and the demo app are tested in Debian's Chromium; without one those tests are skipped.
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; } \
	  || echo "No Chromium here: the browser tests are skipped (apt-get install chromium brings it)."

check: $(READY)  ## Lint, types and the direction of imports.
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/act --quiet --validate --strict
	$(VENV)/bin/zizmor --quiet --offline --min-severity medium .github
	$(VENV)/bin/hadolint Dockerfile

format: $(READY)  ## Format the code and mend what the linter can.
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(READY)  ## Measure every stage against the published design; prints a table, writes benchmarks/out/.
	$(PYTHON) -m benchmarks
	$(PYTHON) -m benchmarks.sources

growth: $(READY)  ## Measure 1,000 to 5,000 pictures: what a further picture costs, and the memory.
	$(PYTHON) -m benchmarks --design segpipe --pictures 1000 2000 5000

docs: $(READY)  ## Build the documentation into site/; a warning is an error.
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet

compile: $(READY)  ## Compile every config for every target into runs/compiled; submits nothing.
	$(SEGPIPE) ci compile configs/*.toml

dist: $(READY)  ## Build the wheel and the source archive into dist/.
	$(PYTHON) -m hatchling build

sbom: $(READY)  ## Write dist/sbom.cdx.json: everything that requirements.lock installs (CycloneDX).
	mkdir -p dist
	$(VENV)/bin/cyclonedx-py requirements requirements.lock --output-reproducible --output-file dist/sbom.cdx.json

fetch:  ## Copy the run DEPLOYED_RUN (gs://…), with the requests that were kept, to runs/deployed.
	gcloud storage rsync --recursive "$$DEPLOYED_RUN" runs/deployed

hubsecret:  ## Put HF_TOKEN, if it is set, into the secret HF_SECRET of Secret Manager in GCP_PROJECT.
	@test -z "$$HF_TOKEN" || printf %s "$$HF_TOKEN" | \
	  gcloud secrets versions add "$${HF_SECRET:?names the secret}" --data-file=- --project "$$GCP_PROJECT"

report:  ## Put runs/verdict on the pull request PULL (GITHUB_REPOSITORY, GITHUB_TOKEN); needs nothing installed.
	@VERDICT_DIR=runs/verdict PYTHONPATH=src python3 -m segpipe.cicd.post

retrain:  ## Start the training that the event in GITHUB_EVENT_PATH asks for; needs nothing installed.
	@PYTHONPATH=src python3 -m segpipe.cicd.retrain

image image-gpu: image%:  # The container image of the steps, for CPU or GPU (needs Docker).
	docker build --quiet $(if $*,--build-arg GPU=1) --tag $(IMAGE)$*:$(TAG) .

image-here:  # Build the image without Docker, and look into it: root on Debian 12, buildah and mmdebstrap, 40 GB.
	deploy/image_here.sh

push-image push-image-gpu: push-image%: image%  # Push it to REPOSITORY, as in us-central1-docker.pkg.dev/PROJECT/segpipe.
	@docker push $(IMAGE)$*:$(TAG) >&2
	@docker inspect --format '{{index .RepoDigests 0}}' $(IMAGE)$*:$(TAG)

push push-gpu: push%:  # For the workflows: push-image or push-image-gpu, its address and its digest left in runs/.
	@test -n "$(IMAGE)" || { echo "IMAGE must name the image, as in us-central1-docker.pkg.dev/PROJECT/segpipe/pipeline"; exit 2; }
	mkdir -p runs && $(MAKE) --silent --no-print-directory push-image$* > runs/push$*.txt
	tail -n 1 runs/push$*.txt > runs/image$*.txt
	sed 's/.*@//' runs/image$*.txt > runs/image$*.digest

lock:  ## Refresh requirements.lock (needs uv).
	uv pip compile pyproject.toml --quiet --upgrade --python-version 3.11 --all-extras --group dev --universal \
	  --generate-hashes --no-header -o requirements.lock
	$(COMPILE_FOR_IMAGE) pyproject.toml --extra vertex --extra demo --extra sources --extra app --group build \
	  -o deploy/requirements.image.lock
	# Without our overrides, one of which would take the extra away.
	echo 'tensorflow[and-cuda]' | $(COMPILE_FOR_IMAGE) --no-config - -o deploy/requirements.cuda.lock

# What the image installs is of requirements.lock; only CUDA's libraries are not in there.
COMPILE_FOR_IMAGE := uv pip compile --quiet --constraint requirements.lock --python-version 3.11 \
  --python-platform linux --generate-hashes --no-header --no-annotate

clean:  ## Remove the environment and the caches; keep runs/.
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis site dist
