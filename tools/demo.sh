#!/bin/sh
# SPDX-License-Identifier: MIT
#
# demo.sh - build kin, and see it do its main job
#
#      sh tools/demo.sh [wordcount's arguments]
#
# Counts the words of all texts in /usr/include and /usr/share/doc in many
# processes, looks at it in the middle by `kin ls` and `kin show`, and checks the
# result.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$root/build/demo

step() {
	echo "== $*"
}

# Run a step, which is not worth reading unless it fails.
quietly() {
	if ! "$@" >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		echo "demo: this failed: $*" >&2
		exit 1
	fi
}

# One word of a shell command, whatever is in it.
quoted() {
	printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}

step "looking for what it takes to build"
sh "$root/tools/setup.sh" build

log=$(mktemp)
trap 'rm -f "$log"' EXIT

step "building in build/demo"
if [ ! -f "$build/build.ninja" ]; then
	quietly meson setup -Dbuildtype=release -Dtests=disabled "$build" "$root"
fi
quietly ninja -C "$build" examples/wordcount tools/kin

step "counting words"
kin=$(quoted "$build/tools/kin")
"$build/examples/wordcount" --midway "$kin ls && $kin show names" "$@"
