#!/usr/bin/env bash
# Measures sealsum beside paillier-bigint in one process. Usage: scripts/bench.sh [--json] [--bits 2048,3072]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
install
cd "$root"
exec node --import tsx scripts/bench.ts "$@"
