#!/usr/bin/env bash
# Installs moto, the S3 server of the tests (PyPI), into target/tools/moto. `nebula-store-servers` looks for it there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=target/tools/moto
PYTHONPATH=$tools python3 -c 'import moto.server, moto.s3, flask_cors' 2>/dev/null && exit
# With --target, pip leaves the system's Python alone, which Debian's insists on. Of moto's services only S3 is needed,
# and what its server is made of: all of them are four hundred megabytes.
python3 -m pip install -q --root-user-action ignore --target "$tools" 'moto[s3]==5.2.5' flask flask-cors
