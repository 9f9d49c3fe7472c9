#!/usr/bin/env bash
# Everything that must hold: types, format, lint, dead code, import rules, and every test. SLOW=1 runs the long doses.
# Usage: scripts/test.sh [PATTERN]   (a regular expression on the paths of test files)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
build
cd "$root"
if [ $# -eq 0 ]; then npm run --silent check; fi
exec node --import tsx scripts/run-tests.ts "$@"
