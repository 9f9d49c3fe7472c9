#!/usr/bin/env bash
# Starts a facilitator and says where it listens; Ctrl-C stops it. --help shows the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
build
# What arrives is garbage a moment later, so that a small nursery serves as well: memory stays the same however long
# contributions are (npm run bench:load).
exec node --max-semi-space-size=2 "$root/dist/parties/facilitator/main.js" "$@"
