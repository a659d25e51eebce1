#!/usr/bin/env bash
# Builds every Rust guest to guests/build/NAME.wasm. First it adds the compiler's WebAssembly targets if they are
# missing. Guests in the text format need no build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

core=wasm32-unknown-unknown command=wasm32-wasip1 component=wasm32-wasip2
components=(echo environment exit-code)
# A toolchain for machines that cannot reach rustup's servers. All checkouts share it.
own=${XDG_CACHE_HOME:-$HOME/.cache}/nebula/rust-wasm

# Cargo sets the host's compiler, flags and folders for its child processes. They do not fit the guests.
unset CARGO RUSTC RUSTDOC RUSTC_WRAPPER RUSTUP_TOOLCHAIN RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET CARGO_BUILD_TARGET_DIR CARGO_BUILD_RUSTFLAGS

main() {
  choose_toolchain
  build "$core" --package numeric --examples
  build "$core" --package faulty --example faulty
  build "$command" --package commands --package faulty --package resize
  build "$component" --package commands "${components[@]/#/--bin=}"
  build "$component" --package blobs --package faulty --package http --package services --package typed --examples
  build "$component" --package command3 --package http-hello

  delivered=" "
  mkdir -p build
  for source in numeric/examples/*.rs; do
    name=$(basename "$source" .rs)
    deliver "target/$core/release/examples/${name//-/_}.wasm" "$name"
  done
  deliver "target/$core/release/examples/faulty.wasm" faulty
  for source in {commands,faulty}/src/bin/*.rs; do
    name=$(basename "$source" .rs)
    deliver "target/$command/release/$name.wasm" "$name"
  done
  deliver "target/$command/release/resize.wasm" resize
  for name in "${components[@]}"; do
    deliver "target/$component/release/$name.wasm" "$name-component"
  done
  for source in {blobs,http,services,typed}/examples/*.rs faulty/examples/faulty-*.rs; do
    name=$(basename "$source" .rs)
    deliver "target/$component/release/examples/${name//-/_}.wasm" "$name"
  done
  for name in command3 http-hello; do
    deliver "target/$component/release/${name//-/_}.wasm" "$name"
  done
  remove_others
}

build() { cargo build --release --locked --target-dir target --target "$@"; }

choose_toolchain() {
  has_targets && return
  [ ! -e "$own" ] && RUST_BACKTRACE=0 rustup target add "$core" "$command" "$component" && return
  echo "rustup could not add the WebAssembly targets: using the toolchain in $own, which is made first if it does not exist"
  ../ci/setup-rust-wasm.sh "$own"
  export RUSTUP_TOOLCHAIN=$own/usr
}

has_targets() {
  for target in "$core" "$command" "$component"; do
    [ -d "$(rustc --print target-libdir --target "$target")" ] || return
  done
}

# deliver FILE NAME: replaces the guest's file atomically, if it has changed. A server or a cache may be watching the
# file.
deliver() {
  delivered+="$2.wasm "
  cmp -s "$1" "build/$2.wasm" && return
  cp "$1" "build/.$2.part"
  mv "build/.$2.part" "build/$2.wasm"
}

# Removes the files of guests whose sources no longer exist.
remove_others() {
  for file in build/*; do
    [[ $delivered == *" ${file#build/} "* ]] || rm "$file"
  done
}

main
