/* SPDX-License-Identifier: MIT */
/*
 * tasks.pml - lib/queue_tasks.c: who owes messages, and who waits for it to end
 *
 * A putter puts PUTS messages, GETTERS get and report GETS each, JOINERS (two at
 * most) join once.  With WRITES_OFF getters close their handles instead of
 * reporting.  A commit is one step, as ring.pml has shown it to be, and the sum
 * of a ring is its sum at one moment.  What a getter owes is in its member's
 * slot; a member has one getter.  Joiners do not sweep: somebody does.
 *
 * Asserted:
 *      a joiner that is told so was there when nothing was left to be done:
 *      nothing in the ring, and nothing with the living that was not reported;
 *      what is counted is never less than that, and no more once those who died
 *      have been reaped;
 *      nobody sleeps while nothing is counted, unless a live process is about
 *      to wake it, or one has died that was.
 * Nobody may be left asleep if nobody dies (invalid end states).
 */
#ifndef PUTS
#define PUTS	2
#endif
#ifndef GETTERS
#define GETTERS	2
#endif
#ifndef GETS
#define GETS	1
#endif
#ifndef JOINERS
#define JOINERS	1
#endif

#define CHECK	assert(counted >= left);				\
		assert(!(asleep[0] || asleep[1]) || counted > 0 ||	\
		       lost || wakers > 0);				\
		some_done[0] = some_done[0] || left == 0;		\
		some_done[1] = some_done[1] || left == 0

#include "step.pml"

byte puts, gets;		/* the ring */
byte latch;			/* of the getters: 1 + who has it */
byte owed[GETTERS];
bool has[GETTERS];		/* its slot, in the registry */
bool dead[GETTERS];
bool announced;			/* the waiter bit of the word join */
bool asleep[2];			/* on that word */

/* What no C knows, for the assertions. */
byte left;			/* not done */
byte counted;			/* in the ring, and owed by who has a slot */
byte holds[GETTERS];		/* got, and not reported */
byte wakers;			/* the living who have counted less, or set the
				   bit, and have not looked since */
bool lost;			/* one of those has died */
bool some_done[2];		/* left was 0 since that joiner's begin */
byte ended;			/* of putter and getters */

/* kn_wait_stir() */
#define STIR	STEP(announced = false; asleep[0] = false; asleep[1] = false)

inline pay(slot, n)
{
	counted = counted - n;
	owed[slot] = owed[slot] - n
}

inline die(who)
{
	dead[who] = true;
	left = left - holds[who];
	holds[who] = 0;
	if
	:: wakes -> wakers--; lost = true
	:: else
	fi;
	CHECK
}

proctype putter()
{
	byte turn;

	do
	:: turn == PUTS -> break
	:: else ->
		turn++;
		STEP(puts++; left++; counted++)
	od;
killed:
	atomic { turn = 0; ended++ }
}

#define OWE	STEP(owed[me]++; counted++)
#define MOVE	STEP(assert(latch == me + 1); gets++; latch = 0;	\
		     holds[me]++; counted--)

proctype getter(byte me)
{
	byte turn, head;
	bool wakes, none;

next:
	if
	:: turn == GETS -> goto done
	:: else -> turn++
	fi;
end_waits:
	if
	:: atomic { (latch == 0 || dead[latch - 1]) && puts > gets ->
		    latch = me + 1 }
	OR_KILL
	fi;
#ifdef OWE_AFTERWARDS
	MOVE;
	OWE;
#else
	OWE;
	MOVE;
#endif
#ifdef REPORT_BEFORE_COUNTING
	STEP(none = announced);
	if
	:: none -> STIR
	:: else
	fi;
	STEP(pay(me, 1); holds[me]--; left--);
#else
	STEP(pay(me, 1); holds[me]--; left--; wakers++; wakes = true);
#ifndef WRITES_OFF
	STEP(none = (owed[me] == 0));
	if
	:: !none -> goto reported
	:: else
	fi;
	STEP(head = gets);
	STEP(none = (head == puts); head = 0);
	if
	:: !none -> goto reported
	:: else
	fi;
	STEP(none = announced);
	if
	:: !none -> goto reported
	:: else
	fi;
#endif
	STIR;
reported:
	none = false;
	STEP(wakes = false; wakers--);
#endif
	goto next;
killed:
	atomic { die(me) };
done:
	atomic {
		turn = 0; head = 0; none = false; wakes = false;
		ended++
	}
}

