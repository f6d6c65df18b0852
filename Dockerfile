# syntax=docker/dockerfile:1
# Everything that a release needs: the pipeline, and the tools that build and publish crates, gem, wheels and npm package.
# compose.yaml runs it; docs/operating.md says how.
#
# The images are pinned by the digest of their index (all platforms), as docker-library/repo-info records it under
# repos/NAME/remote/TAG.md; `docker buildx imagetools inspect python:3.12-slim-bookworm` tells today's. All stand on
# Debian 12, so that what is copied from one runs in the other.
FROM python:3.12-slim-bookworm@sha256:0f5b26b9518d002b6173fd61daad821fa340635ebfec5bba471013f9ca114579 AS python
FROM ruby:3.4-slim-bookworm@sha256:167c739b9d83c1c39856fc4be1966b9440f9b2f0b2637c438b51f4bbc486b82e AS ruby
FROM node:24-bookworm-slim@sha256:235600a8101ab264e117b1768e925532262668dc9b581ef1dd7d96ced463b8e7 AS node

# --- Rust 1.98 ---------------------------------------------------------------------------------------------------------
FROM rust:1.98-slim-bookworm@sha256:94e9efa4033213dbb70d4f665527e7ece3944ddb7ba1dd2e43f6fd6e2490af58 AS rust
# The checks of the source format and lint it. rustup compares what it fetches with the toolchain's own manifest.
RUN rustup component add clippy rustfmt

# --- the pipeline, uv, maturin -----------------------------------------------------------------------------------------
FROM python AS environment
ENV UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /opt/release
COPY config/lock/runtime.txt config/lock/
# uv installs the rest; pip needs only uv's own pinned lines.
RUN --mount=type=cache,target=/root/.cache/uv \
    python -m venv .venv \
    && awk '/^[a-z0-9]/ {own = /^uv==/} own' config/lock/runtime.txt >uv.txt \
    && .venv/bin/python -m pip install --quiet --require-hashes -r uv.txt \
    && .venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes --compile-bytecode config/lock/runtime.txt
COPY pyproject.toml README.md ./
COPY config/lock/node config/lock/node
COPY tasker_release_pipeline tasker_release_pipeline
RUN .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --no-cache \
    --compile-bytecode .

# --- Bun and publint ---------------------------------------------------------------------------------------------------
FROM node AS bun
WORKDIR /opt/release/.tools/node
COPY config/lock/node/package.json config/lock/node/package-lock.json ./
# Of all install scripts only Bun's own runs: it puts the platform's binary, which is a package, in its place.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error \
    && node node_modules/bun/install.js \
    && node_modules/.bin/bun --version

# --- what runs ---------------------------------------------------------------------------------------------------------
FROM python AS release
# Debian drops a package's version from its mirrors when the next one is there: to name one would break the build.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        build-essential git libclang-dev libffi8 libgmp10 libyaml-0-2 openssh-client pkg-config protobuf-compiler \
    && rm -rf /var/lib/apt/lists/*
COPY --from=rust /usr/local/cargo/bin /usr/local/cargo/bin
COPY --from=rust /usr/local/rustup /usr/local/rustup
COPY --from=ruby /usr/local/bin /usr/local/bin
COPY --from=ruby /usr/local/lib /usr/local/lib
COPY --from=ruby /usr/local/include /usr/local/include
COPY --from=node /usr/local/bin /usr/local/bin
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
COPY --from=bun /opt/release/.tools /opt/release/.tools
COPY --from=environment /opt/release/.venv /opt/release/.venv
COPY config /opt/release/config
# Volumes take over who owns these folders. Bundler may not write where Ruby lies.
RUN ldconfig \
    && groupadd --gid 10001 release \
    && useradd --uid 10001 --gid release --create-home --shell /bin/bash release \
    && install -d -o release -g release /opt/release/dagster /opt/release/dagster/storage \
        /data /data/source /data/store /data/work /home/release/.bundle \
    && cp /opt/release/config/dagster-postgres.yaml /opt/release/dagster/dagster.yaml \
    && printf -- '---\nBUNDLE_PATH: "/data/work/bundle"\n' >/home/release/.bundle/config
ENV PATH=/opt/release/.venv/bin:/opt/release/.tools/node/node_modules/.bin:/usr/local/cargo/bin:$PATH \
    RUSTUP_HOME=/usr/local/rustup \
    CARGO_HOME=/data/work/cargo \
    DAGSTER_HOME=/opt/release/dagster \
    TASKER_RELEASE_SOURCE=/data/source \
    TASKER_RELEASE_STORE=/data/store \
    TASKER_RELEASE_WORK=/data/work \
    RELEASE_DRY_RUN=true
WORKDIR /opt/release
USER 10001:10001
# An image in which a tool does not start, or the graph does not load, is not built.
RUN for tool in git cc protoc cargo rustc rustfmt ruby gem bundle python uv maturin node npm bun publint git-cliff twine; do \
        "$tool" --version >/dev/null || { echo "$tool does not run"; exit 1; }; \
    done \
    && cargo clippy --version \
    && env --unset=DAGSTER_HOME --chdir=/tmp dagster definitions validate -m tasker_release_pipeline.definitions
CMD ["tasker-release", "--help"]
