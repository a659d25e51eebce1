#!/usr/bin/env bash
# Installs azurite, the tests' server of Azure Blob Storage (npm), into target/tools/azurite. `nebula-store-servers` looks
# for it there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=target/tools/azurite version=3.35.0
installed=$(node -p "require('./$tools/node_modules/azurite/package.json').version" 2>/dev/null) || installed=none
[ "$installed" != $version ] || exit 0
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools" "azurite@$version"
