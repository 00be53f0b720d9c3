/* SPDX-License-Identifier: MIT */
/*
 * latch.pml - shm/latch.c, step by step, with deaths
 *
 * TAKERS take and release the latch TURNS times each.  The fast path and the
 * spinning are one try by compare-and-swap; then comes take().
 *
 * Asserted at every step:
 *      one live process at most is inside;
 *      the waiter bit never stands on a free latch;
 *      if somebody sleeps and the bit is gone, a live process carries the wake
 *      that took it off, or one has died that did.
 * Nobody may be left asleep: without SLICES if nobody dies (SPIN's invalid end
 * states), with them if somebody does (its non-progress cycles: turns are
 * bounded, so every cycle is one).
 */
#ifndef TAKERS
#define TAKERS	3
#endif
#ifndef TURNS
#define TURNS	1
#endif
#define MOST	6		/* takers and reaper, and nobody */
#define REAPER	5

#define W	128		/* KN_LATCH_WAITER; an owner's stamp is its number */
#define OWNER(v)	((v) & 127)

#define CHECK	assert(word != W && (lost || (word & W) || !ASLEEP || CARRIED))
#define ASLEEP	(asleep[1] || asleep[2] || asleep[3] || asleep[4])
#define CARRIED	(carries[1] || carries[2] || carries[3] || carries[4] || \
		 carries[REAPER])

#include "step.pml"

byte word;
bool asleep[MOST];
bool dead[MOST];

/* What no C knows, for the assertions. */
byte inside;			/* who was the last to get the latch */
bool carries[MOST];		/* a wake, or the duty to wake */
bool lost;			/* a wake has died with who had absorbed it */

inline die(who)
{
	dead[who] = true;
	asleep[who] = false;
	if
	:: carries[who] && !owes -> lost = true
	:: else
	fi;
	carries[who] = false;
	CHECK
}

inline wake(who)
{
	asleep[who] = false;
	carries[who] = true
}

/* FUTEX_WAKE of one, no matter which. */
inline wake_one()
{
	if
	:: asleep[1] -> wake(1)
	:: asleep[2] -> wake(2)
	:: asleep[3] -> wake(3)
	:: asleep[4] -> wake(4)
	:: else
	fi
}

inline got_it()
{
	assert(inside == 0 || dead[inside]);
	inside = me
}

/* As others may sleep too, whoever was woken takes the latch with the bit. */
#ifdef NO_BATON
#define WOKEN	0
#else
#define WOKEN	(woken -> W : 0)
#endif

proctype taker(byte me)
{
	byte v, turn;
	bool woken;		/* has absorbed a wake */
	bool over;		/* the deadline is */
	bool late;		/* the slice is over */
	bool owes;		/* took the bit off, and has yet to wake */
	bool is_dead;

next:
	if
	:: turn == TURNS -> goto done
	:: else -> turn++
	fi;
	STEP(if
	     :: word == 0 -> word = me; got_it(); goto held
	     :: else
	     fi);
again:
	STEP(v = word;
	     if
	     :: HURRIED && !over -> over = true
	     :: SLICED && !late -> late = true
	     :: true
	     fi);
	if
	:: OWNER(v) == 0 ->
		STEP(if
		     :: word == v ->
			word = me | v | WOKEN; carries[me] = false;
			got_it(); goto held
		     :: else -> v = word
		     fi);
		if
		:: !over -> goto again
		:: else
		fi
	:: else
	fi;
	if
	:: OWNER(v) != 0 && (over || late) ->
		late = false;
		STEP(is_dead = dead[OWNER(v)]);
		if
		:: is_dead ->
			is_dead = false;
#ifdef TAKEOVER_BY_STORE
			STEP(word = me | WOKEN | (v & W); carries[me] = false;
			     got_it(); goto held);
#endif
			STEP(if
			     :: word == v ->
#ifdef TAKEOVER_DROPS_BIT
				word = me | WOKEN;
#else
				word = me | WOKEN | (v & W);
#endif
				carries[me] = false;
				got_it(); goto held
			     :: else
			     fi);
			if
			:: !over -> goto again
			:: else
			fi
		:: else
		fi
	:: else
	fi;
	if
	:: over -> goto give_up
	:: else
	fi;
	if
	:: v & W
	:: else ->
		STEP(if
		     :: word == v -> word = v | W
		     :: else -> goto again
		     fi)
	fi;

	/* FUTEX_WAIT: the kernel looks and puts to sleep in one step. */
	STEP(if
#ifdef SLEEP_ON_ANYTHING
	     :: true -> asleep[me] = true; carries[me] = false
#else
	     :: word == (v | W) -> asleep[me] = true; carries[me] = false
	     :: else -> goto again
#endif
	     fi);
	v = 0;
	if
	:: atomic { !asleep[me] -> woken = true }
	:: atomic { SLICED && asleep[me] -> asleep[me] = false; late = true }
	OR_KILL
	fi;
	goto again;

	/* decline() */
give_up:
#ifndef NO_DECLINE
	if
	:: woken ->
		STEP(v = word);
		do
		:: OWNER(v) == 0 ->
			STEP(carries[me] = false; wake_one()); break
		:: OWNER(v) != 0 && (v & W) -> break
		:: else ->
			STEP(if
			     :: word == v -> word = v | W; break
			     :: else -> v = word
			     fi)
		od
	:: else
	fi;
#endif
	STEP(carries[me] = false);
	goto out;

	/* What the latch guards; then kn_latch_release(). */
held:
	STEP(assert(inside == me));
	STEP(if
	     :: word == me -> word = 0; inside = 0; goto out
	     :: else
	     fi);
	STEP(v = word; assert(OWNER(v) == me));
#ifdef NAIVE_WAKE
	STEP(word = 0; inside = 0; carries[me] = true; owes = true);
	STEP(carries[me] = false; owes = false; wake_one());
#else
	STEP(word = 0; inside = 0; wake_one());
#endif
out:
	v = 0; woken = false; over = false; late = false;
	goto next;
killed:
	atomic { die(me) };
done:
	v = 0; turn = 0; woken = false; over = false; late = false;
	is_dead = false; owes = false
}

/* kn_latch_repair(), for one who has died. */
proctype reaper(byte me)
{
	byte v, whose;
	bool owes;

end_idle:
	if
	:: atomic { dead[1] -> whose = 1 }
	:: atomic { dead[2] -> whose = 2 }
	:: atomic { dead[3] -> whose = 3 }
	OR_KILL
	fi;
	STEP(v = word);
	do
	:: OWNER(v) != whose -> break
	:: else ->
#ifdef REPAIR_BY_WAKE_OP
		STEP(word = 0; wake_one()); break;
#endif
		/* Between the two steps a death costs a slice, as known. */
		STEP(if
		     :: word == v ->
			word = 0; carries[me] = (v & W -> true : false)
		     :: else -> v = word; goto more
		     fi);
		if
		:: v & W -> STEP(carries[me] = false; wake_one())
		:: else
		fi;
		break;
more:
		skip
	od;
	goto done;
killed:
	atomic { die(me) };
done:
	v = 0; whose = 0; owes = false
}

init
{
	byte i;

	atomic {
		for (i : 1 .. TAKERS) {
			run taker(i)
		};
		i = 0;
#if DEATHS > 0
		run reaper(REAPER)
#endif
	}
}
