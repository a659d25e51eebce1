#!/usr/bin/env bash
# Packs the crates that are published, and fails where a package lacks a file. Cargo leaves out a folder that has a
# Cargo.toml of its own, and does not say so.
#
#   ci/package.sh [OPTION OF CARGO PACKAGE]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

unpublished=(nebula-bench nebula-bench-hello nebula-integration-tests)
folders=(nebula-runtime frontends/{cli,http,lambda,local})
of_a_package=(LICENSE-APACHE LICENSE-MIT README.md examples src templates)

main() {
  cargo package --quiet --workspace "${unpublished[@]/#/--exclude=}" "$@"
  for folder in "${folders[@]}"; do
    lacking=$(comm -23 <(tracked "$folder") <(packed "$folder"))
    [ -z "$lacking" ] && continue
    echo "the package of $folder lacks: $lacking" >&2
    return 1
  done
}

tracked() { (cd "$1" && git ls-files -- "${of_a_package[@]}" | LC_ALL=C sort); }

packed() { cargo package --list --allow-dirty --manifest-path "$1/Cargo.toml" | LC_ALL=C sort; }

main "$@"
