/* SPDX-License-Identifier: MIT */
/*
 * control.h - who takes part in the objects of a segment: processes, threads
 *
 *      0      4096
 *      ├─ header ─┼─ roster ─┼─ threads ─────┼─ body ─────────┤
 *                 └──── the control part ────┘
 *
 * One for all objects in a segment; a plain segment has none unless its maker
 * asks for members.  Processes are the roster's (shm/registry.h); each of
 * their threads that comes near an object takes a record, which says whose it
 * is, and while it sleeps, what it waits for.
 *
 *      FREE g ──── one compare-and-swap, with the process's stamp ───▶ ACTIVE g
 *        ▲                                                               │
 *        └── FREE g+1: its end (a key's destructor); its process's end  ─┘
 *            (whoever reaps it); or the kernel has no such thread any more
 *
 * A thread's stamp names record and generation.  It is dead if the record has
 * moved on, or its process is dead, or the kernel knows no such thread.  Doubt
 * is life.
 */
#ifndef KN_CONTROL_H
#define KN_CONTROL_H

#include <sys/types.h>

#include "shm/registry.h"
#include "shm/segment.h"

#define KN_THREADS_MAX	8192u

/* A line each.  All but owner are written by the thread whose it is. */
struct kn_thread {
	kn_wide owner;			/* generation<<1 | active, and over it
					   the process's stamp */
	kn_wide tid;			/* in its namespace | generation << 32;
					   0 = not known yet */
	kn_wide start;			/* ticks since boot */
	kn_wide waits;			/* for the object at that offset of the
					   file; 0 = for nothing */
	kn_wide since;			/* CLOCK_MONOTONIC, ns */
	kn_wide label;			/* of a wait; shm/deadlock.h */
	kn_word ticket;			/* its place among those who wait */
	kn_word wake;			/* KN_ASLEEP, on this word; ... */
	union {
		kn_wide notice;		/* the condition it waits at, by its
					   offset, | KN_NOTICED; 0 = none */
		kn_word notice_half[2];
	};
};

#define KN_NOTICED	1u

/* A word to sleep on that has the notice's bit. */
static inline kn_word *
kn_thread_notice(struct kn_thread *t)
{
	return &t->notice_half[__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__];
}

#define KN_ASLEEP	0u
#define KN_AWAKE	1u
#define KN_PASSED	2u		/* its turn came, and it did not */

struct kn_threads {
	kn_word used;			/* no record from here on was ever used */
	uint32_t zero[15];
	struct kn_thread of[];
};

_Static_assert(sizeof(struct kn_thread) == 64, "layout");
_Static_assert(sizeof(struct kn_threads) == 64, "layout");

/* ---- how large ---- */

static inline bool
kn_control_fits(uint32_t members, uint32_t threads)
{
	return members == 0 ? threads == 0
			    : members <= KN_SLOTS_MAX && threads >= members &&
			      threads <= KN_THREADS_MAX;
}

/* How many threads for so many members, if the maker leaves it to us (0). */
uint32_t kn_control_threads(uint32_t members, uint32_t threads);

static inline size_t
kn_control_threads_at(uint32_t members)
{
	return (kn_roster_bytes(members) + KN_LINE - 1) / KN_LINE * KN_LINE;
}

/* Whole pages, so that the body begins with one; 0 without members. */
static inline size_t
kn_control_bytes(uint32_t members, uint32_t threads)
{
	size_t bytes;

	if (members == 0)
		return 0;
	bytes = kn_control_threads_at(members) + sizeof(struct kn_threads) +
		threads * sizeof(struct kn_thread);
	return (bytes + KN_PAGE - 1) / KN_PAGE * KN_PAGE;
}

/* ---- this process's view: one for each handle of a segment ---- */

struct kn_mine;				/* a thread's record here */

struct kn_control {
	struct kn_registry registry;	/* of this process; for latches, too */
	struct kn_threads *threads;
	uint32_t nthreads;
	uint32_t bits;			/* of a stamp, for the record */
	uint64_t id;			/* never used again in this process */
	kin_segment *seg;		/* whose it is: not held */
	struct kn_mine *mine;		/* of all our threads */
};

/*
 * The control part of seg, which keeps it.  Nobody joins yet.
 *
 *   -EINVAL  it has none (the sentence names .members)
 *   -EACCES  it is read-only here
 */
