/* SPDX-License-Identifier: MIT */
/*
 * registry.pml - shm/registry.c: slots taken, left, reaped and taken again
 *
 * MEMBERS live LIVES lives each.  In each life a member sweeps and joins, puts
 * its stamp into the thing that a registry is for, as the holder of a latch
 * does, takes it out again, leaves, and unmaps the file; or it dies at any
 * step, and its next life is that of another process.  What the kernel does
 * after a death, letting go of the locked bytes, it does some time later.
 *
 * Who asks for the dead sees a free life byte, and then, by /proc, whether the
 * one who entered itself there maps the file.  Where all are HIDDEN from each
 * other, in pid namespaces of their own, the life byte alone speaks for them;
 * where they are not, one may have lost its byte and live (UNMAPS).  One that
 * execs is gone as if it had died, and one that is stopped takes no step, for
 * a while or for ever: both are among the runs.  Each has a description of its
 * own, as spares are claimed by one only; two who had the same would not keep
 * each other out (SHARED_DESCRIPTION).
 *
 * Asserted:
 *      a slot has one owner at a time, and each a generation of its own;
 *      no reaper frees the slot of a live one, nor repairs what it holds;
 *      a slot is free only after what its dead owner left was repaired;
 *      no stamp of a live one is ever taken for a dead one's;
 *      when all have ended, one sweep more leaves all slots free.
 */
#ifndef MEMBERS
#define MEMBERS	3
#endif
#ifndef LIVES
#define LIVES	1
#endif
#ifndef SLOTS
#define SLOTS	1
#endif
#ifndef TRIES
#define TRIES	2
#endif

#define JANITOR	(MEMBERS * LIVES + 1)	/* sweeps when all have ended */
#define MOST	(JANITOR + 1)
#define NONE	255
#define ACTIVE	1
#define STAMP(v, slot)	(128 | (v) >> 1 << 2 | (slot))
#define STAMP_SLOT(v)	((v) & 3)
#ifdef SAME_GENERATION
#define FREED(v)	((v) & 254)
#else
#define FREED(v)	((((v) >> 1) + 1) << 1)
#endif

#define CHECK	skip
#include "step.pml"

byte state[SLOTS];		/* generation << 1 | ACTIVE */
byte entered[SLOTS];	/* and start time, and namespace: one process */
byte life[SLOTS];		/* locked by whom */
byte reap[SLOTS];		/* locked by whom */
byte thing;			/* 0, or a stamp; what a repair makes whole */
bool maps[MOST];		/* that process lives, and maps the file */

/* What no C knows, for the assertions. */
byte owner[SLOTS];		/* that is live, and has entered */
byte fresh[SLOTS];		/* the first generation without an owner yet */

inline die(who)
{
	maps[who] = false;
	if
	:: slot != NONE && owner[slot] == who -> owner[slot] = 0
	:: else
	fi
}

/* slot_dead() */
inline look(at)
{
#ifdef BY_PID
	is_dead = true;
#else
	STEP(is_dead = (life[at] == 0));
#endif
#if !defined(HIDDEN) && !defined(BY_LIFE_BYTE)
	if
	:: is_dead ->
		STEP(whom = entered[at]);
		STEP(is_dead = !maps[whom]);
		whom = 0
	:: else
	fi
#endif
}

inline repair()
{
	STEP(if
	     :: thing == STAMP(seen, s) ->
		assert(owner[s] == 0);
		thing = 0
	     :: else
	     fi)
}

inline free_slot()
{
	STEP(assert(owner[s] == 0 && state[s] == seen);
	     assert(thing != STAMP(seen, s));
	     state[s] = FREED(seen))
}

inline reap_locked()
{
#ifndef NO_SECOND_LOOK
	STEP(is_dead = (state[s] == seen));
	if
	:: is_dead -> look(s)
	:: else
	fi;
#endif
	if
	:: is_dead ->
#ifdef FREE_BEFORE_REPAIR
		free_slot();
		repair()
#else
		repair();
		free_slot()
#endif
	:: else
	fi
}

inline reap_slot()
{
#ifdef REAP_WITHOUT_BYTE
	reap_locked()
#else
	STEP(is_dead = (reap[s] == 0);
	     if
	     :: is_dead -> reap[s] = me
	     :: else
	     fi);
	if
	:: is_dead ->
		reap_locked();
		STEP(reap[s] = 0)
	:: else
	fi
#endif
}

inline sweep()
{
	s = 0;
	do
	:: s == SLOTS -> break
	:: else ->
		STEP(seen = state[s]);
		is_dead = false;
		if
		:: seen & ACTIVE -> look(s)
		:: else
		fi;
		if
		:: is_dead -> reap_slot()
		:: else
		fi;
		is_dead = false;
		seen = 0;
		s++
	od;
	s = 0
}

