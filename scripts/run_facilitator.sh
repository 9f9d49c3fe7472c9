#!/usr/bin/env bash
# Starts a facilitator and says where it listens; Ctrl-C stops it. --help shows the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
build
exec node "$root/dist/parties/facilitator/main.js" "$@"
