#!/usr/bin/env bash
# Makes a Rust toolchain with the WebAssembly targets in DEST, for machines that cannot reach rustup's servers. It
# behaves as after `rustup target add`. `guests/build.sh` tries rustup first, and runs this script only if that fails.
#
#   ci/setup-rust-wasm.sh DEST
#   RUSTUP_TOOLCHAIN=DEST/usr cargo build --release --target wasm32-wasip2
#
# It needs Debian 12 with its security updates, PyPI, cargo's registry, and a stable toolchain from rustup. It does not
# need root and installs nothing. It writes only to DEST and to cargo's cache. It takes about three minutes and 700 MB.
# If DEST has a finished toolchain, it does nothing.
set -euo pipefail

command -v apt-get >/dev/null || { echo "this works only on Debian: elsewhere, add the targets with rustup" >&2; exit 1; }

targets=(wasm32-unknown-unknown wasm32-wasip1 wasm32-wasip2)
dest=$(realpath -m "${1:?usage: ci/setup-rust-wasm.sh DEST}")
toolchain=$dest/usr
work=$dest/work
host=$(rustc -vV | sed -n 's/^host: //p')
lent=$(env -u RUSTUP_TOOLCHAIN rustc --print sysroot)
# A finished toolchain stores the digest of this script, so that a changed script makes it again.
recipe=$(sha256sum <"${BASH_SOURCE[0]}")

finished() { [ "$(cat "$dest/recipe" 2>/dev/null)" = "$recipe" ] && [ -x "$toolchain/bin/cargo" ]; }

# Uses separate package lists and archives. So it needs no root, and the machine's lists may be old.
apt() {
  local command=$1
  shift
  "$command" -q -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/archives" -o APT::Sandbox::User="$(id -un)" "$@"
}

# Prints the dependency of package $1 whose name starts with $2.
dependency() { apt apt-cache depends "$1" | awk -v name="^$2" '$1 == "Depends:" && $2 ~ name { print $2; exit }'; }

# Debian has a recent rustc for its browsers. Its LLVM has the WebAssembly backend, and there is a package with the
# sources of its std. rustup's rustc cannot be used, because std only builds with the compiler of the same release.
unpack_rustc() {
  mkdir -p "$work/lists/partial" "$work/archives/archives/partial" "$work/debs"
  apt apt-get update || echo "some package lists cannot be downloaded: continuing with the others"
  local std llvm
  std=$(dependency libstd-rust-web-dev libstd-rust-web-)
  llvm=$(dependency "$std" libllvm)
  (cd "$work/debs" && apt apt-get download rustc-web libstd-rust-web-dev rust-web-src "$std" "$llvm")
  for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$dest"; done
  # rustup starts rustc with LD_LIBRARY_PATH=$toolchain/lib. Debian's libraries are in a subfolder of it.
  (cd "$toolchain/lib" && for library in *-linux-gnu/lib*.so*; do ln -sfn "$library" .; done)
}

# Debian has no linker for components and no cargo for this rustc. Those of rustup work too.
lend_cargo_and_linkers() {
  local linkers=lib/rustlib/$host/bin
  mkdir -p "$toolchain/$linkers"
  ln -sfn "$lent/bin/cargo" "$toolchain/bin/cargo"
  for linker in rust-lld wasm-component-ld; do ln -sfn "$lent/$linkers/$linker" "$toolchain/$linkers/$linker"; done
}

# Zig has the sources of wasi-libc and compiles the parts that a program links. Two empty programs give all files that
# Rust needs. The version is 0.14.1, because later ones keep malloc, memcmp and strlen outside of libc.a.
build_wasi_libc() {
  python3 -m pip install -q --root-user-action ignore --no-deps --target "$work/zig" ziglang==0.14.1
  local zig=$work/zig/ziglang/zig cache=$work/zig-cache
  export ZIG_GLOBAL_CACHE_DIR=$cache ZIG_LOCAL_CACHE_DIR=$cache
  # std refers to thread functions that this wasi-libc does not have. These fail with EAGAIN when a thread is made.
  cat >"$work/threads.c" <<'C'
int pthread_attr_init(void *attributes) { return 0; }
int pthread_attr_destroy(void *attributes) { return 0; }
int pthread_attr_setstacksize(void *attributes, unsigned long size) { return 0; }
int pthread_create(void *thread, const void *attributes, void *(*start)(void *), void *argument) { return 6; }
int pthread_detach(void *thread) { return 0; }
int pthread_join(void *thread, void **result) { return 0; }
C
  echo 'int main(void) { return 0; }' >"$work/empty.c"
  local cc=("$zig" cc -target wasm32-wasi -O2)
  "${cc[@]}" -o "$work/command.wasm" "$work/empty.c"
  "${cc[@]}" -mexec-model=reactor -Wl,--no-entry -o "$work/reactor.wasm" "$work/empty.c"
  "${cc[@]}" -c -o "$work/threads.o" "$work/threads.c"
  "$zig" ar rcs "$(find "$cache" -name libc.a)" "$work/threads.o"
  for target in "${targets[@]}"; do
    [[ $target == *wasi* ]] || continue
    local place=$toolchain/lib/rustlib/$target/lib/self-contained
    mkdir -p "$place"
    find "$cache" \( -name libc.a -o -name crt1-command.o -o -name crt1-reactor.o \) -exec cp {} "$place/" \;
  done
}

# Builds std for each target, in the folder where rustc looks for it. So building a guest needs no unstable flags.
build_std() {
  mkdir -p "$work/std/src"
  touch "$work/std/src/lib.rs"
  printf '[package]\nname = "nothing"\nedition = "2024"\n[workspace]\n' >"$work/std/Cargo.toml"
  for target in "${targets[@]}"; do
    echo "building the standard library for $target"
    # RUSTC_BOOTSTRAP allows -Zbuild-std. Guests with link-time optimisation need the bitcode.
    (cd "$work/std" && RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes RUSTUP_TOOLCHAIN=$toolchain \
      cargo build -q --release -Zbuild-std=std,panic_abort --target "$target" --target-dir target)
    mkdir -p "$toolchain/lib/rustlib/$target/lib"
    find "$work/std/target/$target/release/deps" -name 'lib*.rlib' ! -name 'libnothing-*' \
      -exec cp {} "$toolchain/lib/rustlib/$target/lib/" \;
  done
}

mkdir -p "$dest"
exec 9>"$dest/lock"
flock 9 # two checkouts may share DEST
finished && exit
rm -rf "$dest/recipe" "$toolchain" "$work"
mkdir -p "$work"
unpack_rustc
lend_cargo_and_linkers
build_wasi_libc
build_std
rm -rf "$work" "$toolchain/lib/rustlib/src" "$toolchain"/src/rustc-* # the sources alone are 430 MB
echo "$recipe" >"$dest/recipe"
