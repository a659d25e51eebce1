#!/usr/bin/env bash
# Packs the published crates, and fails if a package lacks a file. Cargo silently leaves out folders that have a
# Cargo.toml of their own.
#
#   ci/package.sh [OPTION OF CARGO PACKAGE]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

unpublished=(nebula-bench nebula-bench-hello nebula-fuzz nebula-integration-tests)
folders=(nebula-runtime frontends/*)
packed_paths=(LICENSE-APACHE LICENSE-MIT README.md examples src templates)

main() {
  cargo package --quiet --workspace "${unpublished[@]/#/--exclude=}" "$@"
  for folder in "${folders[@]}"; do
    missing=$(comm -23 <(tracked "$folder") <(packed "$folder"))
    [ -z "$missing" ] && continue
    echo "the package of $folder lacks: $missing" >&2
    return 1
  done
}

tracked() { (cd "$1" && git ls-files -- "${packed_paths[@]}" | LC_ALL=C sort); }

packed() { cargo package --list --allow-dirty --manifest-path "$1/Cargo.toml" | LC_ALL=C sort; }

main "$@"