/* kn_queue_unfinished(): it is in sum. */
#define SLOTS								\
	do								\
	:: i == GETTERS -> i = 0; break					\
	:: else ->							\
		STEP(sum = sum + (has[i] -> owed[i] : 0); i++)		\
	od
#ifdef OWED_FIRST
#define SUM								\
	SLOTS;								\
	STEP(first = puts; sum = sum + puts - gets)
#else
#define SUM								\
	STEP(first = puts; sum = puts - gets);				\
	SLOTS
#endif
#ifdef NO_SECOND_SUM
#define STOOD_STILL	true
#else
#define STOOD_STILL	puts == first
#endif
#define UNFINISHED							\
	do								\
	:: true ->							\
		sum = 0;						\
		SUM;							\
		STEP(if							\
		     :: STOOD_STILL -> break				\
		     :: else						\
		     fi)						\
	od;								\
	first = 0;							\
	if								\
	:: sum == 0 -> goto told					\
	:: else -> sum = 0						\
	fi

#define ANNOUNCE	STEP(announced = true; wakers++; set = true)

/* kin_queue_join(); the look before the first announcement is none more. */
proctype joiner(byte me)
{
	byte i, sum, first;
	bool set;		/* the bit, and has not gone to sleep by it */

	atomic { some_done[me] = (left == 0) };
again:
#ifndef ANNOUNCE_AFTERWARDS
	ANNOUNCE;
#endif
	UNFINISHED;
#ifdef ANNOUNCE_AFTERWARDS
	ANNOUNCE;
#endif
	/* Not done yet.  FUTEX_WAIT: */
	if
	:: HURRIED -> STEP(wakers--; set = false); goto done
	:: true
	fi;
	STEP(wakers--; set = false;
	     if
	     :: announced -> asleep[me] = true
	     :: else -> goto again
	     fi);
	if
	:: atomic { !asleep[me] -> skip }
	:: atomic { SLICED && asleep[me] -> asleep[me] = false }
	OR_KILL
	fi;
	goto again;
told:
	assert(some_done[me]);
	/* One who looked before it was done may yet sleep by our bit. */
#ifndef NO_STIR_AGAIN
	if
	:: set -> STIR
	:: else
	fi;
#endif
	STEP(wakers = wakers - set; set = false);
	goto done;
killed:
	atomic {
		asleep[me] = false;
		lost = lost || set;
		wakers = wakers - set;
		CHECK
	};
done:
	i = 0; sum = 0; first = 0; set = false
}

/* The registry's reap, with repair() of lib/queue.c.  If it dies, another one
 * begins anew. */
proctype reaper()
{
	byte i;
	bool wakes;

end_idle:
	if
	:: atomic { has[0] && dead[0] -> i = 0 }
	:: atomic { has[GETTERS - 1] && dead[GETTERS - 1] -> i = GETTERS - 1 }
	fi;
#ifndef FREE_WITHOUT_PAY
	STEP(pay(i, owed[i]); wakers++; wakes = true);
#endif
#ifndef REPAIR_WITHOUT_STIR
	STIR;
#endif
	STEP(has[i] = false; counted = counted - owed[i];
	     wakers = wakers - wakes; wakes = false);
	i = 0;
	goto end_idle;
killed:
	atomic {
		lost = lost || wakes;
		wakers = wakers - wakes;
		wakes = false;
		i = 0;
		CHECK
	};
	goto end_idle
}

init
{
	byte i;

	atomic {
		for (i : 0 .. GETTERS - 1) {
			has[i] = true;
			run getter(i)
		};
		for (i : 0 .. JOINERS - 1) {
			run joiner(i)
		};
		i = 0;
		run putter();
#if DEATHS > 0
		run reaper()
#endif
	};
end_some_wait:
	atomic {
		ended == GETTERS + 1 && !(has[0] && dead[0]) &&
		!(has[GETTERS - 1] && dead[GETTERS - 1]);
		assert(counted == left)
	}
}
