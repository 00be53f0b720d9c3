/* SPDX-License-Identifier: MIT */
/*
 * ring.pml - lib/ring.c and what of lib/queue.c and shm/wait.c is around it
 *
 * PUTTERS put PUTS messages each, GETTERS get GETS each, and a shutter
 * (SHUTTERS) shuts the queue at any time.  Putter 1 puts messages of BIG units,
 * the others of one; the ring has UNITS.  Who reaps wakes all sleepers, as the
 * queue's repair does.  A latch is what latch.pml has shown it to be: it is had
 * when it is free or its holder dead, and somebody may be asleep on it, so that
 * a commit may need one step or three.
 *
 * Asserted:
 *      what is got is what was put, in the order of the commits, each once, and
 *      what is not got is in the ring in the end;
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
#define BESIDE	(len(q[GET]) > 0 && \
		 (asleep[1] && ROOM >= BIG || \
		  len(q[GET]) > asleep[1] && ROOM >= 1))

#include "step.pml"

byte latch[2];
byte commit[2];
byte other[2];
bool shut;
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

inline carry(who, word)
{
	if
	:: carries[who] == 0 -> carries[who] = word + 1; carried[word]++
	:: else
	fi
}

inline hand_on(who)
{
	if
	:: carries[who] != 0 ->
		carried[carries[who] - 1]--;
		carries[who] = 0
	:: else
	fi
}

inline die(who)
{
	dead[who] = true;
	if
	:: asleep[who] && q[PUT]??[eval(who)] -> q[PUT]??eval(who)
	:: asleep[who] && q[GET]??[eval(who)] -> q[GET]??eval(who)
	:: else
	fi;
	asleep[who] = false;
	if
	:: carries[who] != 0 && !owes -> lost[carries[who] - 1] = true
	:: else
	fi;
	hand_on(who);
	CHECK
}

inline wake_one(word)
{
	if
	:: q[word]?some -> asleep[some] = false; carry(some, word); some = 0
	:: empty(q[word])
	fi
}

inline wake_all(word)
{
	do
	:: q[word]?some -> asleep[some] = false; carry(some, word)
	:: empty(q[word]) -> break
	od;
	some = 0
}

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

/* The moment at which a message is in, or out. */
inline count(side)
{
	if
	:: side == PUT -> log[puts] = msg; puts++
	:: else -> assert(gets < puts && msg == log[gets]); gets++
	fi
}

inline tallied(side)
{
	cell = 2 * side;
	if
	:: tally_position[cell] == at -> cell++; sum = tally_count[cell - 1]
	:: else -> sum = tally_count[cell + 1]
	fi;
	assert(sum == (side == PUT -> puts : gets));
#ifdef TALLY_IN_PLACE
	cell = 2 * side;
#endif
	tally_position[cell] = at + n;
	tally_count[cell] = sum + 1;
	cell = 0;
	sum = 0
}

#define COMMIT(side)							\
	STEP(tallied(side));						\
	if								\
	:: true ->		/* latch and word in one step */	\
		STEP(if							\
		     :: commit[side] == at << 1 ->			\
			commit[side] = (at + n) << 1; latch[side] = 0;	\
			count(side); goto through			\
		     :: else						\
		     fi)						\
	:: true			/* somebody sleeps on the latch */	\
	fi;								\
	STEP(if								\
	     :: commit[side] == at << 1 ->				\
		commit[side] = (at + n) << 1; count(side); goto moved	\
	     :: else							\
	     fi);							\
	STEP(assert(POSITION(commit[side]) == at));			\
	WAKING_COMMIT(side);						\
moved:									\
	RELEASE(side);							\
through:								\
	skip

#ifdef NAIVE_WAKE
#define WAKING_COMMIT(side)						\
	STEP(assert(commit[side] == (at << 1 | W));			\
	     commit[side] = (at + n) << 1; count(side);			\
	     carry(me, side); owes = true);				\
	STEP(hand_on(me); owes = false; wake_one(side))
#else		/* FUTEX_WAKE_OP */
#define WAKING_COMMIT(side)						\
	STEP(commit[side] = commit[side] + 2 * n - 1;			\
	     assert(POSITION(commit[side]) == at + n);			\
	     count(side); wake_one(side))
#endif

/* kn_wait_move() on a word that showed seen. */
#define WAIT(word)							\
	if								\
	:: HURRIED -> goto over						\
	:: true								\
	fi;								\
	STEP(v = commit[word]);						\
	if								\
	:: POSITION(v) != seen -> goto again				\
	:: else								\
	fi;								\
	if								\
	:: v & W							\
	:: else ->							\
		STEP(if							\
		     :: commit[word] == v -> commit[word] = v | W	\
		     :: else -> goto again				\
		     fi)						\
	fi;								\
	LOOK_AT_SHUT(word);						\
	v = 0;								\
	STEP(if								\
	     :: commit[word] == (seen << 1 | W) ->			\
		asleep[me] = true; q[word]!me; hand_on(me)		\
	     :: else -> goto again					\
	     fi);							\
	if								\
	:: atomic { !asleep[me] -> woken = true }			\
	:: atomic { SLICED && asleep[me] ->				\
		    asleep[me] = false; q[word]??eval(me) }		\
	OR_KILL								\
	fi;								\
	goto again;							\
