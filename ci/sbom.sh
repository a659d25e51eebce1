#!/usr/bin/env bash
# Writes nebula.cdx.json, bootstrap.cdx.json and bootstrap-services.cdx.json to target/dist, which list the crates of the
# three programs. It needs cargo-cyclonedx.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# cargo-cyclonedx writes a file next to each Cargo.toml of the workspace.
trap 'git clean --quiet --force -x -- "*.cdx.json" ":!target"' EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
cargo cyclonedx --quiet --format json --spec-version 1.5 --target all --no-build-deps \
  --manifest-path frontends/cli/Cargo.toml
mkdir -p target/dist
python3 ci/sbom.py nebula-cli frontends/cli/nebula-cli.cdx.json >target/dist/nebula.cdx.json
python3 ci/sbom.py nebula-lambda frontends/lambda/nebula-lambda.cdx.json >target/dist/bootstrap.cdx.json
python3 ci/sbom.py nebula-lambda frontends/lambda/nebula-lambda.cdx.json nats,otel,redis,s3 \
  >target/dist/bootstrap-services.cdx.json
