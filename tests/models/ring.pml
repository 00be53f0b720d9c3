/* SPDX-License-Identifier: MIT */
/*
 * ring.pml - lib/ring*.c and what of lib/queue*.c and shm/wait.c is around it
 *
 * PUTTERS put PUTS messages each, GETTERS get GETS each, and a shutter
 * (SHUTTERS) shuts the queue at any time.  Putter 1 puts messages of BIG units,
 * the others of one; the ring has UNITS, and takes BOUND messages (0 is as many
 * as there is room for).  Who reaps wakes all sleepers, as the queue's repair
 * does.  A latch is what latch.pml has shown it to be: it is had when it is
 * free or its holder dead, and somebody may be asleep on it, so that a commit
 * may need one step or three.
 *
 * A commit moves RUN messages at most.  With more than one, putter 1 puts all
 * of its messages in one call, and getters take what there is in one.  With
 * DROPS a putter that has no room drops the oldest, under the getters' latch
 * too.  With PEEKER the last getter only looks.
 *
 * Asserted:
 *      what is got or dropped is what was put, in the order of the commits,
 *      each once, and what is neither is in the ring in the end;
 *      there are never more than BOUND messages;
 *      both positions are right after every commit, and so are the tallies;
 *      len was right at one moment of its call (WATCHER);
 *      who is told that the queue was shut has left nothing in it;
 *      nobody sleeps beside what it waits for, unless a live process carries
 *      the wake, or one has died that did.
 * Nobody may be left asleep: without SLICES if nobody dies (invalid end
 * states), with them if somebody does (non-progress cycles; all loops are
 * bounded).
 *
 * The kernel wakes in the order in which they fell asleep, as it does for all
 * threads that have no real-time priority.
 *
 * The bit that a shutdown's stir took off may be set again by another waiter,
 * before one that has looked in time falls asleep.  So a getter that has set
 * it and then sees that the queue was shut stirs again.  A putter may not,
 * since it does not hold the latch of the head; where putters wait for room
 * that does not come, a shutdown needs SLICES.
 */
#ifndef PUTTERS
#define PUTTERS	2
#endif
#ifndef PUTS
#define PUTS	1
#endif
#ifndef GETTERS
#define GETTERS	2
#endif
#ifndef GETS
#define GETS	1
#endif
#ifndef SHUTTERS
#define SHUTTERS 0
#endif
#ifndef BIG
#define BIG	1
#endif
#ifndef RUN
#define RUN	1
#endif
#ifndef BOUND
#define BOUND	0
#endif
#ifndef UNITS
#define UNITS	2		/* a power of two */
#endif

/* Who is who. */
#define GETTER	PUTTERS			/* the one before the first */
#define SHUTTER	(PUTTERS + GETTERS + 1)
#define REAPER	(PUTTERS + GETTERS + 2)
#define MOST	(PUTTERS + GETTERS + 3)
#define LOG	(PUTTERS * PUTS + 1)
#define NEVER	255

/* The two sides, and their commit words: position << 1 | somebody sleeps. */
#define PUT	0
#define GET	1
#define W	1
#define POSITION(v)	((v) >> 1)

#define CHECK	assert(lost[PUT] || carried[PUT] > 0 || \
		       (len(q[PUT]) == 0 || (commit[PUT] & W)) && \
		       (len(q[PUT]) == 0 || puts == gets)); \
		assert(lost[GET] || carried[GET] > 0 || \
		       (len(q[GET]) == 0 || (commit[GET] & W)) && \
		       !BESIDE)
#define ROOM	(UNITS - (POSITION(commit[PUT]) - POSITION(commit[GET])))
#define FULL(messages)	(BOUND > 0 && (messages) >= BOUND)
#define BESIDE	(len(q[GET]) > 0 && !FULL(puts - gets) && \
		 (asleep[1] && ROOM >= BIG || \
		  len(q[GET]) > asleep[1] && ROOM >= 1))

#include "step.pml"

byte latch[2];
byte commit[2];
byte other[2];
bool shut;
byte gone;			/* messages: the putters' hint */
byte tally_position[4];		/* two cells a side */
byte tally_count[4];
byte mark[UNITS];		/* a record's units */
byte body[UNITS];		/* whose message it is, and which */
chan q[2] = [MOST] of { byte };	/* asleep on a commit word */
bool asleep[MOST];
bool dead[MOST];

