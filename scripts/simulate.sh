#!/usr/bin/env bash
# Simulates rounds under faults; --help shows the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
install
cd "$root"
exec node --import tsx scripts/simulate.ts "$@"
