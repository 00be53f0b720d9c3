#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh SOURCE_ROOT push|nightly CC - the models, by SPIN: all states of each
#
# A sound model must have no error in any state that can be reached within its
# bounds (safe: no assertion fails, nobody is left asleep; live: and nobody goes
# on for ever).  A mutant, the same model with one known mistake in it, must
# have one.  What the switches of a model mean stands in the model.
set -eu

push='
safe latch -DTURNS=2 -DDEADLINES
safe latch -DDEATHS=2 -DDEADLINES -DSLICES
live latch -DDEATHS=1 -DDEADLINES -DSLICES
mutant latch -DNO_BATON
mutant latch -DNO_DECLINE -DTURNS=2 -DDEADLINES
mutant latch -DSLEEP_ON_ANYTHING
mutant latch -DNAIVE_WAKE -DDEATHS=2 -DDEADLINES -DSLICES
mutant latch -DTAKEOVER_BY_STORE -DDEATHS=2 -DDEADLINES -DSLICES
mutant latch -DTAKEOVER_DROPS_BIT -DDEATHS=2 -DDEADLINES -DSLICES
mutant latch -DREPAIR_BY_WAKE_OP -DDEATHS=2 -DDEADLINES -DSLICES

safe ring
safe ring -DPUTTERS=2 -DBIG=2 -DPUTS=2 -DGETTERS=1 -DGETS=4
safe ring -DPUTTERS=3 -DUNITS=1 -DGETTERS=1 -DGETS=3
safe ring -DWATCHER -DGETTERS=1 -DGETS=2
safe ring -DDEATHS=1 -DDEADLINES -DSLICES -DPUTTERS=1 -DPUTS=2
safe ring -DDEATHS=1 -DSHUTTERS=1 -DSLICES -DGETTERS=1 -DGETS=2
safe ring -DSHUTTERS=1 -DDEADLINES
safe ring -DSHUTTERS=1 -DSLICES -DUNITS=1 -DPUTTERS=3 -DGETTERS=1
safe ring -DRUN=2 -DPUTTERS=1 -DPUTS=3 -DGETS=2 -DSHUTTERS=1
safe ring -DRUN=2 -DPUTS=2 -DGETTERS=1 -DGETS=4
safe ring -DRUN=2 -DPUTTERS=1 -DPUTS=2 -DDEATHS=1 -DSLICES
safe ring -DBOUND=1 -DPUTTERS=3 -DGETTERS=1 -DGETS=3
safe ring -DBOUND=2 -DUNITS=4 -DPUTTERS=1 -DPUTS=4 -DGETTERS=1 -DGETS=4
safe ring -DDROPS -DPUTS=2 -DGETTERS=1 -DUNITS=1 -DSHUTTERS=1
safe ring -DDROPS -DPUTS=2 -DGETTERS=1 -DBOUND=1 -DSHUTTERS=1
safe ring -DDROPS -DPUTTERS=1 -DPUTS=3 -DGETTERS=1 -DUNITS=1 -DDEATHS=1 -DDEADLINES -DSLICES
safe ring -DPEEKER -DPUTTERS=1 -DSHUTTERS=1
mutant ring -DNO_BATON
mutant ring -DNO_PASSING -DBIG=2 -DPUTS=3 -DGETTERS=1 -DGETS=6
mutant ring -DNAIVE_WAKE -DDEATHS=1 -DDEADLINES -DSLICES -DPUTTERS=1 -DPUTS=2
mutant ring -DREPAIR_STIRS -DDEATHS=1 -DSHUTTERS=1 -DSLICES -DGETTERS=1 -DGETS=2
mutant ring -DSTIR_WITHOUT_LATCH -DSHUTTERS=1 -DSLICES -DUNITS=1
mutant ring -DSHUT_AFTER_TAIL -DSHUTTERS=1 -DSLICES
mutant ring -DNO_LOOK_AT_SHUT -DSHUTTERS=1
mutant ring -DNO_STIR_AGAIN -DSHUTTERS=1
mutant ring -DTALLY_IN_PLACE -DWATCHER -DGETTERS=1 -DGETS=2
mutant ring -DNO_BATON -DRUN=2 -DPUTTERS=1 -DPUTS=2
mutant ring -DCOUNT_GONE_ONCE -DBOUND=2 -DUNITS=4 -DPUTTERS=1 -DPUTS=4 -DGETTERS=1 -DGETS=4
mutant ring -DDROP_WITHOUT_LATCH -DDROPS -DPUTS=2 -DGETTERS=1 -DUNITS=1 -DSHUTTERS=1
mutant ring -DDROP_BLINDLY -DDROPS -DPUTS=2 -DGETTERS=1 -DUNITS=1 -DSHUTTERS=1
mutant ring -DPEEK_KEEPS_WAKE -DPEEKER -DPUTTERS=1 -DSHUTTERS=1

safe tasks
safe tasks -DWRITES_OFF
safe tasks -DJOINERS=2 -DDEADLINES -DPUTS=1 -DGETTERS=1
safe tasks -DDEATHS=1 -DSLICES
mutant tasks -DOWE_AFTERWARDS
mutant tasks -DOWED_FIRST
mutant tasks -DNO_SECOND_SUM
mutant tasks -DREPORT_BEFORE_COUNTING
mutant tasks -DANNOUNCE_AFTERWARDS
mutant tasks -DNO_STIR_AGAIN -DJOINERS=2 -DPUTS=1 -DGETTERS=1
mutant tasks -DFREE_WITHOUT_PAY -DDEATHS=1 -DSLICES
mutant tasks -DREPAIR_WITHOUT_STIR -DDEATHS=1 -DSLICES