/* What no C knows, for the assertions. */
byte puts, gets;		/* commits */
byte log[LOG];			/* what was put, in that order */
byte carries[MOST];		/* 1 + the word that it was woken on */
byte carried[2];		/* by how many of the living */
bool lost[2];			/* a wake has died with who had absorbed it */
byte some;

#include "commit.pml"

/* kn_latch_take() */
#define TAKING(side)							\
	atomic { latch[side] == 0 || dead[latch[side]] -> latch[side] = me }
#define TAKE(side)							\
	if								\
	:: TAKING(side)							\
	:: atomic { HURRIED && latch[side] != 0 && latch[side] != me ->	\
		    goto over }						\
	OR_KILL								\
	fi
#define RELEASE(side)	STEP(assert(latch[side] == me); latch[side] = 0)

/*
 * kn_ring_empty_tail() and kn_ring_full_head(): the position at which there is
 * nothing to do.  len is right at one moment, see WATCHER.
 */
#define EMPTY_TAIL	STEP(seen = POSITION(commit[GET]))
#if BOUND > 0
#define FULL_HEAD							\
	STEP(seen = POSITION(commit[GET]));				\
	STEP(v = POSITION(commit[PUT]));				\
	STEP(if								\
	     :: FULL(puts - gets)					\
	     :: else -> seen = v - UNITS				\
	     fi)
#else
#define FULL_HEAD	STEP(seen = POSITION(commit[PUT]) - UNITS)
#endif

/* Is there, for one more message behind the msgs, as far as we know? */
#define FITS	(at + units + n - head <= UNITS && !FULL(puts + msgs - known))

#ifdef COUNT_GONE_ONCE
#define STANDS_STILL	true
#else
#define STANDS_STILL	POSITION(commit[GET]) == head
#endif
#if BOUND > 0		/* count_gone(): while the getters stand still */
#define COUNT_GONE							\
	do								\
	:: true ->							\
		STEP(cell = (tally_position[2] == head -> 2 : 3));	\
		STEP(known = tally_count[cell]; cell = 0);		\
		STEP(if							\
		     :: STANDS_STILL -> break				\
		     :: else -> head = POSITION(commit[GET])		\
		     fi)						\
	od;								\
	STEP(gone = known)
#else
#define COUNT_GONE	skip
#endif

