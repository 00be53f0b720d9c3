/* SPDX-License-Identifier: MIT */
/*
 * sync_facts.c - what there is to know of semaphores, events, barriers, onces
 *
 * All by copies that may be rubbish; numbers in them are told, not used.
 */
#include <inttypes.h>

#include "lib/barrier.h"
#include "lib/event.h"
#include "lib/once.h"
#include "lib/sem.h"

static uint32_t
word(const kn_word *w)
{
	return kn_load_relaxed(w);
}

/* ---- events and onces ---- */

void
kn_event_facts(const struct kn_object_look *look, struct kn_listener *to)
{
	const struct kn_event_shared *shared = look->own;
	uint32_t v = word(&shared->word);

	kn_say(to, "state", v & KN_EVENT_SET ? "set" : "clear");
	kn_say(to, "cleared", "%u times", v / KN_EVENT_CLEARS);
	kn_say(to, "asleep", (v & KN_EVENT_ASLEEP) && !(v & KN_EVENT_SET)
			     ? "somebody" : "nobody");
}

void
kn_once_facts(const struct kn_object_look *look, struct kn_listener *to)
{
	const struct kn_once_shared *shared = look->own;
	uint32_t v = word(&shared->word), owner = v & ~KN_LATCH_WAITER;

	switch (owner) {
	case KN_ONCE_NEVER:
		kn_say(to, "state", "not yet run");
		break;
	case KN_ONCE_DONE:
		kn_say(to, "state", "done");
		break;
	case KN_ONCE_HALF:
		kn_say(to, "state", "half done by one who died");
		break;
	default:
		kn_say(to, "state", "running");
		kn_control_say_stamp(&look->control, "runner", owner, to);
	}
	kn_say(to, "asleep", v & KN_LATCH_WAITER ? "somebody" : "nobody");
}

/* ---- barriers ---- */

static const char *
state_words(uint32_t state)
{
	static const char *const words[] = {
		[KN_BARRIER_OPEN] = "open",
		[KN_BARRIER_ACTING] = "all are there, the action runs",
		[KN_BARRIER_BROKEN] = "broken",
		[KN_BARRIER_DEAD] = "broken by a death",
	};

	return words[state];
}

void
kn_barrier_facts(const struct kn_object_look *look, struct kn_listener *to)
{
	const struct kn_barrier_shared *shared = look->own;
	uint32_t parties = (uint32_t)look->mark.shape[0];
	uint32_t v = word(&shared->phase), i, n = 0;

	kn_say(to, "state", "%s", state_words(kn_phase_state(v)));
	kn_say(to, "rounds", "%u", kn_phase_generation(v));
	for (i = 0; i < parties; i++)
		n += kn_seat_of(kn_wide_load(&shared->seats[i]),
				kn_phase_generation(v)) != 0;
	kn_say(to, "parties", "%u, of which %u are there", parties, n);
	for (i = 0; i < parties && to->r == 0; i++) {
		uint32_t owner = kn_seat_of(kn_wide_load(&shared->seats[i]),
					    kn_phase_generation(v));

		if (owner != 0)
			kn_control_say_stamp(&look->control, "party",
					     owner & ~KN_SEAT_LEFT, to);
	}
	if (word(&shared->latch) != 0)
		kn_control_say_stamp(&look->control, "latch",
				     word(&shared->latch) & ~KN_LATCH_WAITER,
				     to);
}

/* ---- semaphores ---- */

static void
holders(const struct kn_object_look *look, const struct kn_sem_shared *shared,
	struct kn_listener *to)
{
	const struct kn_members *members = &look->control.members;
	uint32_t i;

	for (i = 0; i < members->n && to->r == 0; i++) {
		uint64_t cell = kn_wide_load(&shared->cells[i]);
		uint32_t state = word(&members->slots[i].state);

		if (kn_cell_held(cell) != 0 && (state & KN_SLOT_ACTIVE) &&
		    kn_cell_is_of(cell, kn_cell_of_state(state)))
			kn_say(to, "holder", "slot %u, pid %u, %s: %" PRIu64,
			       i, word(&members->slots[i].pid),
			       kn_members_life(members, i),
			       kn_cell_held(cell));
	}
}

void
kn_sem_facts(const struct kn_object_look *look, struct kn_listener *to)
{
	const struct kn_sem_shared *shared = look->own;
	bool owned = !(look->mark.options & KIN_SEM_PLAIN);
	uint32_t v = word(&shared->free);
	uint32_t turn = word(&shared->turn) & ~KN_LATCH_WAITER;

	if (owned)
		kn_say(to, "permits", "%u free of %" PRIu64 ", owned",
		       kn_sem_free(v), look->mark.shape[0]);
	else if (look->mark.shape[1] != 0)
		kn_say(to, "permits", "%u free of at most %" PRIu64,
		       kn_sem_free(v), look->mark.shape[1]);
	else
		kn_say(to, "permits", "%u free", kn_sem_free(v));
	if (owned && kn_sem_free(v) > look->mark.shape[0])
		kn_say(to, KN_TROUBLE, "more permits are free than there are");
	if (owned)
		holders(look, shared, to);
	kn_say(to, "asleep", v & KN_SEM_ASLEEP ? "somebody" : "nobody");
	kn_say(to, "waiters", "%u",
	       kn_control_waiters(&look->control, look->body));
	if (v & KN_SEM_LINE)
		kn_say(to, "line", "who comes lines up");
	if (turn != 0)
		kn_control_say_stamp(&look->control, "turn", turn, to);
}
