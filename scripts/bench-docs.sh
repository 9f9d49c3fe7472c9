#!/usr/bin/env bash
# Measures everything again for the docs: docs/bench.txt, docs/bench.svg and docs/bench-scaling.txt. Options,
# such as --quick, are for both measurements.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder="$(mktemp -d)"
trap 'rm -r "$folder"' EXIT
scripts/bench.sh --svg "$folder/bench.svg" "$@" >"$folder/bench.txt"
scripts/bench-scaling.sh "$@" >"$folder/bench-scaling.txt"
# Only what is whole replaces what was there.
cp "$folder"/bench.svg "$folder"/bench.txt "$folder"/bench-scaling.txt docs/
