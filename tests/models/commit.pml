/* SPDX-License-Identifier: MIT */
/*
 * commit.pml - for ring.pml: records and commits, the kernel's wakes, and
 * shm/wait.c
 */

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

/* The moment at which a run's messages are in, or out. */
inline count(side)
{
	do
	:: msgs == 0 -> break
	:: msgs > 0 && side == PUT ->
		log[puts] = msg; msg = msg + MOST; puts++; msgs--
	:: msgs > 0 && side == GET -> assert(gets < puts); gets++; msgs--
	od;
	assert(BOUND == 0 || puts - gets <= BOUND)
}

inline tallied(side, from)
{
	cell = 2 * side;
	if
	:: tally_position[cell] == from ->
		cell++; sum = tally_count[cell - 1]
	:: else -> sum = tally_count[cell + 1]
	fi;
	assert(sum == (side == PUT -> puts : gets));
#ifdef TALLY_IN_PLACE
	cell = 2 * side;
#endif
	tally_position[cell] = from + units;
	tally_count[cell] = sum + msgs;
	cell = 0;
	sum = 0
}

/* The record at position: the next one of a run. */
#define READ(position)							\
	STEP(n = mark[(position) % UNITS]);				\
	STEP(some = body[(position) % UNITS];				\
	     assert(body[((position) + n - 1) % UNITS] == some);	\
	     assert(some == log[gets + msgs]); some = 0);		\
	units = units + n;						\
	msgs++

/* From a position, by so many units and a run's messages. */
#define COMMIT(side, from, moved, through)				\
	STEP(tallied(side, from));					\
	if								\
	:: true ->		/* latch and word in one step */	\
		STEP(if							\
		     :: commit[side] == (from) << 1 ->			\
			commit[side] = (from + units) << 1;		\
			latch[side] = 0; count(side); goto through	\
		     :: else						\
		     fi)						\
	:: true			/* somebody sleeps on the latch */	\
	fi;								\
	STEP(if								\
	     :: commit[side] == (from) << 1 ->				\
		commit[side] = (from + units) << 1;			\
		count(side); goto moved					\
	     :: else							\
	     fi);							\
	STEP(assert(POSITION(commit[side]) == from));			\
	WAKING_COMMIT(side, from);					\
moved:									\
	RELEASE(side);							\
through:								\
	units = 0

#ifdef NAIVE_WAKE
#define WAKING_COMMIT(side, from)					\
	STEP(assert(commit[side] == ((from) << 1 | W));			\
	     commit[side] = (from + units) << 1; count(side);		\
	     carry(me, side); owes = true);				\
	STEP(hand_on(me); owes = false; wake_one(side))
#else		/* FUTEX_WAKE_OP */
#define WAKING_COMMIT(side, from)					\
	STEP(commit[side] = commit[side] + 2 * units - 1;		\
	     assert(POSITION(commit[side]) == from + units);		\
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

/* kn_wait_end() */
#ifdef NO_BATON
#define WAIT_END(word, NOTHING)	STEP(hand_on(me))
#else
#define WAIT_END(word, NOTHING)						\
	if								\
	:: woken ->							\
		NOTHING;						\
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
