/* SPDX-License-Identifier: MIT */
/*
 * registry.h - who takes part in a shared thing, and who has died in it
 *
 * A table of slots in shared memory, and two lockable bytes for each, far
 * beyond the file's end.
 *
 *      life byte   locked while the slot's owner lives: by a description that
 *                  only one page of the owner's memory keeps open.  Nobody
 *                  else can release it, a fork's child does not have it, and
 *                  the kernel drops it after the owner's last store.
 *      reap byte   locked by the one who clears up after a dead owner.
 *
 *               join: lock life, then store ACTIVE
 *      FREE g ─────────────────────────────────────▶ ACTIVE g
 *        ▲                                              │
 *        └── FREE g+1: leave, under life; ──────────────┘
 *            or, dead, reap: repair, count, store; under reap
 *
 * The state word is the truth.  A stamp of another generation is a dead one's.
 */
#ifndef KN_REGISTRY_H
#define KN_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "shm/latch.h"
#include "shm/self.h"
#include "shm/word.h"

#define KN_SLOTS_MAX	1000u

struct kn_slot {
	kn_word state;			/* generation<<1 | active */
	kn_word pid;
	kn_wide start;
	kn_wide pid_namespace;
	kn_wide number;			/* of struct kn_peer */
};

struct kn_roster {
	kn_word deaths;			/* owners that were reaped */
	uint32_t zero[15];
	struct kn_slot slots[];
};

#define KN_SLOT_ACTIVE	1u
#define KN_GENERATIONS	0x3ffffu	/* those a stamp can tell apart, - 1 */

_Static_assert(sizeof(struct kn_slot) == 32, "layout");
_Static_assert(sizeof(struct kn_roster) == 64, "layout");

/* The stamp of a slot's owner, and the slot of a stamp. */
static inline uint32_t
kn_stamp_of(uint32_t state, uint32_t slot)
{
	return KN_STAMP | (state >> 1 & KN_GENERATIONS) << 10 | slot;
}

static inline uint32_t
kn_stamp_slot(uint32_t stamp)
{
	return stamp & 0x3ff;
}

static inline size_t
kn_roster_bytes(uint32_t slots)
{
	return sizeof(struct kn_roster) + slots * sizeof(struct kn_slot);
}

/* Make what the dead owner of stamp left in shared memory whole; repeatable. */
typedef void kn_repair_fn(void *arg, uint32_t stamp);

/* A process's view of a roster; private memory. */
struct kn_registry {
	struct kn_party party;		/* first: the latch hands it back */
	struct kn_roster *roster;
	uint64_t at;			/* the roster's offset in the file */
	uint32_t slots;
	int fd;				/* the caller's */
	uint64_t device, inode;
	const char *name;		/* of the file, "" = none; the caller's */
	kn_repair_fn *repair;
	void *repair_arg;

	uint32_t generation;		/* of our process, when we joined */
	uint32_t slot;
	uint32_t next;			/* to look at, in rotation */
	uint32_t reaped;		/* by us, all told */
	void *life;			/* the page that keeps our byte locked */
};

int kn_registry_init(struct kn_registry *reg, struct kn_roster *roster,
		     uint64_t at, uint32_t slots, int fd, kn_repair_fn *repair,
		     void *repair_arg);

/*
 * Take part, from this process: once, and again after a fork.  -ENOSPC: all
 * slots have living owners; -ENOENT: no /proc here.
 */
int kn_registry_join(struct kn_registry *reg);

static inline bool
kn_registry_joined(const struct kn_registry *reg)
{
	return __atomic_load_n(&reg->generation, __ATOMIC_ACQUIRE) ==
	       kn_self_generation();
}

/* Is that the stamp of who has this slot, as far as anybody has found out? */
static inline bool
kn_registry_has(const struct kn_registry *reg, uint32_t slot, uint32_t stamp)
{
	uint32_t state = kn_load(&reg->roster->slots[slot].state);

	return (state & KN_SLOT_ACTIVE) && kn_stamp_of(state, slot) == stamp;
}

/* Our slot becomes free, if we have one in this process. */
void kn_registry_leave(struct kn_registry *reg);

/*
 * Look at n active slots in rotation, at each of them once at most, and reap
 * those whose owner is dead.  Negative: why one of them cannot be.
 */
int kn_registry_sweep(struct kn_registry *reg, uint32_t n);

/*
 * Take part, look at all, and say how many were reaped by that.  -EBADF: the
 * descriptor is gone; else as join and sweep.  Sets the sentence, for label.
 */
int kn_registry_reap(struct kn_registry *reg, const char *label);

/* For tools: is slot's byte locked?  fd may be read-only. */
int kn_registry_alive(int fd, uint64_t at, uint32_t slot);

#endif
