/* SPDX-License-Identifier: MIT */
/*
 * wait.h - publish by a word, and sleep until it moves
 *
 * A commit word holds a position and a waiter bit.  Who finds nothing to do
 * sets the bit on the very value that told it so, and sleeps on that value;
 * who publishes and finds the bit set moves the position, clears the bit and
 * wakes one sleeper in a single FUTEX_WAKE_OP.  There is no instruction at
 * which a death could leave the one done and the other not.
 *
 * The bit is one for all sleepers, and a wake clears it.  So there is a baton:
 * who was woken must, before it returns, wake one more or set the bit again.
 * A wake given to a process that dies is lost, baton and all; so every sleep
 * is cut into slices, and at a slice's end everything is looked at again.
 *
 * Before it sleeps a waiter spins for about as long as a wake-up costs, less
 * and less where that does not pay off, and never with one CPU only.
 */
#ifndef KN_WAIT_H
#define KN_WAIT_H

#include <kin/time.h>

#include "shm/word.h"

#define KN_WAITER	1u		/* of a commit word */
#define KN_PUBLISH_MAX	1024u		/* units at once: the operand of
					   FUTEX_WAKE_OP has 12 signed bits */
#define KN_POSITION	0x7fffffffu	/* positions are modulo 2^31 */

struct kn_slices {
	int64_t first_ns, last_ns;	/* each twice as long as the one before */
};

extern struct kn_slices kn_wait_slices;

/* How long to spin: one for each side of a handle, shared by its threads. */
struct kn_spin {
	int64_t most_ns;		/* 0 = never */
	int64_t next_ns;
	uint32_t tries;
};

/* One wait, from its first look to its end. */
struct kn_wait {
	struct kn_spin *spin;
	uint32_t far;			/* units to spin for: see spin() */
	int64_t slice_ns;		/* the present one's length */
	int64_t slice_end;		/* 0 before the first sleep; signals do
					   not move it */
	bool woken;			/* a wake was absorbed: pass it on */
	bool again;			/* not the first sleep of this wait */
	uint32_t passed;		/* by kn_wait_pass, at that position */
	bool settles;			/* *w stays once *stop is set, and its
					   bit is anybody's to clear */
};

/* asked_ns as in struct kin_queue_opts. */
void kn_spin_init(struct kn_spin *spin, int64_t asked_ns);

/* Spin on a word of any kind until there says of its value that it is there. */
typedef bool kn_spin_fn(const void *arg, uint32_t v);
bool kn_spin_for(struct kn_spin *spin, const kn_word *w, kn_spin_fn *there,
		 const void *arg, kin_time deadline);

static inline uint32_t
kn_position(uint32_t v)
{
	return v >> 1;
}

/*
 * Move *w from position by n units, 1 to KN_PUBLISH_MAX.  Only the holder of
 * the word's latch may.  -EUCLEAN: the word is not where we know it to be,
 * and nothing was moved.
 */
int kn_publish_slow(kn_word *w, uint32_t position, uint32_t n);

static inline int
kn_publish(kn_word *w, uint32_t position, uint32_t n)
{
	uint32_t v = position << 1;

	if (kn_likely(kn_cas_release(w, &v, (position + n) << 1)))
		return 0;
	return kn_publish_slow(w, position, n);
}

/* Field by field: a struct that is returned gets copied in pieces that do not
 * fit what was stored, which takes the time of a whole put. */
static inline void
kn_wait_begin(struct kn_wait *wait, struct kn_spin *spin, uint32_t far)
{
	wait->spin = spin;
	wait->far = far;
	wait->slice_ns = kn_wait_slices.first_ns;
	wait->slice_end = 0;
	wait->woken = false;
	wait->again = false;
	wait->settles = false;
	wait->passed = ~0u;
}

/* Did it sleep, or try to?  Only then was it woken. */
static inline bool
kn_wait_slept(const struct kn_wait *wait)
{
	return wait->slice_end != 0;
}

/*
 * Sleep until *w leaves position, *stop is not 0, a slice or the deadline is
 * over.  0: look again; 1: the slice was over, look at the living too;
 * -ETIMEDOUT: the deadline was over before, however often *w has moved since.
 *
 * Of *stop, all who sleep on a word that settles learn at once.  Elsewhere the
 * bit that one sets who has seen *stop may let another sleep who has not, and
 * nobody may take it off but the latch's holder: until its slice's end.
 */
int kn_wait_move(struct kn_wait *wait, kn_word *w, uint32_t position,
		 const kn_word *stop, kin_time deadline);

/*
 * The end of a wait that was woken, however it ended.  position is where *w
 * would be if there were nothing left to do for another sleeper.
 */
void kn_wait_end(const struct kn_wait *wait, kn_word *w, uint32_t position,
		 const kn_word *stop);

/*
 * Wake all sleepers of *w.  Stir makes those look again, too, who are about to
 * sleep: it clears the bit, and so only the holder of the word's latch may, or
 * anybody once the word moves no more.
 */
void kn_wait_wake(const kn_word *w);
void kn_wait_pass(const kn_word *w);	/* one sleeper only */
void kn_wait_stir(kn_word *w);

#endif
