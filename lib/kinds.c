/* SPDX-License-Identifier: MIT */
/*
 * kinds.c - the one list of kinds of shared things, and what to tell of them
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "lib/array.h"
#include "lib/barrier.h"
#include "lib/cell.h"
#include "lib/cond.h"
#include "lib/event.h"
#include "lib/heap.h"
#include "lib/kinds.h"
#include "lib/lock.h"
#include "lib/object.h"
#include "lib/once.h"
#include "lib/queue.h"
#include "lib/rwlock.h"
#include "lib/sem.h"
#include "lib/table.h"
#include "shm/control.h"
#include "shm/os.h"
#include "shm/peer.h"

static const struct kn_kind_entry kinds[] = {
	{ &kn_segment_kind, kn_control_facts },
	{ &kn_queue_kind, kn_queue_facts },
	{ &kn_heap_kind.kind, kn_object_facts },
	{ &kn_array_kind.kind, kn_object_facts },
	{ &kn_cell_kind.kind, kn_object_facts },
	{ &kn_table_kind.kind, kn_object_facts },
	{ &kn_lock_kind.kind, kn_object_facts },
	{ &kn_sem_kind.kind, kn_object_facts },
	{ &kn_event_kind.kind, kn_object_facts },
	{ &kn_barrier_kind.kind, kn_object_facts },
	{ &kn_once_kind.kind, kn_object_facts },
	{ &kn_rwlock_kind.kind, kn_object_facts },
	{ &kn_cond_kind.kind, kn_object_facts },
};

const struct kn_kind_entry *
kn_kind_find(uint32_t number)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind->number == number)
			return &kinds[i];
	return NULL;
}

const struct kn_object_kind *
kn_object_kind_find(uint32_t number)
{
	const struct kn_kind_entry *entry = kn_kind_find(number);

	return entry != NULL && entry->facts == kn_object_facts
	       ? (const struct kn_object_kind *)(const void *)entry->kind
	       : NULL;
}

void
kn_say(struct kn_listener *to, const char *key, const char *format, ...)
{
	char value[256];
	va_list args;

	if (to->r < 0)
		return;
	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	to->r = to->tell(to->arg, key, value);
}

/* A pid means something only in its own namespace. */
static void
creator(const struct kn_header *header, struct kn_listener *to)
{
	struct kn_peer self;

	kn_peer_self(&self);
	kn_say(to, "creator", "pid %u%s", header->creator_pid,
	       header->creator_namespace == self.pid_namespace ?
		   "" : ", in another pid namespace");
}

/* Of what is no memfd there are no seals. */
static void
sealed(int fd, struct kn_listener *to)
{
	int seals = kn_os_seals(fd);

	if (seals < 0 || !(seals & (F_SEAL_SHRINK | F_SEAL_WRITE)))
		kn_say(to, "sealed", "no");
	else if (seals & F_SEAL_WRITE)
		kn_say(to, "sealed", "against every change: frozen");
	else if (seals & F_SEAL_FUTURE_WRITE)
		kn_say(to, "sealed", "against truncation, and new writers: "
		       "published");
	else
		kn_say(to, "sealed", "against truncation");
}

/* Of one that can grow, the file's length tells how large it is now. */
static void
body(const struct kn_header *header, const struct stat *st,
     struct kn_listener *to)
{
	uint64_t now = (uint64_t)st->st_size - KN_PAGE -
		       kn_control_bytes(header->members, header->threads);

	if (!(header->flags & KN_HEADER_GROWABLE))
		kn_say(to, "body", "%" PRIu64 " bytes", header->body_bytes);
	else
		kn_say(to, "body", "%" PRIu64 " bytes, of at most %" PRIu64,
		       now < header->limit ? now : header->limit,
		       header->limit);
	if (header->flags & KN_HEADER_SPARSE)
		kn_say(to, "sparse", "%jd bytes are there",
		       (intmax_t)st->st_blocks * 512);
}

static void
file(int fd, const struct stat *st, struct kn_listener *to)
{
	kn_say(to, "file", "inode %" PRIu64 " on device %u:%u, of uid %u",
	       (uint64_t)st->st_ino, major(st->st_dev), minor(st->st_dev),
	       (unsigned)st->st_uid);
	sealed(fd, to);
}

void
kn_kind_facts(int fd, const struct kn_header *header, struct kn_listener *to)
{
	const struct kn_kind_entry *entry = kn_kind_find(header->kind);
	struct stat st;
	bool seen = kn_os_stat(fd, &st) == 0;

	if (seen)
		body(header, &st, to);
	kn_say(to, "layout", "%u, of its kind %u", header->layout,
	       header->kind_layout);
	creator(header, to);
	if (seen)
		file(fd, &st, to);
	if (entry == NULL)
		kn_say(to, KN_TROUBLE, "kind %u, which this library does not "
		       "know", header->kind);
	else if (header->kind_layout != entry->kind->layout)
		kn_say(to, KN_TROUBLE, "%s of layout %u, this library speaks "
		       "%u", entry->kind->name, header->kind_layout,
		       entry->kind->layout);
	else if (entry->facts != NULL)
		entry->facts(fd, header, to);
}
