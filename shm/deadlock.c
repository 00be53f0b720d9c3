/* SPDX-License-Identifier: MIT */
/*
 * deadlock.c - a ring of threads, each waiting for what the next one holds
 */
#include <unistd.h>

#include "shm/deadlock.h"

#define ROUNDS	2

/*
 * Larger than that one, and with so much of time and thread in it that no
 * other is the same: Steele, Lea and Flood's mix of 64 bits (OOPSLA 2014).
 */
static uint64_t
larger_than(uint64_t label)
{
	uint64_t z = (uint64_t)kin_now().ns ^ (uint64_t)gettid() << 40;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return ((label >> 32) + 1) << 32 | ((z ^ z >> 31) & 0xffffffffu);
}

static void
show(struct kn_deadlock *d, uint64_t label)
{
	if (label != d->shown)
		kn_control_label(label);
	d->shown = label;
}

uint64_t
kn_deadlock_shown(const struct kn_control *control, uint32_t holder)
{
	const struct kn_thread *t = kn_control_thread(control, holder);

	return t != NULL ? kn_wide_load(&t->label) : 0;
}

bool
kn_deadlock_look(struct kn_deadlock *d, uint64_t largest)
{
	if (d->own == 0) {
		d->own = larger_than(largest);
		show(d, d->own);
		return false;
	}
	if (largest == d->own) {
		if (++d->rounds == ROUNDS)
			return true;
		d->own = larger_than(largest);
		show(d, d->own);
		return false;
	}
	show(d, largest > d->own ? largest : d->own);
	return false;
}

void
kn_deadlock_end(struct kn_deadlock *d)
{
	if (d->own != 0)
		show(d, 0);
}
