#!/usr/bin/env bash
# Everything that must hold: types, format, lint, dead code, import rules, and every test. SLOW=1 runs the long doses.
# Usage: scripts/test.sh [PATTERN]   (a regular expression on the paths of test files)
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
build
cd "$root"
if [ $# -eq 0 ]; then
  # What npm run check does; the longest beside the others.
  npm run --silent check:lint &
  failed=0
  for check in types format dead imports; do npm run --silent "check:$check" || failed=1; done
  wait $! || failed=1
  [ "$failed" -eq 0 ] || exit 1
fi
exec node --import tsx scripts/run-tests.ts "$@"
