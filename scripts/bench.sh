#!/usr/bin/env bash
# Measures sealsum beside paillier-bigint and CKKS in one process; --help shows the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
build
exec node "$root/dist/scripts/bench.js" "$@"
