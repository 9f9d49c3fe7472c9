#!/usr/bin/env bash
# Installs from the lock file and builds, each only when needed and one script at a time. The other scripts source it; run by
# itself, it prepares a checkout that is to be read-only from then on. Says what it does on standard error, so that standard
# output stays clean.
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

if ! command -v node >/dev/null || [ "$(node -p 'process.versions.node.split(".")[0] >= 20')" != true ]; then
  echo 'sealsum needs Node.js 20 or newer' >&2
  exit 1
fi

# Runs a function while no other script does, where the system has flock; the lock goes with the process.
alone() {
  (
    if command -v flock >/dev/null; then flock 9; fi
    "$@"
  ) 9<"$root"
}

install() {
  alone install_alone
}

build() {
  alone build_alone
}

# Those who run a checkout need not be those who may change it.
writable() {
  if [ ! -w "$root" ]; then
    echo "$root is not prepared, and $(id -un) may not write there: its owner runs scripts/prepare.sh" >&2
    exit 1
  fi
}

install_alone() {
  if [ "$root/package-lock.json" -nt "$root/node_modules/.package-lock.json" ]; then
    writable
    echo 'installing from the lock file …' >&2
    (cd "$root" && npm ci --no-audit --no-fund >&2)
    touch "$root/node_modules/.package-lock.json"
  fi
  build_native_alone
}

# The native kernel is of this machine and made when the package is installed; here it is made again when its sources are newer.
build_native_alone() {
  local sources="$root/src/paillier/native"
  local made
  [ -d "$sources" ] || return 0
  made="$(find "$root" -maxdepth 2 -path "$root/build/kernel-*.node" -print -quit)"
  if [ -w "$root" ] && command -v "${CXX:-c++}" >/dev/null &&
    { [ -z "$made" ] || [ -n "$(find "$sources" -newer "$made" \( -name '*.h' -o -name '*.cc' \) -print -quit)" ]; }; then
    echo 'building the native kernel …' >&2
    (cd "$root" && node scripts/build-native.js >&2)
  fi
}

build_alone() {
  install_alone
  local built="$root/dist/.built"
  if [ ! -e "$built" ] || [ -n "$(find "$root/src" "$root/parties" "$root/scripts" "$root/examples" \
    "$root/package.json" "$root/tsconfig.json" "$root/tsconfig.build.json" -newer "$built" \( -name '*.ts' -o -name '*.json' \
    -o -name '*.svelte' -o -name '*.css' -o -name '*.html' \) -print -quit)" ]; then
    writable
    echo 'building …' >&2
    # What is saved during the build counts as newer than it.
    mkdir -p "$root/dist"
    touch "$built.began"
    (cd "$root" && npm run --silent build >&2)
    mv "$built.began" "$built"
  fi
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  build
fi
