/* SPDX-License-Identifier: MIT */
/*
 * queue_facts.c - what there is to know of a queue, for those who look
 *
 * Nothing here is mapped and nothing is believed: what is told is worked out
 * from private copies.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/kinds.h"
#include "lib/members.h"
#include "lib/queue.h"
#include "shm/os.h"
#include "shm/wait.h"

#define TRIES		100		/* to see a busy ring stand still */

/* A queue, as it was copied. */
struct look {
	int fd;
	struct kn_queue_geometry geo;
	struct kn_ring_shared ring;
	bool still;			/* the ring is of one moment */
	struct kn_members members;
	struct kn_slot slots[KN_SLOTS_MAX];
	struct kn_owed owed[KN_SLOTS_MAX];	/* if it keeps tasks */
};

/* So much from that offset of the body: all of it, or false. */
static bool
copy(int fd, uint64_t offset, void *buf, size_t len)
{
	return kn_os_read_at(fd, buf, len, KN_PAGE + offset) == (ssize_t)len;
}

/*
 * The positions only grow.  If they are the same in two copies, both stood
 * still from the end of the first to the begin of the second, and the tallies
 * of the first are those of that time.
 */
static bool
copy_ring(struct look *look)
{
	struct kn_ring_shared *first = &look->ring, second;
	int tries;

	for (tries = 0; tries < TRIES && !look->still; tries++) {
		if (!copy(look->fd, look->geo.ring, first, sizeof(*first)) ||
		    !copy(look->fd, look->geo.ring, &second, sizeof(second)))
			return false;
		look->still = first->put.commit.v >> 1 ==
			      second.put.commit.v >> 1 &&
			      first->get.commit.v >> 1 ==
			      second.get.commit.v >> 1;
	}
	return true;
}

static bool
copy_all(struct look *look, const struct kn_header *header)
{
	struct kn_members *members = &look->members;
	struct stat st;

	if (kn_os_stat(look->fd, &st) < 0 ||
	    header->body_bytes < sizeof(look->geo) ||
	    !copy(look->fd, 0, &look->geo, sizeof(look->geo)) ||
	    kn_queue_check(&look->geo, 0, header->body_bytes) < 0)
		return false;
	*members = (struct kn_members){
		.fd = look->fd,
		.device = st.st_dev,
		.inode = st.st_ino,
		.at = KN_PAGE + look->geo.roster,
		.n = (uint32_t)look->geo.members,
		.slots = look->slots,
	};
	if (look->geo.tasks != 0 &&
	    !copy(look->fd, look->geo.tasks + sizeof(struct kn_tasks),
		  look->owed, look->geo.members * sizeof(look->owed[0])))
		return false;
	return copy_ring(look) &&
	       copy(look->fd, look->geo.roster +
		    offsetof(struct kn_roster, deaths), &members->deaths,
		    sizeof(members->deaths)) &&
	       copy(look->fd, look->geo.roster + sizeof(struct kn_roster),
		    look->slots, look->geo.members * sizeof(look->slots[0]));
}

/* ---- words ---- */

static void
latch(const struct look *look, const char *key, uint32_t v,
      struct kn_listener *to)
{
	const char *waited = v & KN_LATCH_WAITER ? ", waited for" : "";
	uint32_t stamp = v & KN_STAMP_MASK;
	uint32_t slot = kn_stamp_slot(stamp);
	uint32_t state;

	if (stamp == 0) {
		kn_say(to, key, "free%s", waited);
		return;
	}
	if ((v & ~(KN_LATCH_WAITER | KN_STAMP_MASK)) != 0 ||
	    !(stamp & KN_STAMP) || (stamp & KN_STAMP_THREAD) || slot >= look->geo.members) {
		kn_say(to, key, "%#x, which is nobody", v);
		kn_say(to, KN_TROUBLE, "the %s holds %#x, which is nobody",
		       key, v);
		return;
	}
	state = look->slots[slot].state.v;
	if (!(state & KN_SLOT_ACTIVE) || kn_stamp_of(state, slot) != stamp)
		kn_say(to, key, "held by slot %u, which is another's by now%s",
		       slot, waited);
	else
		kn_say(to, key, "held by slot %u, pid %u, %s%s", slot,
		       look->slots[slot].pid.v, kn_members_life(&look->members, slot), waited);
}

/* What there was at one moment; -EUCLEAN is told, too. */
static bool
sum_up(struct look *look, struct kn_ring_sum *ret, struct kn_listener *to)
{
	struct kn_ring ring = {
		.shared = &look->ring,
		.units = (uint32_t)look->geo.units,
	};

	if (!look->still) {
		kn_say(to, "messages", "too busy to count");
		return false;
	}
	if (kn_ring_sum(&ring, ret) == 0)
		return true;
	kn_say(to, "messages", "unknown");
	kn_say(to, KN_TROUBLE, "queue: its positions and counts contradict "
	       "each other");
	return false;
}

