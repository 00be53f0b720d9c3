#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fuzz.sh FUZZER CORPUS [SECONDS] - let a fuzzer look for trouble for so long
#
# It works on a copy of the corpus.  What it finds stays in crash-... in the
# build directory, to be made small, mended, and put into the corpus.
set -eu
fuzzer=$1
corpus=$2
seconds=${3:-60}
name=${fuzzer##*/}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$corpus"/* "$work"
log=$work.log
status=0
"$fuzzer" -max_total_time="$seconds" -max_len=65536 -timeout=10 \
	-rss_limit_mb=1024 -malloc_limit_mb=256 -print_final_stats=1 \
	-artifact_prefix="./$name-" "$work" >"$log" 2>&1 || status=$?
sed -n 's/^stat::number_of_executed_units: */# executions: /p' "$log"
if [ "$status" -eq 0 ]; then
	echo "ok 1 - $name for $seconds s"
else
	sed 's/^/# /' "$log" | tail -n 60
	echo "not ok 1 - $name for $seconds s"
fi
rm -f "$log"
echo "1..1"
exit "$status"
