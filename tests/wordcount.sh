#!/bin/sh
# SPDX-License-Identifier: MIT
#
# wordcount.sh WORDCOUNT KIN - the example, whole and with somebody killed
set -eu
wordcount=$1
kin=$2
n=0
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

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

gone() {	# pid; one that nobody has waited for yet is gone, too
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status"
}

# Until the command works, as long as there is something that can change it.
await() {
	until "$@" >/dev/null 2>&1; do
		sleep 0.02
		if gone "$pid"; then
			"$@" >/dev/null 2>&1 || echo "# in vain: $*" >&2
			return 0
		fi
	done
}

# The counts that were printed, each on a line.
counts() {
	awk '$1 ~ /^[0-9]+$/ && NF == 2 { print $1, $2 }' "$work/out" | sort -rn
}

# The pids of a process's children of that name, or of its fork server's.
cat >"$work/children.sh" <<'END'
cat /proc/[0-9]*/status 2>/dev/null | awk -v parent="$1" -v who="$2" '
	$1 == "Name:" { name = $2 }
	$1 == "Pid:" { pid = $2 }
	$1 == "PPid:" { of[pid] = $2; called[pid] = name }
	END {
		for (pid in of)
			if (called[pid] == who &&
			    (of[pid] == parent || of[of[pid]] == parent))
				print pid
	}'
END
children() {	# parent, first word of the name
	sh "$work/children.sh" "$1" "$2"
}

# The worker that holds the file, the n'th that does.
holder() {	# n
	await awk -v n="$1" '/ holds / { n-- } END { exit n > 0 }' "$work/err"
	sed -n 's/^worker \([0-9]*\) holds .*/\1/p' "$work/err" | sed -n "$1p"
}

run_held() {	# arguments
	: >"$work/err"	# or what the last one said may still be read
	"$wordcount" -j 2 --pause-at "$held" "$@" >"$work/out" 2>"$work/err" &
	pid=$!
}

mkdir "$work/texts" "$work/large"
i=0
while [ $i -lt 200 ]; do
	i=$((i + 1))
	seq $i $((i * 7)) | sed 's/1/one /g; s/2/two /g; s/[3-9]/Many /g' \
		>"$work/texts/$i.txt"
done
held=$work/texts/held.txt
printf 'held held held\n' >"$held"

# Large ones, so that there are many batches.
cat "$work/texts"/*.txt "$work/texts"/*.txt >"$work/large/0.txt"
for i in 1 2 3 4 5 6 7 8 9 10 11; do
	sed "s/Many/m$i/" "$work/large/0.txt" >"$work/large/$i.txt"
done

# Against a count that has nothing of ours in it.
cat "$work/texts"/*.txt | tr -cs '[:alpha:]' '\n' |
	tr '[:upper:]' '[:lower:]' | grep . | sort | uniq -c | sort -rn |
	awk '{ print $1, $2 }' >"$work/right"
"$wordcount" -j 3 "$work/texts" >"$work/out" 2>"$work/err" && r=0 || r=1
verdict 'it counts, and checks itself' "$r"
counts >"$work/ours"
try diff "$work/right" "$work/ours"
verdict 'its counts are those of tr, sort and uniq' "$r"

"$wordcount" -j 2 --midway "'$kin' ls && '$kin' show names" "$work/texts" \
	>"$work/out" 2>"$work/err" && r=0 || r=1
verdict 'it runs kin ls and kin show in the middle' "$r"
try awk '/^queue .* names/ { a = 1 } /^segment .* texts/ { b = 1 }
	END { exit !(a && b) }' "$work/out"
verdict 'which see its queue and its texts' "$r"

# One worker is killed with a file in its hands, and another gets that.
run_held "$work/texts"
kill -KILL "$(holder 1)"
second=$(holder 2)
await grep -q '^State:.*T' "/proc/$second/status"
kill -CONT "$second"
if wait $pid; then r=0; else r=1; fi
verdict 'with a killed worker it ends well' "$r"
try grep 'killed by SIGKILL' "$work/err"
verdict 'the signal is reported' "$r"
counts >"$work/ours"
try diff "$work/right" "$work/ours"
verdict 'and nothing is missing' "$r"

# Whoever gets that file is killed.
run_held "$work/texts" "$work/large"
for i in 1 2 3 4 5; do
	victim=$(holder $i)
	kill -KILL "$victim"
done
if wait $pid; then r=0; else r=$?; fi
verdict 'what kills every worker makes it end with 1' $((r != 1))
try grep -x "missing: $held" "$work/err"
verdict 'the file is named that is missing' "$r"
try grep "^missing: $work/large/5.txt" "$work/err"
verdict 'and none that others have counted' $((!r))
try grep '^check .* the same count' "$work/out"
verdict 'all other files are counted, exactly' "$r"

# All workers are killed in the middle of it.
"$wordcount" -j 3 --midway "sh '$work/children.sh' \$PPID worker | xargs kill -KILL" "$work/large" \
	>"$work/out" 2>"$work/err" && r=0 || r=1
verdict 'with all workers killed in the middle it ends well' "$r"
[ "$(grep -c 'killed by SIGKILL' "$work/err")" -eq 3 ] && r=0 || r=1
verdict 'three deaths are reported' "$r"
try grep '^check .* the same count' "$work/out"
verdict 'and every count is right' "$r"

# One after the other is killed, wherever it is: each may spoil one round.
"$wordcount" -j 2 "$work/large" "$work/large" "$work/large" >"$work/out" \
	2>"$work/err" &
pid=$!
for i in 1 2 3 4; do
	until victim=$(children $pid worker | head -n 1) &&
		[ -n "$victim" ] || gone $pid; do
		sleep 0.01
	done
	[ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null || true
	sleep 0.05
done
if wait $pid; then r=0; else r=1; fi
verdict 'with workers killed anywhere it ends well' "$r"
try grep '^check .* the same count' "$work/out"
verdict 'and every count is right' "$r"

# The manager's server is killed.
run_held "$work/texts"
first=$(holder 1)
await grep -q '^State:.*T' "/proc/$first/status"
kill -KILL "$(children $pid kin-manager)"
kill -CONT "$first"
if wait $pid; then r=0; else r=$?; fi
verdict 'without its server it ends with 1' $((r != 1))
try grep 'worker .*ECONNRESET' "$work/err"
verdict 'and says why' "$r"

# The parent is killed, and its children go with it.
run_held "$held"
holder 1 >/dev/null
family="$(children $pid worker) $(children $pid kin-manager)"
kill -KILL $pid
wait $pid || true
for child in $family; do
	until gone "$child"; do
		sleep 0.02
	done
done
verdict 'children of a killed parent are gone' 0
echo "1..$n"
exit $failed
