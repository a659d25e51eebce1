#!/usr/bin/env bash
# Builds the programs of a release for this machine in target/dist: an archive of `nebula`, and on Linux also
# `bootstrap` and `bootstrap-services`. On Linux it needs cargo-zigbuild (PyPI), which links to glibc 2.34 instead of the machine's own glibc.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=$(rustc -vV | sed -n 's/^host: //p')
name=nebula-$target
architecture=${target%%-*}
architecture=${architecture/aarch64/arm64}
built=target/$target/release/nebula

main() {
  case $target in
    *-linux-*)
      cargo zigbuild --locked --release --package nebula-cli --target "$target.2.34"
      just bootstrap "$architecture"
      just bootstrap-services "$architecture"
      ;;
    *) cargo build --locked --release --package nebula-cli --target "$target" ;;
  esac
  rm -rf "target/dist/$name"
  mkdir -p "target/dist/$name"
  cp "$built" README.md LICENSE-APACHE LICENSE-MIT "target/dist/$name"
  tar -czf "target/dist/$name.tar.gz" -C target/dist "$name"
  rm -r "target/dist/$name"
  [ ! -d target/lambda ] || cp target/lambda/bootstrap-* target/dist
}

main
