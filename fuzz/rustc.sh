#!/usr/bin/env bash
# The compiler of `just fuzz`: RUSTC_WORKSPACE_WRAPPER has Cargo call it for the crates of this workspace. It counts which
# of their code an input reaches, which needs no nightly compiler. The code of dependencies is not counted: Cranelift's
# branches would hide those of Nebula.
set -euo pipefail

# Build scripts and macros run in the compiler, where no fuzzer is.
case "$*" in
  *build_script* | *"--crate-type proc-macro"*) exec "$@" ;;
esac
exec "$@" -Copt-level=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
