#!/usr/bin/env bash
# Measures one facilitator under load; --help shows the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
build
exec node "$root/dist/scripts/bench-load.js" "$@"