proctype putter(byte me; byte size)
{
	byte turn, left, msg, n, msgs, units, at, head, known, seen, v, cell, sum;
	byte passed = NEVER;
	bool woken, owes, was_shut;

next:
	if
	:: turn == PUTS -> goto done
	:: turn < PUTS && (RUN == 1 || me > 1) -> left = 1
	:: turn < PUTS && RUN > 1 && me == 1 -> left = PUTS - turn
	fi;
	msg = turn * MOST + me;
	turn = turn + left;
again:
	TAKE(PUT);
	n = size;
	STEP(at = POSITION(commit[PUT]); head = other[PUT]; known = gone);
	STEP(if
	     :: shut -> goto closed
	     :: else
	     fi);
add:
	if
	:: !FITS ->
look:
		STEP(head = POSITION(commit[GET]));
		COUNT_GONE;
		STEP(other[PUT] = head; assert(at - head <= UNITS))
	:: else
	fi;
	if
	:: !FITS && msgs == 0 -> goto no_room
	:: !FITS && msgs > 0 -> goto enough
	:: else
	fi;
	STEP(mark[(at + units) % UNITS] = n);
	STEP(body[(at + units) % UNITS] = msg + msgs * MOST;
	     body[(at + units + n - 1) % UNITS] = msg + msgs * MOST);
	units = units + n;
	msgs++;
	if
	:: msgs < RUN && msgs < left -> goto add
	:: else
	fi;
enough:
	left = left - msgs;
	COMMIT(PUT, at, put_moved, put_through);
	at = 0; head = 0; known = 0; n = 0;
	if
	:: left > 0 -> goto again
	:: else -> goto over
	fi;

no_room:
#ifdef DROPS
	/* make_room(): who has taken both is in nobody's way for long. */
#ifndef DROP_WITHOUT_LATCH
	if
	:: TAKING(GET)
	:: atomic { HURRIED && latch[GET] != 0 -> goto closed }
	OR_KILL
	fi;
#endif
	STEP(v = POSITION(commit[GET]));
#ifndef DROP_BLINDLY
	if
	:: v != head ->
		v = 0;
#ifndef DROP_WITHOUT_LATCH
		RELEASE(GET);
#endif
		goto look
	:: else
	fi;
#endif
	assert(v != at && at - v <= UNITS);
	do
	:: true ->
		READ(v + units);
		if
		:: v + units < at && at + size - v - units > UNITS
		:: else -> break
		fi
	od;
	n = size;
#ifdef DROP_WITHOUT_LATCH
	STEP(tallied(GET, v));
	STEP(commit[GET] = (v + units) << 1; count(GET));
	units = 0;
#else
	COMMIT(GET, v, drop_moved, drop_through);
#endif
	v = 0;
	goto look;
#endif
	RELEASE(PUT);
	seen = head;
#ifndef NO_PASSING
	/* Not enough room for us: perhaps enough for another. */
	if
	:: woken && seen != passed && !FULL(puts - known) ->
		passed = seen;
		woken = false;
		at = 0; head = 0; known = 0; n = 0;
		STEP(hand_on(me); wake_one(GET))
	:: else
	fi;
#endif
	at = 0; head = 0; known = 0; n = 0;
	WAIT(GET);

closed:
	RELEASE(PUT);
over:
	at = 0; head = 0; known = 0; n = 0; v = 0; seen = 0; left = 0;
	WAIT_END(GET, FULL_HEAD);
	v = 0; seen = 0; msg = 0; woken = false;
	passed = NEVER;
	goto next;
killed:
	atomic { die(me) };
done:
	turn = 0; left = 0; msg = 0; n = 0; msgs = 0; units = 0;
	at = 0; head = 0; known = 0; seen = 0; v = 0; passed = 0;
	woken = false; owes = false
}

proctype getter(byte me)
{
	byte turn, n, msgs, units, at, tail, seen, v, cell, sum;
	byte msg;		/* the putters' only */
	bool woken, owes, was_shut;
	bool looked;		/* across, since the latch was taken */
	bool rest;		/* the call has something: it does not wait */

next:
	if
	:: turn == GETS -> goto done
	:: else -> turn++
	fi;
again:
	TAKE(GET);
	STEP(at = POSITION(commit[GET]); tail = other[GET]);
	if
	:: tail <= at ->
#ifdef SHUT_AFTER_TAIL
		STEP(tail = POSITION(commit[PUT]));
		STEP(was_shut = shut);
#else
		STEP(was_shut = shut);
		STEP(tail = POSITION(commit[PUT]));
#endif
		looked = true;
		STEP(other[GET] = tail; assert(tail >= at));
		if
		:: tail == at && was_shut -> goto closed
		:: tail == at && !was_shut -> goto no_message
		:: else -> was_shut = false
		fi
	:: else
	fi;
fetch:
	READ(at + units);
	assert(n > 0 && at + units <= tail);
	n = 0;
#ifdef PEEKER
	if
	:: me == GETTER + GETTERS ->
		msgs = 0; units = 0;
		RELEASE(GET);
#ifdef PEEK_KEEPS_WAKE
		woken = false;
		STEP(hand_on(me));
#endif
		goto over
	:: else
	fi;
#endif
	if
	:: msgs < RUN && turn + msgs - !rest < GETS ->
		if
		:: at + units == tail && !looked ->
			looked = true;
			STEP(tail = POSITION(commit[PUT]));
			STEP(other[GET] = tail; assert(tail >= at + units))
		:: else
		fi;
		if
		:: at + units < tail -> goto fetch
		:: else
		fi
	:: else
	fi;
	looked = false;
	turn = turn + msgs - !rest;
	/* More than a run takes?  Then another, without waiting. */
	rest = (RUN > 1 && msgs == RUN && at + units < tail && turn < GETS);
	COMMIT(GET, at, moved, through);
	at = 0; tail = 0;
	if
	:: rest -> goto again
	:: else -> goto over
	fi;

no_message:
	looked = false;
	RELEASE(GET);
	seen = tail;
	at = 0; tail = 0;
	if
	:: rest -> goto over
	:: else
	fi;
	WAIT(PUT);

closed:
	was_shut = false;
	assert(puts == gets);
	RELEASE(GET);
	turn = GETS;
over:
	at = 0; tail = 0; v = 0; seen = 0; looked = false;
	rest = false;
	WAIT_END(PUT, EMPTY_TAIL);
	v = 0; seen = 0; woken = false;
	goto next;
killed:
	atomic { die(me) };
done:
	turn = 0; n = 0; msgs = 0; units = 0; at = 0; tail = 0; seen = 0; v = 0;
	woken = false; owes = false; was_shut = false; looked = false;
	rest = false
}

