#!/usr/bin/env bash
# Measures how time and memory grow with values, owners and key size; --help shows the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
build
exec node "$root/dist/scripts/bench-scaling.js" "$@"
