/* SPDX-License-Identifier: MIT */
/*
 * registry.c - who takes part in a shared thing, and who has died in it
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "shm/error.h"
#include "shm/names.h"
#include "shm/log.h"
#include "shm/os.h"
#include "shm/peer.h"
#include "shm/registry.h"
#include "shm/spare.h"

/* Far beyond any file: a tmpfs ends at 2^63 bytes, memory much earlier. */
#define LIFE_BYTES	(1ull << 60)
#define REAP_BYTES	(1ull << 61)

#define JOIN_SWEEP	8u		/* slots a newcomer looks at */
#define JOIN_TRIES	8

static uint64_t
slot_offset(uint64_t at, uint32_t slot)
{
	return at + sizeof(struct kn_roster) + slot * sizeof(struct kn_slot);
}

static uint32_t
freed(uint32_t state)
{
	return ((state >> 1) + 1) << 1;
}

static bool
has_file(const struct kn_registry *reg)
{
	return kn_os_is_file(reg->fd, reg->device, reg->inode);
}

static int
only_ours(const struct kn_registry *reg, int fd)
{
	if (fd < 0 || kn_os_is_file(fd, reg->device, reg->inode))
		return fd;
	kn_os_close(fd);
	return -EBADF;
}

static int
open_by_name(const struct kn_registry *reg)
{
	struct kn_sentence sentence;
	int dir, fd;

	if (reg->name == NULL || reg->name[0] == '\0')
		return -ENOENT;
	kn_sentence_save(&sentence);
	fd = dir = kn_names_dir(false);
	if (dir >= 0)
		fd = kn_names_open(dir, reg->name);
	kn_os_close(dir);
	kn_sentence_restore(&sentence);
	return only_ours(reg, fd);
}

/*
 * A description of that file that is ours alone: anybody who has the same one
 * could unlock what we lock by it, and would find it free.  Memory without a
 * name can be opened by /proc only.
 */
static int
reopen(const struct kn_registry *reg)
{
	int fd, r = only_ours(reg, kn_os_reopen(reg->fd, O_RDWR));

	if (r >= 0)
		return r;
	fd = open_by_name(reg);
	return fd >= 0 ? fd : r;
}

int
kn_registry_alive(int fd, uint64_t at, uint32_t slot)
{
	return kn_os_byte_locked(fd, LIFE_BYTES + slot_offset(at, slot));
}

/*
 * A locked life byte is life.  A free one is death, but for one case: a
 * process that has unmapped the page and not the rest.  Such a one still maps
 * the file and can still store to it.  Doubt is life: it only delays.
 */
static bool
slot_dead(const struct kn_registry *reg, uint32_t slot)
{
	const struct kn_slot *s = &reg->roster->slots[slot];
	struct kn_peer peer;

	/* Another file under our number would say of each byte that it is free. */
	if (!has_file(reg))
		return false;
	if (kn_registry_alive(reg->fd, reg->at, slot) != 0)
		return false;
	peer.pid = kn_load(&s->pid);
	peer.start = kn_wide_load(&s->start);
	peer.pid_namespace = kn_wide_load(&s->pid_namespace);
	peer.number = kn_wide_load(&s->number);
	return !kn_peer_may_map(&peer, reg->device, reg->inode);
}

static int
stamp_dead(struct kn_party *party, uint32_t stamp)
{
	struct kn_registry *reg = (struct kn_registry *)party;
	uint32_t slot = kn_stamp_slot(stamp), state;

	if ((stamp & ~KN_STAMP_MASK) != 0 || !(stamp & KN_STAMP) ||
	    (stamp & KN_STAMP_THREAD) || slot >= reg->slots)
		return -EUCLEAN;
	if (stamp == party->stamp)
		return 0;
	state = kn_load(&reg->roster->slots[slot].state);
	if (!(state & KN_SLOT_ACTIVE) || kn_stamp_of(state, slot) != stamp)
		return 1;
	if (!has_file(reg))
		return -EBADF;
	return slot_dead(reg, slot);
}

