#!/bin/sh
# SPDX-License-Identifier: MIT
#
# wordcount.sh WORDCOUNT KIN - the example, whole and with a worker killed
set -eu
wordcount=$1
kin=$2
n=0
failed=0

verdict() {	# words, status
	n=$((n + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		sed 's/^/# /' "$work/out" "$work/err"
		failed=1
	fi
}

# The status of a command, for verdict.
try() {
	if "$@" >/dev/null 2>&1; then r=0; else r=1; fi
}

# Until the command works; the test's own time-out ends what never comes.
await() {
	until "$@" >/dev/null 2>&1; do
		sleep 0.02
	done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/texts"
i=0
while [ $i -lt 200 ]; do
	i=$((i + 1))
	seq $i $((i * 7)) | sed 's/1/one /g; s/2/two /g; s/[3-9]/Many /g' \
		>"$work/texts/$i.txt"
done
printf 'held held held\n' >"$work/texts/held.txt"

# Against a count that has nothing of ours in it.
cat "$work/texts"/*.txt | tr -cs '[:alpha:]' '\n' | tr '[:upper:]' '[:lower:]' | grep . |
	sort | uniq -c | sort -rn | awk '{ print $1, $2 }' >"$work/right"
"$wordcount" -j 3 "$work/texts" >"$work/out" 2>"$work/err" && r=0 || r=1
verdict 'it counts, and checks itself' "$r"
awk '$1 ~ /^[0-9]+$/ && NF == 2 { print $1, $2 }' "$work/out" |
	sort -rn >"$work/ours"
try diff "$work/right" "$work/ours"
verdict 'its counts are those of tr, sort and uniq' "$r"

"$wordcount" -j 2 --midway "'$kin' ls" "$work/texts" >"$work/out" \
	2>"$work/err" && r=0 || r=1
verdict 'it runs kin ls in the middle' "$r"
try awk '/^queue .* names/ { a = 1 } /^queue .* totals/ { b = 1 }
	END { exit !(a && b) }' "$work/out"
verdict 'which sees both of its queues' "$r"

# One worker is killed with a file in its hands.
held=$work/texts/held.txt
"$wordcount" -j 2 --pause-at "$held" "$work/texts" >"$work/out" \
	2>"$work/err" &
pid=$!
await grep "holds $held" "$work/err"
kill -KILL "$(sed -n 's/^worker \([0-9]*\) holds .*/\1/p' "$work/err")"
if wait $pid; then r=0; else r=$?; fi
verdict 'a killed worker makes it end with 1' $((r != 1))
try grep 'killed by SIGKILL' "$work/err"
verdict 'the signal is reported' "$r"
try grep -x "missing: $held" "$work/err"
verdict 'the file is named that is missing' "$r"
[ "$(grep -c '^missing:' "$work/err")" -eq 1 ] && r=0 || r=1
verdict 'and only that one' "$r"
awk '$1 ~ /^[0-9]+$/ && NF == 2 { print $1, $2 }' "$work/out" |
	sort -rn >"$work/ours"
grep -v ' held$' "$work/right" | diff - "$work/ours" >/dev/null && r=0 || r=1
verdict 'all other files are counted, exactly' "$r"

# The parent is killed, and its children go with it.
"$wordcount" -j 2 --pause-at "$held" "$held" >"$work/out" 2>"$work/err" &
pid=$!
await grep "holds $held" "$work/err"
worker=$(sed -n 's/^worker \([0-9]*\) holds .*/\1/p' "$work/err")
kill -KILL $pid
wait $pid || true
until ! kill -0 "$worker" 2>/dev/null ||
	grep -q '^State:.*Z' "/proc/$worker/status" 2>/dev/null; do
	sleep 0.02
done
verdict 'children of a killed parent are gone' 0
echo "1..$n"
exit $failed
