#!/usr/bin/env bash
# Serves the demo, a typed component and two handlers, and tests them by their own description: whether that is OpenAPI, whether
# the server keeps to it, and whether a client that is made from it calls each kind of function.
#
#   ci/openapi-client.sh [NEBULA]
#
# It needs guests/build and Python 3, and downloads openapi-spec-validator, schemathesis and openapi-python-client from PyPI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
repository=$PWD
nebula=$(realpath "${1:-target/debug/nebula}")
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$work"' EXIT

main() {
  python3 -m venv "$work/venv"
  export PATH=$work/venv/bin:$PATH
  pip install --quiet openapi-python-client==0.29.1 openapi-spec-validator==0.9.0 schemathesis==4.32.5
  serve
  echo "== the description is OpenAPI"
  curl --silent --fail "$url/openapi.json" >"$work/openapi.json"
  openapi-spec-validator "$work/openapi.json"
  echo "== the server keeps to it"
  keeps_to_it
  echo "== a generated client calls each kind"
  # It fails at the first thing that the generator would leave out.
  openapi-python-client generate --path "$work/openapi.json" --meta none --output-path "$work/client" --fail-on-warning
  PYTHONPATH=$work python3 ci/openapi_client.py "$url"
}

serve() {
  sed "s|source = \"guests/|source = \"$repository/guests/|" nebula.toml >"$work/nebula.toml"
  for guest in shop http-hello http-echo; do
    printf '[functions.%s]\nsource = "%s"\n' "$guest" "$repository/guests/build/$guest.wasm" >>"$work/nebula.toml"
  done
  printf '[functions.plus]\nsource = "%s/plus.wat"\n' "$work" >>"$work/nebula.toml"
  echo '(module (func (export "plus") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))' >"$work/plus.wat"
  "$nebula" serve --config "$work/nebula.toml" --store "$work/store" --listen 127.0.0.1:0 2>"$work/log" &
  server=$!
  until url=$(sed -n 's/^listening on //p' "$work/log") && [ -n "$url" ]; do
    kill -0 "$server" || { cat "$work/log"; exit 1; }
    sleep 0.1
  done
}

# Left out is what a function answers by its own rules (a division by 0 is a 502, an order of what there is none of a 422), and
# which methods are answered: a GET without the arguments that a function needs is refused as such and not described, and
# commands and handlers take every method, of which OpenAPI has not all. `http-echo` answers with the media type that it
# was sent, or with none.
keeps_to_it() {
  cd "$work" # It leaves a folder behind.
  local own=not_a_server_error,positive_data_acceptance methods=unsupported_method,allow_header_conformance
  schemathesis run "$url/openapi.json" --exclude-checks "$own,$methods" --exclude-path /api/http-echo --seed "${SEED:-1}"
  cd "$repository"
}

main
