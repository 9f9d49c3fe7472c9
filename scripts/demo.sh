#!/usr/bin/env bash
# Trains a model with every party in a process of its own and compares it with pooled plaintext training.
# Usage: scripts/demo.sh [--data FILE --model FILE] [--owners N] [--json]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
build
exec node "$root/dist/scripts/demo.js" "$@"
