#!/usr/bin/env bash
# Measures sealsum beside paillier-bigint and CKKS in one process; --help shows the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
install
cd "$root"
exec node --import tsx scripts/bench.ts "$@"