int kn_control_of(struct kn_control **ret, kin_segment *seg);
void kn_control_free(struct kn_control *control);	/* for the segment */

/* ---- this thread in it ---- */

struct kn_me {
	uint64_t control;
	uint32_t fork;
	uint32_t stamp;
};

extern __thread struct kn_me kn_me_last
    __attribute__((tls_model("initial-exec")));

/* True: that control part was this thread's last one, and its stamp there is
 * kn_me_last.stamp. */
static inline bool
kn_control_known(uint64_t id)
{
	return kn_likely(kn_me_last.control == id) &&
	       kn_likely(kn_me_last.fork == kn_self_known());
}

int kn_control_join(struct kn_control *control);

/*
 * This thread's stamp, positive.  The first time, and again after a fork, the
 * process joins and the thread takes a record.
 *
 *   -ENOSPC  so many processes, or threads, are there and alive
 *   -EBADF, -ENOENT  as kn_registry_join; -ENOMEM
 */
static inline int
kn_control_me(struct kn_control *control)
{
	return kn_control_known(control->id) ? (int)kn_me_last.stamp
					     : kn_control_join(control);
}

/* This process's stamp, for latches and what processes hold; joins it. */
int kn_control_process(struct kn_control *control);

/* ---- stamps, of threads and of processes ---- */

static inline bool
kn_stamp_is_thread(uint32_t stamp)
{
	return (stamp & (KN_STAMP | KN_STAMP_THREAD)) ==
	       (KN_STAMP | KN_STAMP_THREAD) && (stamp & ~KN_STAMP_MASK) == 0;
}

/* 28 bits: the record's number takes what it needs, its generation the rest. */
#define KN_STAMP_THREAD_MASK	(KN_STAMP_THREAD - 1)

static inline uint32_t
kn_record_bits(uint32_t threads)
{
	return threads > 1 ? 32 - (uint32_t)__builtin_clz(threads - 1) : 0;
}

static inline uint32_t
kn_thread_stamp(uint32_t state, uint32_t record, uint32_t bits)
{
	return KN_STAMP | KN_STAMP_THREAD |
	       ((state >> 1 << bits) & KN_STAMP_THREAD_MASK) | record;
}

static inline uint32_t
kn_stamp_record(uint32_t stamp, uint32_t bits)
{
	return stamp & ((1u << bits) - 1);
}

/*
 * Is it the stamp of one who is surely dead?  1; 0: not surely; -EUCLEAN: it
 * is no stamp of this segment; -EBADF: nothing left to ask the kernel by.
 * Sets the sentence.  Takes both kinds.
 */
int kn_control_dead(struct kn_control *control, uint32_t stamp);

/* Was it this process's, before it was forked?  Then what it holds is not. */
bool kn_control_stale(struct kn_control *control, uint32_t stamp);

/* The record of a thread's stamp, or NULL: it has moved on, or is no stamp. */
struct kn_thread *kn_control_thread(const struct kn_control *control,
				    uint32_t stamp);

/* A dead thread's record becomes free. */
void kn_control_bury(struct kn_control *control, uint32_t stamp);

/* Each record that this thread has, in whatever segment: its label is v. */
void kn_control_label(uint64_t v);

/* How many wait for the object at that offset of the file. */
uint32_t kn_control_count(const struct kn_control *control, uint64_t at);

/* The process of a thread's record, by its own pid namespace. */
pid_t kn_control_pid(const struct kn_control *control,
		     const struct kn_thread *t);

/* ---- waiting ---- */

/*
 * Every sleep is cut into slices, at whose end the sleeper looks at what might
 * keep it: 2 ms, and each twice as long as the one before, to 50 ms.
 */
struct kn_slice {
	int64_t ns;
	int64_t end;			/* 0 = not begun */
};

static inline struct kn_slice
kn_slice_first(void)
{
	return (struct kn_slice){ kn_latch_slices.first_ns, 0 };
}

/* When to wake up at the latest; begins the slice if none has begun. */
kin_time kn_slice_until(struct kn_slice *slice, kin_time deadline);

/* Is it over?  Then the next one begins. */
bool kn_slice_over(struct kn_slice *slice);

/* For tools: this thread, stamp, waits for the object at that offset of the
 * file, or (0) for nothing any more. */
void kn_control_waits(struct kn_control *control, uint32_t stamp,
		      uint64_t offset);

#endif
