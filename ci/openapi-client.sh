#!/usr/bin/env bash
# Serves the demo, a typed component and two handlers, and tests their OpenAPI description. It must be valid, the server
# must keep to it, and a client that is generated from it must be able to call each kind of function.
#
#   ci/openapi-client.sh [NEBULA]
#
# It needs guests/build and Python 3, and downloads openapi-spec-validator, schemathesis and openapi-python-client from
# PyPI.
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
  echo "== the server keeps to its description"
  check_server
  echo "== a generated client calls each kind"
  # The option makes the generator fail if it would leave anything out.
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

# Some checks are left out:
# - of responses that depend on the function's own rules: a division by 0 is a 502, an order of an unknown good a 422;
# - of methods: a GET without the needed arguments is refused and not described, and commands and handlers take every
#   method, also those that OpenAPI does not know;
# - of `http-echo`, which answers with the media type of the request, or with none.
check_server() {
  cd "$work" # schemathesis leaves a folder behind
  local own=not_a_server_error,positive_data_acceptance methods=unsupported_method,allow_header_conformance
  schemathesis run "$url/openapi.json" --exclude-checks "$own,$methods" --exclude-path /api/http-echo --seed "${SEED:-1}"
  cd "$repository"
}

main