/* enter(), of slot s, whose state was seen. */
inline enter()
{
	STEP(entered[s] = me);
	STEP(assert(owner[s] == 0 && (seen >> 1) >= fresh[s]);
	     owner[s] = me;
	     fresh[s] = (seen >> 1) + 1;
	     state[s] = seen | ACTIVE;
	     slot = s;
	     stamp = STAMP(seen, s))
}

/* One slot of join_free(). */
inline try_slot()
{
	STEP(seen = state[s]);
	is_dead = false;
	if
	:: (seen & ACTIVE) == 0 ->
#ifdef ENTER_BEFORE_LOCK
		enter();
		STEP(life[s] = me)
#else
		STEP(if
#ifdef SHARED_DESCRIPTION
		     :: true -> life[s] = me; is_dead = true
#else
		     :: life[s] == 0 -> life[s] = me; is_dead = true
#endif
		     :: else
		     fi)
#endif
	:: else
	fi;
	if
	:: is_dead ->			/* had by nobody, and now by us */
		is_dead = false;
#ifndef JOIN_WITHOUT_SECOND_LOOK
		STEP(seen = state[s]);
#endif
		if
		:: (seen & ACTIVE) == 0 -> enter()
		:: else -> STEP(life[s] = 0)
		fi
	:: else
	fi
}

inline join_free()
{
	s = 0;
	do
	:: s == SLOTS || slot != NONE -> break
	:: else -> try_slot(); seen = 0; s++
	od;
	s = 0
}

/* As a latch is taken, or taken over by who asks stamp_dead(). */
inline take()
{
	STEP(seen = thing);
	is_dead = true;
	if
	:: seen != 0 ->
		STEP(is_dead = (STAMP(state[STAMP_SLOT(seen)],
				      STAMP_SLOT(seen)) != seen ||
				(state[STAMP_SLOT(seen)] & ACTIVE) == 0));
		if
		:: !is_dead -> look(STAMP_SLOT(seen))
		:: else
		fi
	:: else
	fi;
	STEP(if
	     :: is_dead && thing == seen ->
		assert(seen == 0 || owner[STAMP_SLOT(seen)] == 0 ||
		       STAMP(state[STAMP_SLOT(seen)], STAMP_SLOT(seen)) != seen);
		thing = stamp
	     :: else -> stamp = 0
	     fi);
	seen = 0;
	is_dead = false
}

inline leave()
{
#ifdef LEAVE_UNLOCKS_FIRST
	STEP(life[slot] = 0);
#endif
	STEP(assert(owner[slot] == me && (state[slot] & ACTIVE));
	     owner[slot] = 0;
	     state[slot] = FREED(state[slot]));
	STEP(if
	     :: life[slot] == me -> life[slot] = 0
	     :: else
	     fi)
}

proctype member(byte me)
{
	byte s, seen, whom, tries, turn, stamp;
	byte slot = NONE;
	bool is_dead;

next:
	turn++;
	STEP(maps[me] = true);
	do
	:: tries == TRIES || slot != NONE -> break
	:: else -> sweep(); join_free(); tries++
	od;
	tries = 0;
	if
	:: slot == NONE -> goto unmap		/* all slots have owners */
	:: else
	fi;
#ifdef UNMAPS
	if
	:: true -> STEP(life[slot] = 0)
	:: true
	fi;
#endif
	take();
	if
	:: stamp != 0 -> STEP(assert(thing == stamp); thing = 0)
	:: else
	fi;
	leave();
unmap:
	STEP(maps[me] = false);
	goto over;
killed:
	atomic { die(me) };
	s = 0;
	do
	:: s == SLOTS -> break
	:: else ->
		/* By the kernel, and not at once. */
		atomic {
			if
			:: life[s] == me -> life[s] = 0
			:: else
			fi;
			if
			:: reap[s] == me -> reap[s] = 0
			:: else
			fi
		};
		s++
	od;
over:
	s = 0; seen = 0; whom = 0; tries = 0; stamp = 0; slot = NONE;
	is_dead = false;
	if
	:: turn < LIVES -> me = me + MEMBERS; goto next
	:: else
	fi;
	turn = 0; slot = 0
}

init
{
	byte me, s, seen, whom;
	byte slot = NONE;
	bool is_dead;

	atomic {
		me = 1;
		do
		:: me > MEMBERS -> break
		:: else -> run member(me); me++
		od
	};
	atomic { _nr_pr == 1 -> deaths = 0 };
	me = JANITOR;
	sweep();
	do
	:: s == SLOTS -> break
	:: else ->
		assert((state[s] & ACTIVE) == 0 && life[s] == 0 && reap[s] == 0);
		s++
	od;
	assert(thing == 0);
killed:		/* nobody: there are no deaths left */
	skip
}
