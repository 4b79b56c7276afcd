# Two images of one source: `api`, which cannot import torch, and `worker`, which trains, evaluates and samples.
#
#   docker build --target api    -t lethe-api .
#   docker build --target worker -t lethe-worker .
#
# What is installed is locked, with hashes (`make locks`). PyPI's torch for Linux is the CUDA build, about 3 GB with its
# libraries. For machines without a GPU, take the other lock and name PyTorch's own index of CPU builds:
#   docker build --target worker --build-arg LOCK=worker-cpu --build-arg PIP_EXTRA_INDEX_URL=<PyTorch's CPU index> -t lethe-worker .

ARG PYTHON=3.11.14-slim-bookworm

# What every image runs on: a user without rights, and folders that it may write.
FROM python:${PYTHON} AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PATH=/opt/venv/bin:$PATH \
    # The root file system may be mounted read-only: caches go to the temporary folder.
    HOME=/tmp \
    LETHE_DATA_DIR=/data \
    LETHE_BUNDLED_MODELS_DIR=/app/models \
    LETHE_LOG_FORMAT=json
RUN groupadd --gid 10001 lethe \
    && useradd --uid 10001 --gid lethe --no-create-home --home-dir /tmp --shell /usr/sbin/nologin lethe \
    && install --directory --owner=lethe --group=lethe --mode=0700 /data /keys /work
WORKDIR /app

# Dependencies first, from their lock alone, so that a change of the source does not install them again.
FROM base AS build-api
RUN python -m venv /opt/venv
COPY locks/api.txt locks/
RUN pip install --no-cache-dir --require-hashes --requirement locks/api.txt
COPY . .
RUN pip install --no-cache-dir --no-deps /app

FROM base AS build-worker
ARG PIP_EXTRA_INDEX_URL=""
ARG LOCK=worker
RUN python -m venv /opt/venv
COPY locks/${LOCK}.txt locks/
RUN pip install --no-cache-dir --require-hashes --requirement "locks/${LOCK}.txt"
COPY . .
RUN pip install --no-cache-dir --no-deps /app

FROM base AS worker
COPY --from=build-worker /opt/venv /opt/venv
COPY models /app/models
# As local/stack.py sets it: torch's threads spin a little where they wait for each other.
ENV GOMP_SPINCOUNT=2000
USER 10001:10001
VOLUME /data
# The sampler is the same image with `sample` in place of `train`.
CMD ["python", "-m", "worker.main", "train"]

FROM base AS api
COPY --from=build-api /opt/venv /opt/venv
COPY models /app/models
ENV LETHE_HOST=0.0.0.0 \
    LETHE_AUTH=keys
USER 10001:10001
VOLUME /data
EXPOSE 8321
CMD ["python", "-m", "api"]