#ifdef SHUTTER_LIVES
#undef OR_KILL
#define OR_KILL
#endif

/* kin_queue_shutdown() */
proctype shutter(byte me)
{
	bool owes;

	if
	:: TAKING(PUT)
	OR_KILL
	fi;
	STEP(shut = true);
	STIR(PUT);
	RELEASE(PUT);
#ifdef STIR_WITHOUT_LATCH
	STIR(GET);
#else
	if
	:: TAKING(GET);
		STIR(GET);
		RELEASE(GET)
	/* In the way for too long: putters find out at their slice's end. */
	:: atomic { SLICED && latch[GET] != 0 -> wake_all(GET); CHECK }
	OR_KILL
	fi;
#endif
	goto done;
killed:
	atomic { die(me) };
done:
	skip
}

/* repair() of lib/queue.c, for one of the dead. */
proctype reaper(byte me)
{
	byte side;
	bool owes;

	if
	:: atomic { deaths < DEATHS -> skip }
	:: atomic { _nr_pr == 2 -> goto done }
	OR_KILL
	fi;
	do
	:: side == 2 -> break
	:: else ->
		STEP(if
		     :: latch[side] != 0 && dead[latch[side]] ->
			latch[side] = 0
		     :: else
		     fi);
		side++
	od;
#ifdef REPAIR_STIRS
	STIR(PUT);
	STIR(GET);
#else
	STEP(wake_all(PUT));
	STEP(wake_all(GET));
#endif
	goto done;
killed:
	atomic { die(me) };
done:
	side = 0
}

/* kn_ring_len(): one of its tries. */
proctype watcher()
{
	byte head, tail, out, in, there;
	bool found;

	atomic { head = POSITION(commit[GET]) };
	atomic {
		found = (tally_position[2] == head);
		if
		:: found -> out = tally_count[2]
		:: else
		fi
	};
	if
	:: found
	:: else -> atomic { out = tally_count[3] }
	fi;
	atomic { tail = POSITION(commit[PUT]) };
	atomic {
		found = (tally_position[0] == tail);
		if
		:: found -> in = tally_count[0]
		:: else
		fi
	};
	if
	:: found
	:: else -> atomic { in = tally_count[1] }
	fi;
	atomic { found = (POSITION(commit[GET]) == head); there = puts - gets };
	atomic {
		found = found && POSITION(commit[PUT]) == tail;
		assert(!found || in - out == there)
	};
	head = 0; tail = 0; out = 0; in = 0; there = 0; found = false
}

/* When all have ended: what was not got is there. */
inline look_over()
{
	at = POSITION(commit[GET]);
	do
	:: gets == puts -> break
	:: else ->
		assert(body[at % UNITS] == log[gets]);
		assert(body[(at + mark[at % UNITS] - 1) % UNITS] == log[gets]);
		at = at + mark[at % UNITS];
		gets++
	od;
	assert(at == POSITION(commit[PUT]))
}

init
{
	byte i, at;

	atomic {
#if DEATHS > 0
		run reaper(REAPER);	/* the first, as it is the last to end */
#endif
		run putter(1, BIG);
		i = 2;
		do
		:: i > PUTTERS -> break
		:: else -> run putter(i, 1); i++
		od;
		i = 1;
		do
		:: i > GETTERS -> break
		:: else -> run getter(GETTER + i); i++
		od;
		i = 0;
#if SHUTTERS > 0
		run shutter(SHUTTER);
#endif
#ifdef WATCHER
		run watcher();
#endif
		skip
	};
	atomic { _nr_pr == 1 -> look_over() }
}
