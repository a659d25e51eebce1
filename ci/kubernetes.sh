#!/usr/bin/env bash
# Checks the manifests in ops/kubernetes against the schemas of Kubernetes, and starts a server with the nebula.toml in
# them.
#
#   ci/kubernetes.sh [NEBULA]
#
# It needs Python 3, and downloads kubernetes-validate from PyPI.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
nebula=$(realpath "${1:-target/debug/nebula}")
manifests=$PWD/ops/kubernetes/nebula.yaml
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; wait; rm -rf "$work"' EXIT

main() {
  python3 -m venv "$work/venv"
  export PATH=$work/venv/bin:$PATH
  pip install --quiet kubernetes-validate==1.37.0
  # The oldest version that has all that the manifests use, and the newest one.
  for version in 1.30 1.37; do
    kubernetes-validate --strict --quiet --kubernetes-version "$version" "$manifests"
    echo "the manifests are valid for Kubernetes $version"
  done
  serve
  curl --silent --fail "$url/healthz"
  echo ": a server has started with the configuration"
}

serve() {
  python3 - "$manifests" >"$work/nebula.toml" <<'PYTHON'
import sys, yaml

documents = yaml.safe_load_all(open(sys.argv[1]))
print(next(document for document in documents if document["kind"] == "ConfigMap")["data"]["nebula.toml"])
PYTHON
  "$nebula" serve --config "$work/nebula.toml" --store memory:// --listen 127.0.0.1:0 2>"$work/log" &
  server=$!
  until url=$(sed -n 's/^listening on //p' "$work/log") && [ -n "$url" ]; do
    kill -0 "$server" 2>/dev/null || { server= && cat "$work/log"; exit 1; }
    sleep 0.1
  done
}

main
