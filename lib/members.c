/* SPDX-License-Identifier: MIT */
/*
 * members.c - who takes part, for those who look
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lib/members.h"
#include "shm/os.h"
#include "shm/peer.h"

const char *
kn_members_life(const struct kn_members *members, uint32_t slot)
{
	const struct kn_slot *s = &members->slots[slot];
	struct kn_peer peer = { s->pid.v, s->start.v, s->pid_namespace.v,
				s->number.v };
	int r;

	r = kn_registry_alive(members->fd, members->at, slot);
	if (r > 0)
		return "alive";
	if (r < 0)
		return "alive or dead";
	return kn_peer_may_map(&peer, members->device, members->inode)
	       ? "alive, though its life page is gone" : "dead";
}

void
kn_members_say(const struct kn_members *members, struct kn_listener *to)
{
	uint32_t i, active = 0;

	for (i = 0; i < members->n; i++)
		active += members->slots[i].state.v & KN_SLOT_ACTIVE;
	kn_say(to, "members", "%u of at most %u, deaths so far %u", active,
	       members->n, members->deaths);
	for (i = 0; i < members->n && to->r == 0; i++)
		if (members->slots[i].state.v & KN_SLOT_ACTIVE)
			kn_say(to, "member", "slot %u, pid %u, %s", i,
			       members->slots[i].pid.v,
			       kn_members_life(members, i));
}

/* ---- a control part ---- */

static void *
copy(int fd, uint64_t at, size_t bytes)
{
	void *p = malloc(bytes);

	if (p != NULL && kn_os_read_at(fd, p, bytes, at) != (ssize_t)bytes) {
		free(p);
		p = NULL;
	}
	return p;
}

int
kn_control_look(struct kn_control_look *ret, int fd,
		const struct kn_header *header)
{
	size_t threads = sizeof(struct kn_threads) +
			 header->threads * sizeof(struct kn_thread);
	struct stat st;

	*ret = (struct kn_control_look){ .threads = header->threads };
	if (kn_os_stat(fd, &st) < 0)
		return -EIO;
	ret->roster = copy(fd, KN_PAGE, kn_roster_bytes(header->members));
	ret->thread = copy(fd, KN_PAGE +
			   kn_control_threads_at(header->members), threads);
	if (ret->roster == NULL || ret->thread == NULL) {
		kn_control_look_end(ret);
		return -EIO;
	}
	ret->members = (struct kn_members){
		.fd = fd,
		.device = st.st_dev,
		.inode = st.st_ino,
		.at = KN_PAGE,
		.n = header->members,
		.deaths = ret->roster->deaths.v,
		.slots = ret->roster->slots,
	};
	return 0;
}

void
kn_control_look_end(struct kn_control_look *look)
{
	free(look->roster);
	free(look->thread);
}

static bool
is_active(const struct kn_thread *t)
{
	return t->owner.v & KN_SLOT_ACTIVE;
}

/* The member of a thread's record; its number may be any. */
static const struct kn_slot *
slot_of(const struct kn_control_look *look, const struct kn_thread *t,
	uint32_t *ret_slot)
{
	uint32_t stamp = (uint32_t)(t->owner.v >> 32);

	*ret_slot = kn_stamp_slot(stamp);
	if (*ret_slot >= look->members.n ||
	    kn_stamp_of(look->members.slots[*ret_slot].state.v, *ret_slot) !=
	    stamp)
		return NULL;
	return &look->members.slots[*ret_slot];
}

static void
say_thread(const struct kn_control_look *look, const char *key,
	   const struct kn_thread *t, struct kn_listener *to)
{
	uint32_t slot, tid = (uint32_t)t->tid.v;
	const struct kn_slot *s = slot_of(look, t, &slot);

	if (s == NULL)
		kn_say(to, key, "thread %u of a process that is gone", tid);
	else
		kn_say(to, key, "thread %u of pid %u, %s", tid, s->pid.v,
		       kn_members_life(&look->members, slot));
}

static void
say_member(const struct kn_control_look *look, const char *key, uint32_t stamp,
	   struct kn_listener *to)
{
	uint32_t slot = kn_stamp_slot(stamp);
	const struct kn_slot *s = slot < look->members.n
				  ? &look->members.slots[slot] : NULL;

	if (s == NULL || !(stamp & KN_STAMP) || (stamp & ~KN_STAMP_MASK) != 0)
		kn_say(to, KN_TROUBLE, "%s: %#x, which is nobody", key, stamp);
	else if (!(s->state.v & KN_SLOT_ACTIVE) ||
		 kn_stamp_of(s->state.v, slot) != stamp)
		kn_say(to, key, "a process that is gone");
	else
		kn_say(to, key, "pid %u, %s", s->pid.v,
		       kn_members_life(&look->members, slot));
}

void
kn_control_say_stamp(const struct kn_control_look *look, const char *key,
		     uint32_t stamp, struct kn_listener *to)
{
	uint32_t bits = kn_record_bits(look->threads);
	uint32_t i = kn_stamp_record(stamp, bits);
	const struct kn_thread *t = &look->thread->of[i];

	if (!kn_stamp_is_thread(stamp))
		say_member(look, key, stamp, to);
	else if (i >= look->threads)
		kn_say(to, KN_TROUBLE, "%s: %#x, which is nobody", key, stamp);
	else if (!is_active(t) || kn_thread_stamp((uint32_t)t->owner.v, i,
						  bits) != stamp)
		kn_say(to, key, "a thread that is gone");
	else
		say_thread(look, key, t, to);
}

uint32_t
kn_control_waiters(const struct kn_control_look *look, uint64_t at)
{
	uint32_t i, n = 0;

	for (i = 0; i < look->threads; i++)
		n += is_active(&look->thread->of[i]) &&
		     look->thread->of[i].waits.v == at;
	return n;
}

static void
say_waiting(const struct kn_thread *t, uint64_t body, struct kn_listener *to)
{
	int64_t ms = (kin_now().ns - (int64_t)t->since.v) / 1000000;

	kn_say(to, "waiting", "thread %u, for what is at %" PRIu64 ", since %"
	       PRId64 " ms", (uint32_t)t->tid.v, t->waits.v - body, ms);
}

void
kn_control_say(const struct kn_control_look *look, struct kn_listener *to)
{
	uint64_t body = KN_PAGE + kn_control_bytes(look->members.n,
						   look->threads);
	uint32_t i, n = 0;

	kn_members_say(&look->members, to);
	for (i = 0; i < look->threads; i++)
		n += is_active(&look->thread->of[i]);
	kn_say(to, "threads", "%u of at most %u", n, look->threads);
	for (i = 0; i < look->threads && to->r == 0; i++)
		if (is_active(&look->thread->of[i]) &&
		    look->thread->of[i].waits.v >= body)
			say_waiting(&look->thread->of[i], body, to);
}

void
kn_control_facts(int fd, const struct kn_header *header,
		 struct kn_listener *to)
{
	struct kn_control_look look;

	if (header->members == 0 || kn_control_look(&look, fd, header) < 0)
		return;
	kn_control_say(&look, to);
	kn_control_look_end(&look);
}
