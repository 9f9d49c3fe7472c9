#!/usr/bin/env bash
# Measures whole rounds of a model with many parameters, every party in a process of its own; --help shows the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
build
exec node "$root/dist/scripts/bench-round.js" "$@"