int
kn_registry_init(struct kn_registry *reg, struct kn_roster *roster,
		 uint64_t at, uint32_t slots, int fd, kn_repair_fn *repair,
		 void *repair_arg)
{
	struct stat st;
	int r;

	memset(reg, 0, sizeof(*reg));
	r = kn_os_stat(fd, &st);
	if (r < 0)
		return kn_fail(r, "registry: its descriptor");
	reg->party.dead = stamp_dead;
	reg->roster = roster;
	reg->at = at;
	reg->slots = slots;
	reg->fd = fd;
	reg->device = st.st_dev;
	reg->inode = st.st_ino;
	reg->repair = repair;
	reg->repair_arg = repair_arg;
	return 0;
}

/* Or what opening it again has failed with. */
static int
take_spare(const struct kn_registry *reg, int failed)
{
	int fd = kn_spare_take(kn_self_generation(), reg->device, reg->inode);

	return fd < 0 ? failed : fd;
}

/*
 * The byte is locked by the description, which lives as long as the page that
 * is mapped from it: no descriptor stays that could be closed, passed on or
 * inherited.
 */
static int
lock_life(const struct kn_registry *reg, uint32_t slot, void **ret_life)
{
	void *life = NULL;
	int fd, r;

	r = fd = reopen(reg);
	if (r < 0)
		r = fd = take_spare(reg, r);
	if (r < 0)
		return r;
	r = kn_os_lock_byte(fd, LIFE_BYTES + slot_offset(reg->at, slot));
	if (r < 0)
		goto out;
	r = kn_os_map(fd, KN_PAGE, PROT_READ, MAP_PRIVATE, &life);
	if (r < 0)
		goto out;
	r = kn_os_advise(life, KN_PAGE, MADV_DONTFORK);
	if (r < 0)
		goto out;
	*ret_life = life;
	life = NULL;
out:
	kn_os_unmap(life, KN_PAGE);
	kn_os_close(fd);
	return r;
}

static void
enter(struct kn_slot *s, uint32_t state)
{
	struct kn_peer self;

	kn_peer_self(&self);
	kn_store(&s->pid, self.pid);
	kn_wide_store(&s->start, self.start);
	kn_wide_store(&s->pid_namespace, self.pid_namespace);
	kn_wide_store(&s->number, self.number);
	kn_store(&s->state, state | KN_SLOT_ACTIVE);
}

/* 1: joined; 0: no slot was free; -EAGAIN: one is about to be. */
static int
join_free(struct kn_registry *reg)
{
	uint32_t i;
	int r, none = 0;

	for (i = 0; i < reg->slots; i++) {
		struct kn_slot *s = &reg->roster->slots[i];
		uint32_t state = kn_load(&s->state);

		if (state & KN_SLOT_ACTIVE)
			continue;
		r = lock_life(reg, i, &reg->life);
		if (r == -EAGAIN) {	/* its owner is joining, or leaving */
			none = r;
			continue;
		}
		if (r < 0)
			return r;
		state = kn_load(&s->state);
		if (state & KN_SLOT_ACTIVE) {
			kn_os_unmap(reg->life, KN_PAGE);
			continue;
		}
		enter(s, state);
		reg->slot = i;
		reg->party.stamp = kn_stamp_of(state, i);
		return 1;
	}
	return none;
}

static int sweep(struct kn_registry *reg, uint32_t n, bool locked);

static int
join(struct kn_registry *reg)
{
	int tries, r = 0;

	if (!has_file(reg))
		return kn_fail(-EBADF, "the shared thing's descriptor %d was "
			       "closed", reg->fd);
	(void)sweep(reg, JOIN_SWEEP, true);
	for (tries = 0; tries < JOIN_TRIES && r != 1; tries++) {
		r = join_free(reg);
		if (r == 0)
			(void)sweep(reg, reg->slots, true);
		else if (r == -EAGAIN)
			kn_os_yield();
		else
			break;
	}
	if (r == 0 || r == -EAGAIN)
		return kn_fail(-ENOSPC, "all %u members live", reg->slots);
	if (r == -ENOENT)
		return kn_fail(r, "taking part: there is no /proc here, and no "
			       "spare descriptor (kin/spare.h)");
	return r < 0 ? kn_fail(r, "taking a member's slot") : 0;
}

/* What the parent had, the child has not: its page is gone, its slot not ours. */
int
kn_registry_join(struct kn_registry *reg)
{
	uint32_t now = kn_self_generation();
	int r = 0;

	kn_self_lock();
	if (reg->generation != now) {
		reg->party.spins = kn_os_cpus() > 1 ? 200 : 0;
		r = join(reg);
		if (r == 0)
			__atomic_store_n(&reg->generation, now,
					 __ATOMIC_RELEASE);
	}
	kn_self_unlock();
	return r;
}

