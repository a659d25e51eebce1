#!/bin/sh
# Builds words.wasm: QuickJS with the application in words.js. The sources of the engine are those of a crate, rquickjs-sys.
# Needs cargo and zig.
set -eu
cd "$(dirname "$0")"

sources=$(mktemp -d)
trap 'rm -rf "$sources"' EXIT
cargo init --quiet --vcs none --name engine "$sources"
cargo add --quiet --manifest-path "$sources/Cargo.toml" rquickjs-sys@=0.14.0
cargo vendor --quiet --manifest-path "$sources/Cargo.toml" "$sources/vendor" > "$sources/config.toml"
engine=$sources/vendor/rquickjs-sys/quickjs

zig cc -target wasm32-wasi -O2 -s -DNDEBUG -D_GNU_SOURCE -fno-sanitize=undefined -Wl,-z,stack-size=1048576 -I"$engine" \
  main.c "$engine/quickjs.c" "$engine/libregexp.c" "$engine/libunicode.c" "$engine/dtoa.c" -o words.wasm
