# syntax=docker/dockerfile:1
# The image of the pipeline's steps, of Vertex Training and of Dataflow's workers; docs/cloud.md says how it is pushed.
#
#   make image          CPU
#   make image-gpu      the same with NVIDIA's CUDA libraries

ARG BASE=python:3.11-slim-bookworm
ARG BEAM=apache/beam_python3.11_sdk:2.77.0

# The program that starts Beam's workers; Dataflow looks for it in the image.
FROM ${BEAM} AS beam

FROM ${BASE} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# One package, pyfarmhash, has no wheel.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ libc6-dev && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/segpipe
ENV PATH=/opt/segpipe/bin:$PATH
WORKDIR /src
# A layer of its own, which changes only with the lock. Nothing is resolved: what is installed is what was tested.
COPY deploy/requirements.image.lock ./
RUN pip install --no-deps --require-hashes --requirement requirements.image.lock
ARG GPU=
# The CUDA libraries that this TensorFlow was built against.
COPY deploy/requirements.cuda.lock ./
RUN if [ -n "$GPU" ]; then pip install --no-deps --require-hashes --requirement requirements.cuda.lock; fi
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-deps --no-build-isolation .

FROM ${BASE}
COPY --from=beam /opt/apache/beam /opt/apache/beam
COPY --from=packages /opt/segpipe /opt/segpipe
RUN useradd --create-home --uid 1000 segpipe
USER 1000
WORKDIR /home/segpipe
ENV PATH=/opt/segpipe/bin:$PATH PYTHONUNBUFFERED=1 RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 \
    TF_CPP_MIN_LOG_LEVEL=2 TF_ENABLE_ONEDNN_OPTS=1
# Vertex AI names the command of every step; Dataflow names none and expects Beam's.
ENTRYPOINT ["/opt/apache/beam/boot"]
