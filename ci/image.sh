#!/usr/bin/env bash
# Unpacks the archives of target/dist into target/image, the folder that ci/Dockerfile copies from. Then builds the
# image for both processors, and fails where the compressed layers take 40 MB, or where it does not run as it should.
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

# An archive of the image is its compressed layers and a few pages of JSON.
is_small() {
  local archive=target/image-$1.tar size
  build --platform "linux/$1" --output "type=oci,dest=$archive"
  size=$(wc -c <"$archive")
  rm "$archive"
  echo "the image for $1 takes $size bytes"
  [ "$size" -lt "$largest" ] || { echo "that is more than $largest" >&2; return 1; }
}

# As a careful operator runs it: with a root that is read-only, without rights, and here also without a network.
runs() {
  build --load --tag nebula-check
  docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges --network none nebula-check --version
  [ "$(docker image inspect --format '{{.Config.User}}' nebula-check)" = 65532:65532 ]
}

main