safe registry -DDEATHS=2 -DHIDDEN
safe registry -DDEATHS=2 -DUNMAPS
safe registry -DDEATHS=1 -DHIDDEN -DSLOTS=2
safe registry -DDEATHS=2 -DHIDDEN -DMEMBERS=2 -DLIVES=3
mutant registry -DREAP_WITHOUT_BYTE -DDEATHS=2 -DHIDDEN
mutant registry -DFREE_BEFORE_REPAIR -DDEATHS=2 -DHIDDEN
mutant registry -DNO_SECOND_LOOK -DDEATHS=2 -DHIDDEN
mutant registry -DJOIN_WITHOUT_SECOND_LOOK -DDEATHS=2 -DHIDDEN
mutant registry -DENTER_BEFORE_LOCK -DDEATHS=2 -DHIDDEN
mutant registry -DSHARED_DESCRIPTION -DHIDDEN
mutant registry -DLEAVE_UNLOCKS_FIRST -DDEATHS=2 -DHIDDEN
mutant registry -DSAME_GENERATION -DDEATHS=2 -DHIDDEN
mutant registry -DBY_LIFE_BYTE -DUNMAPS
mutant registry -DBY_PID -DHIDDEN'

# Each of these comes to its end: within a minute and 3 GB, on two slow cores.
# A ring with two putters, two getters and a death does not, and is not here.
nightly='
safe latch -DTAKERS=4 -DDEADLINES
safe latch -DTURNS=2 -DDEATHS=1 -DDEADLINES -DSLICES
safe registry -DDEATHS=2 -DHIDDEN -DLIVES=2
safe registry -DDEATHS=3 -DUNMAPS -DSLOTS=2
safe ring -DWATCHER -DUNITS=1
live ring -DSHUTTERS=1 -DSLICES -DPUTTERS=1 -DDEATHS=1 -DSHUTTER_LIVES
safe ring -DSHUTTERS=1 -DSLICES -DPUTTERS=1 -DDEATHS=1 -DUNITS=1
safe ring -DRUN=2 -DPUTTERS=1 -DPUTS=2 -DDEATHS=1 -DDEADLINES -DSLICES
safe ring -DBOUND=1 -DPUTS=2 -DGETTERS=1 -DGETS=4
safe ring -DDROPS -DPUTS=2 -DGETTERS=1 -DUNITS=1 -DDEATHS=1 -DSLICES
safe tasks -DPUTS=4 -DGETS=2
safe tasks -DJOINERS=2 -DDEADLINES
safe tasks -DDEATHS=2 -DSLICES
safe tasks -DWRITES_OFF -DJOINERS=2 -DDEATHS=1 -DSLICES'

# A model's switches, a verifier's, its options.  To optimise takes long, and
# pays off where states are many.  By night, a row has 8 minutes.
explore() {
	case $kind in
	live) verifier='-DNP -DNFAIR=3' options='-l -f' ;;
	*) verifier=-DSAFETY options= ;;
	esac
	case $size in
	push) verifier="$verifier -O0 -DMEMLIM=1000" ;;
	*) verifier="$verifier -O2 -DMEMLIM=4000" options="$options -Q8" ;;
	esac
	# shellcheck disable=SC2086 # each is several words
	spin "$@" -a "$model.pml" &&
		$cc -w -DCOLLAPSE $verifier -o pan pan.c &&
		./pan -m200000 $options
}

# 81060 states, depth 199
figures() {
	echo "$(sed -n 's/^ *\([0-9]*\) states, stored.*/\1 states/p' out)," \
		"$(sed -n 's/.*depth reached \([0-9]*\),.*/depth \1/p' out)"
}

mistake() {
	sed -n 's/^pan:[0-9]*: \(.*\) (at depth.*/\1/p' out |
		sed 's/ violated.*/ violated/'
}

# The whole space, and nothing in it.
is_clean() {
	grep -q 'errors: 0$' out &&
		! grep -qE 'too small|truncated|out of memory|not completed' out
}

is_cut_short() {
	grep -q 'errors: 0$' out && grep -q 'not completed' out
}

# One row, in a folder of its own.
try() {
	kind=$1
	model=$2
	shift 2
	mkdir "$work/$$"
	cd "$work/$$"
	cp "$root"/tests/models/*.pml .
	explore "$@" >out 2>&1 || true
	if [ "$kind" != mutant ] && is_clean; then
		echo "ok - $model${*:+ $*}: $(figures), 0 errors"
	elif [ "$size" = nightly ] && is_cut_short; then
		echo "ok - $model${*:+ $*} # SKIP no error, but in $(figures)" \
			"only, for want of time or memory"
	elif [ "$kind" = mutant ] && grep -qE 'errors: [1-9]' out; then
		echo "ok - $model${*:+ $*}: $(mistake)"
	else
		echo "not ok - $kind $model${*:+ $*}"
		tail -n 12 out | sed 's/^/# /'
	fi
}

if [ "$1" = row ]; then
	shift
	said=$(try "$@")
	echo "$said"		# at once, as another speaks, too
	exit
fi

root=$1
size=$2
shift 2
cc=$*
if ! command -v spin >/dev/null 2>&1; then
	echo "1..0 # SKIP there is no spin here"
	exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export root size cc work
case $size in
push) rows=$push ;;
nightly) rows=$nightly ;;
esac
rows=$(echo "$rows" | sed '/^$/d')
echo "1..$(echo "$rows" | wc -l)"
echo "$rows" | xargs -L 1 -P 2 sh "$0" row | awk '
	/^not ok/ { failed = 1 }
	sub(/ok - /, "ok " n + 1 " - ") { n++ }
	{ print; fflush() }
	END { exit failed }'