announced:							\
	STIR_AGAIN(word);						\
	goto again

#ifdef NO_LOOK_AT_SHUT
#define LOOK_AT_SHUT(word)	skip
#else
#define LOOK_AT_SHUT(word)						\
	STEP(if								\
	     :: shut -> goto announced				\
	     :: else							\
	     fi)
#endif

/* kn_wait_stir(): FUTEX_WAKE_OP takes the bit off and wakes all. */
#define STIR(word)	STEP(commit[word] = commit[word] & 254; wake_all(word))

/* stopped(); no latch, since a tail that is shut moves no more. */
#ifdef NO_STIR_AGAIN
#define STIR_AGAIN(word)	skip
#else
#define STIR_AGAIN(word)						\
	if								\
	:: word == PUT -> STIR(word)					\
	:: else								\
	fi
#endif

/* kn_wait_end(); nothing is the position at which there is nothing to do. */
#ifdef NO_BATON
#define WAIT_END(word, nothing)	STEP(hand_on(me))
#else
#define WAIT_END(word, nothing)						\
	if								\
	:: woken ->							\
		STEP(seen = nothing);					\
		STEP(v = commit[word]);					\
		do							\
		:: POSITION(v) != seen ->				\
			STEP(hand_on(me); wake_one(word)); break	\
		:: POSITION(v) == seen && (v & W) ->			\
			STEP(was_shut = shut);				\
			if						\
			:: was_shut -> STIR_AGAIN(word)			\
			:: else						\
			fi;						\
			was_shut = false; break				\
		:: else ->						\
			STEP(if						\
			     :: commit[word] == v ->			\
				v = v | W; commit[word] = v		\
			     :: else -> v = commit[word]		\
			     fi)					\
		od;							\
		STEP(hand_on(me))					\
	:: else								\
	fi
#endif

proctype putter(byte me; byte n)
{
	byte turn, msg, at, head, seen, v, cell, sum;
	byte passed = NEVER;
	bool woken, owes, was_shut;

next:
	if
	:: turn == PUTS -> goto done
	:: else -> msg = turn * MOST + me; turn++
	fi;
again:
	TAKE(PUT);
	STEP(at = POSITION(commit[PUT]); head = other[PUT]);
	STEP(if
	     :: shut -> goto closed
	     :: else
	     fi);
	if
	:: at + n - head > UNITS ->
		STEP(head = POSITION(commit[GET]));
		STEP(other[PUT] = head; assert(at - head <= UNITS))
	:: else
	fi;
	if
	:: at + n - head > UNITS -> goto no_room
	:: else
	fi;
	STEP(mark[at % UNITS] = n);
	STEP(body[at % UNITS] = msg; body[(at + n - 1) % UNITS] = msg);
	COMMIT(PUT);
	goto over;

no_room:
	RELEASE(PUT);
	seen = head;
	head = 0; at = 0;
#ifndef NO_PASSING
	/* Not enough room for us: perhaps enough for another. */
	if
	:: woken && seen != passed ->
		passed = seen;
		woken = false;
		STEP(hand_on(me); wake_one(GET))
	:: else
	fi;
#endif
	WAIT(GET);

closed:
	RELEASE(PUT);
over:
	at = 0; head = 0; v = 0; seen = 0;
	WAIT_END(GET, POSITION(commit[PUT]) - UNITS);
	at = 0; head = 0; v = 0; seen = 0; msg = 0; woken = false;
	passed = NEVER;
	goto next;
killed:
	atomic { die(me) };
done:
	turn = 0; msg = 0; at = 0; head = 0; seen = 0; v = 0; passed = 0;
	woken = false; owes = false
}

proctype getter(byte me)
{
	byte turn, n, msg, at, tail, seen, v, cell, sum;
	bool woken, owes, was_shut;

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
		STEP(other[GET] = tail; assert(tail >= at));
		if
		:: tail == at && was_shut -> goto closed
		:: tail == at && !was_shut -> goto no_message
		:: else -> was_shut = false
		fi
	:: else
	fi;
	STEP(n = mark[at % UNITS]; assert(n > 0 && n <= tail - at));
	STEP(msg = body[at % UNITS]; assert(body[(at + n - 1) % UNITS] == msg));
	COMMIT(GET);
	goto over;

no_message:
	RELEASE(GET);
	seen = tail;
	at = 0; tail = 0;
	WAIT(PUT);

closed:
	was_shut = false;
	assert(puts == gets);
	RELEASE(GET);
	turn = GETS;
over:
	n = 0; msg = 0; at = 0; tail = 0; v = 0; seen = 0;
	WAIT_END(PUT, POSITION(commit[GET]));
	v = 0; seen = 0; woken = false;
	goto next;
killed:
	atomic { die(me) };
done:
	turn = 0; n = 0; msg = 0; at = 0; tail = 0; seen = 0; v = 0;
	woken = false; owes = false; was_shut = false
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
