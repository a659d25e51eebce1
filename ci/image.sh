#!/usr/bin/env bash
# Unpacks the archives of target/dist to target/image, from which ci/Dockerfile copies. Then builds the image for both
# processors. Fails if the compressed layers are larger than 40 MB, or if the image does not run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

context=target/image
largest=40000000

main() {
  rm -rf "$context"
  unpack x86_64 amd64
  unpack aarch64 arm64
  is_small amd64
  is_small arm64
  runs
}

unpack() {
  mkdir -p "$context/$2"
  tar -xzf "target/dist/nebula-$1-unknown-linux-gnu.tar.gz" -C "$context/$2" --strip-components 1
}

build() { docker buildx build --provenance false --file ci/Dockerfile "$@" "$context"; }

# The archive of an image has its compressed layers and a little JSON.
is_small() {
  local archive=target/image-$1.tar size
  build --platform "linux/$1" --output "type=oci,dest=$archive"
  size=$(wc -c <"$archive")
  rm "$archive"
  echo "the image for $1 takes $size bytes"
  [ "$size" -lt "$largest" ] || { echo "that is more than $largest" >&2; return 1; }
}

# Runs the image like a careful operator: with a read-only root and without rights. Here it also has no network.
runs() {
  build --load --tag nebula-check
  docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --network none nebula-check --version
  [ "$(docker image inspect --format '{{.Config.User}}' nebula-check)" = 65532:65532 ]
}

main
