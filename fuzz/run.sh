#!/usr/bin/env bash
# Fuzzes one target. Inputs that reach new code are kept in target/fuzz/TARGET, and are where the next run begins. An input
# that makes the target fail is target/fuzz/TARGET-crash-… (or -timeout-…, -oom-…).
#   fuzz/run.sh TARGET SECONDS [OPTION OF LIBFUZZER]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=$1 seconds=$2
shift 2
[ -d "fuzz/corpus/$target" ] || { echo "there is no target $target; there are:" $(ls fuzz/corpus) >&2; exit 2; }

# With all of the workspace, its crates have the features that they have in tests.
RUSTC_WORKSPACE_WRAPPER=$PWD/fuzz/rustc.sh \
  cargo build --quiet --workspace --bin "$target" --features nebula-fuzz/libfuzzer
mkdir -p "target/fuzz/$target"
exec "${CARGO_TARGET_DIR:-target}/debug/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 \
  -max_len=65536 -print_final_stats=1 -artifact_prefix="target/fuzz/$target-" "$@" \
  "target/fuzz/$target" "fuzz/corpus/$target"
