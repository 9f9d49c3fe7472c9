#!/usr/bin/env bash
# Trains on handwritten digits that stay with their owners; installs and builds first where needed.
# Usage: examples/digits/run.sh [--data FILE] [--json] …   (--help shows the options)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../../scripts/prepare.sh"
build
exec node "$root/dist/examples/digits/main.js" "$@"
