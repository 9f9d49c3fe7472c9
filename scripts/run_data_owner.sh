#!/usr/bin/env bash
# Starts a data owner and says where it listens; Ctrl-C stops it. --help shows the options.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
build
# What a round needs is large and short-lived. The C library would keep it for the next time, in an arena for each thread: with a
# million parameters that is 50 MB more (npm run bench:round). Other C libraries than glibc's do not know these.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
export MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-131072}"
export MALLOC_MMAP_THRESHOLD_="${MALLOC_MMAP_THRESHOLD_:-131072}"
exec node "$root/dist/parties/data-owner/main.js" "$@"
