#!/usr/bin/env bash
# Packs sealsum, installs the tarball into an empty folder, and tries what people do with it there: the demo, the library, its
# types, the browser bundle. Publishes nothing. docs/releasing.md says how a release is made.
# Usage: scripts/release.sh [--trial] [--output FOLDER]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"
case " $* " in
  *' --trial '* | *' --help '*) ;;
  # What a former build has left behind is no part of a release.
  *) rm -rf "$root/dist" ;;
esac
build
exec node "$root/dist/scripts/release.js" "$@"