/* How full it is, and was. */
static void
contents(const struct look *look, const struct kn_ring_sum *sum,
	 struct kn_listener *to)
{
	uint32_t units = (uint32_t)look->geo.units;

	kn_say(to, "messages", "%" PRIu64 " (%" PRIu64 " bytes of %" PRIu64
	       ")", sum->puts - sum->gets, (uint64_t)sum->units * KN_UNIT,
	       look->geo.units * KN_UNIT);
	kn_say(to, "high water", "%" PRIu64 " bytes",
	       kn_queue_high(look->ring.put.high.v, sum->units, units));
	kn_say(to, "puts", "%" PRIu64 " (%" PRIu64 " bytes)", sum->puts,
	       sum->put_bytes);
	kn_say(to, "gets", "%" PRIu64 " (%" PRIu64 " bytes)",
	       sum->gets - sum->drops, sum->got_bytes);
	kn_say(to, "copied", "%" PRIu64 " bytes",
	       sum->put_bytes + sum->got_bytes);
	if (look->geo.flags & KIN_QUEUE_DROP_OLDEST)
		kn_say(to, "drops", "%" PRIu64, sum->drops);
}

/* Of those who have a slot by this copy. */
static void
unfinished(const struct look *look, const struct kn_ring_sum *sum,
	   struct kn_listener *to)
{
	uint64_t left = sum->puts - sum->gets;
	uint32_t i;

	if (look->geo.tasks == 0)
		return;
	for (i = 0; i < look->geo.members; i++) {
		uint32_t state = look->slots[i].state.v;
		uint64_t of = look->owed[i].of.v;

		if ((state & KN_SLOT_ACTIVE) &&
		    kn_stamp_of(state, i) == (uint32_t)of)
			left += of >> 32;
	}
	kn_say(to, "unfinished", "%" PRIu64, left);
}

static void
words(const struct look *look, struct kn_listener *to)
{
	const struct kn_side *put = &look->ring.put, *get = &look->ring.get;
	uint32_t head = kn_position(get->commit.v);
	uint32_t tail = kn_position(put->commit.v);
	uint32_t last = (uint32_t)look->geo.units - 1;

	kn_say(to, "head", "unit %u, position %u", head & last, head);
	kn_say(to, "tail", "unit %u, position %u", tail & last, tail);
	kn_say(to, "slept", "%" PRIu64 " puts, %" PRIu64 " gets",
	       put->waits.v, get->waits.v);
	kn_say(to, "takeovers", "%" PRIu64,
	       put->takeovers.v + get->takeovers.v);
}

static const char *
sleepers(const struct kn_ring_shared *ring)
{
	bool getters = ring->put.commit.v & KN_WAITER;
	bool putters = ring->get.commit.v & KN_WAITER;

	return getters && putters ? "getters and putters" :
	       getters ? "getters" : putters ? "putters" : "nobody";
}

static void
settings(const struct kn_queue_geometry *geo, struct kn_listener *to)
{
	kn_say(to, "limit", "%u bytes a message",
	       kn_ring_limit((uint32_t)geo->units));
	if (geo->most != 0)
		kn_say(to, "at most", "%" PRIu64 " messages", geo->most);
	kn_say(to, "when full", "%s",
	       geo->flags & KIN_QUEUE_FAIL ? "a put fails" :
	       geo->flags & KIN_QUEUE_DROP_OLDEST ? "the oldest is dropped" :
	       "a put waits");
	if (geo->spin_ns > 0)
		kn_say(to, "spin", "%" PRId64 " ns", geo->spin_ns);
	else
		kn_say(to, "spin", "%s", geo->spin_ns == 0 ?
		       "as long as a wake-up costs" : "never");
}

void
kn_queue_facts(int fd, const struct kn_header *header, struct kn_listener *to)
{
	struct look *look = calloc(1, sizeof(*look));
	struct kn_ring_sum sum;

	if (look == NULL) {
		to->r = -ENOMEM;
		return;
	}
	look->fd = fd;
	if (!copy_all(look, header)) {
		kn_say(to, KN_TROUBLE, "queue: its layout contradicts itself");
		goto out;
	}
	if (sum_up(look, &sum, to)) {
		contents(look, &sum, to);
		unfinished(look, &sum, to);
	}
	words(look, to);
	kn_say(to, "state", "%s",
	       look->ring.put.shut.v != 0 ? "shut down" : "open");
	kn_say(to, "asleep", "%s", sleepers(&look->ring));
	latch(look, "put latch", look->ring.put.latch.v, to);
	latch(look, "get latch", look->ring.get.latch.v, to);
	settings(&look->geo, to);
	kn_members_say(&look->members, to);
out:
	free(look);
}
