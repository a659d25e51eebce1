# Every command a developer needs. CI calls these and nothing else.

set shell := ["bash", "-euo", "pipefail", "-c"]

# The steps of a release
mod release "ci/release.just"

# Show this list
@default:
    "{{ just_executable() }}" --list --unsorted

# Format all code
fmt:
    cargo fmt --all
    cargo fmt --all --manifest-path guests/Cargo.toml

# Fail where the code is not formatted
fmt-check:
    cargo fmt --all --check
    cargo fmt --all --manifest-path guests/Cargo.toml --check

# Fail where Clippy finds anything
lint:
    cargo clippy --workspace --all-targets -- -D warnings
    # Alone, and so without a compiler.
    cargo clippy --package nebula-lambda -- -D warnings
    cargo clippy --manifest-path guests/Cargo.toml --all-targets -- -D warnings

# Fail where two files or folders import each other, or a room of the runtime imports one above it
circles:
    python3 -B -m unittest discover --quiet --start-directory ci
    python3 ci/circles.py

# Build the documentation, and fail where it has a broken link or a gap
doc:
    RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps

# Build the documentation site into target/book, after checking its links: needs mdBook
docs:
    cargo test --quiet --workspace --test links
    mdbook build

# Write the pages of docs/reference that are made from the code
reference:
    NEBULA_UPDATE_REFERENCE=1 cargo test --quiet --workspace --bin nebula reference

# Write the manual pages of `nebula` to target/man
man:
    cargo run --quiet -- man target/man

# Build the guests, after making the WebAssembly targets where they are missing
guests:
    guests/build.sh

# Run all tests: the guests' own, then the workspace's, then the examples in its documentation
test: guests
    cargo test --quiet --manifest-path guests/Cargo.toml --package resize
    if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --workspace; else cargo test --workspace --lib --bins --tests --examples; fi
    cargo test --workspace --doc

# Test what `nebula new` makes in every language: minutes, and downloads from npm and PyPI
guests-all:
    cargo build --package nebula-cli
    NEBULA_TEST_HEAVY_GUESTS=1 cargo test --package nebula-integration-tests --test new

# Print how fast Nebula is, as ratios to doing the same without it
bench *groups: guests
    cargo build --release --package nebula-cli --package nebula-bench
    cargo build --profile bootstrap --package nebula-lambda --package nebula-bench-hello
    target/release/nebula-bench {{ groups }}

# Load a server while its store hangs (store), and while its log cannot be written (log): a minute each, or as many seconds as the last argument says; change watched files a thousand times (watch)
soak *runs:
    cargo build --release --package nebula-cli --package nebula-bench
    target/release/nebula-bench soak {{ runs }}

# Build target/lambda/bootstrap-ARCH, the program in a package for AWS Lambda, against the glibc that is there: needs cargo-zigbuild (PyPI) and Rust's target for the architecture
bootstrap arch="x86_64":
    cargo zigbuild --profile bootstrap --package nebula-lambda --target {{ if arch == "arm64" { "aarch64" } else { arch } }}-unknown-linux-gnu.2.34
    mkdir -p target/lambda
    cp target/{{ if arch == "arm64" { "aarch64" } else { arch } }}-unknown-linux-gnu/bootstrap/bootstrap target/lambda/bootstrap-{{ arch }}

# Fuzz the reader of typed functions' JSON for as long as it is let: needs a nightly compiler and cargo-fuzz
fuzz *args:
    mkdir -p fuzz/corpus/typed
    cargo +nightly fuzz run typed fuzz/corpus/typed fuzz/seeds {{ args }}

# Test a running server by its own description: needs openapi-spec-validator and schemathesis (PyPI)
openapi server="http://127.0.0.1:8080":
    curl --silent --fail {{ server }}/openapi.json | openapi-spec-validator -
    schemathesis run {{ server }}/openapi.json --checks response_schema_conformance,status_code_conformance,content_type_conformance

# Test the demo, a typed component and a handler by their description, and with a client made from it: downloads from PyPI
openapi-client: guests
    cargo build --package nebula-cli
    ci/openapi-client.sh

# Check what is depended on: which crates, under which licences, from where
deny:
    cargo deny check bans licenses sources
    cargo deny --manifest-path guests/Cargo.toml check bans licenses sources

# Check the dependencies for known vulnerabilities: downloads the advisory database
advisories:
    cargo deny check advisories
    cargo deny --manifest-path guests/Cargo.toml check advisories

# Pack the crates that are published, and check that each package is complete; `just release::package` builds them too
package:
    ci/package.sh --no-verify --allow-dirty

# Compile everything with the oldest Rust that Cargo.toml promises: needs rustup
msrv:
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) && \
    rustup toolchain install --profile minimal "$version" && \
    cargo "+$version" check --workspace --all-targets --locked

# Check the workflows: what they are allowed to do, and, where actionlint is there, how they are written
workflows:
    zizmor --offline --quiet .github
    if command -v actionlint >/dev/null; then actionlint; else echo "without actionlint, which is not installed"; fi

# Check the spelling
typos:
    typos

# Run all that a change has to pass, the quick checks first
ci: fmt-check typos circles workflows deny package lint doc test docs