void
kn_registry_leave(struct kn_registry *reg)
{
	struct kn_slot *s;

	if (reg->generation == 0 || reg->generation != kn_self_generation())
		return;
	s = &reg->roster->slots[reg->slot];
	kn_store(&s->state, freed(kn_load(&s->state)));
	kn_os_unmap(reg->life, KN_PAGE);
	reg->generation = 0;
}

/*
 * The order is that of the design: repair, then the count and its wakes (the
 * repair's), then the slot.  Killed anywhere, somebody else does it again.
 */
static void
reap_locked(struct kn_registry *reg, uint32_t slot, uint32_t state)
{
	struct kn_slot *s = &reg->roster->slots[slot];

	if (kn_load(&s->state) != state || !slot_dead(reg, slot))
		return;
	if (reg->repair != NULL)
		reg->repair(reg->repair_arg, kn_stamp_of(state, slot));
	kn_add(&reg->roster->deaths, 1);
	kn_store(&s->state, freed(state));
	__atomic_fetch_add(&reg->reaped, 1, __ATOMIC_RELAXED);
}

/*
 * Under a description of our own: one that other threads or a fork's child
 * share would let two of us in.  And under our own mutex, so that nobody forks
 * while we have it.  A child that was made by raw clone all the same, by
 * another thread, has the description too: so it is unlocked, not only closed.
 */
static int
reap(struct kn_registry *reg, uint32_t slot, uint32_t state)
{
	uint64_t byte = REAP_BYTES + slot_offset(reg->at, slot);
	int fd = reopen(reg), r;

	if (fd < 0)
		return fd;
	r = kn_os_lock_byte(fd, byte);
	if (r == 0) {
		reap_locked(reg, slot, state);
		kn_os_unlock_byte(fd, byte);
	}
	kn_os_close(fd);
	return r == -EAGAIN ? 0 : r;	/* somebody else is at it */
}

/* The next active slot in rotation, among so many that are left to look at. */
static bool
next_active(struct kn_registry *reg, uint32_t *left, uint32_t *ret_slot,
	    uint32_t *ret_state)
{
	while (*left > 0) {
		uint32_t slot = __atomic_fetch_add(&reg->next, 1,
						   __ATOMIC_RELAXED) %
				reg->slots;
		uint32_t state = kn_load(&reg->roster->slots[slot].state);

		(*left)--;
		if (state & KN_SLOT_ACTIVE) {
			*ret_slot = slot;
			*ret_state = state;
			return true;
		}
	}
	return false;
}

static int
sweep(struct kn_registry *reg, uint32_t n, bool locked)
{
	uint32_t left = reg->slots, slot, state;
	int failed = 0;

	for (; n > 0 && next_active(reg, &left, &slot, &state); n--) {
		int r;

		if (!slot_dead(reg, slot))
			continue;
		if (!locked)
			kn_self_lock();
		r = reap(reg, slot, state);
		if (!locked)
			kn_self_unlock();
		if (r < 0)
			failed = r;
	}
	return failed;
}

int
kn_registry_sweep(struct kn_registry *reg, uint32_t n)
{
	int r = sweep(reg, n, false);

	if (r > 0)
		kin_log(KIN_LOG_DEBUG, "took the places of %d participants "
			"that died", r);
	return r;
}

static uint32_t
reaped_by_us(const struct kn_registry *reg)
{
	return __atomic_load_n(&reg->reaped, __ATOMIC_RELAXED);
}

/* Who takes part only now finds some of the dead by that. */
int
kn_registry_reap(struct kn_registry *reg, const char *label)
{
	uint32_t before = reaped_by_us(reg), found;
	int r = kn_registry_join(reg);

	if (r < 0)
		return r;
	if (!has_file(reg))
		return kn_fail(-EBADF, "'%s': its descriptor was closed, and "
			       "with it the way to learn of deaths", label);
	r = kn_registry_sweep(reg, reg->slots);
	found = reaped_by_us(reg) - before;
	if (r < 0 && found == 0)
		return kn_fail(r, "'%s': one has died, and clearing up after "
			       "it", label);
	return (int)found;
}
