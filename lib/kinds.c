/* SPDX-License-Identifier: MIT */
/*
 * kinds.c - the one list of kinds of shared things, and what to tell of them
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "lib/kinds.h"
#include "lib/queue.h"
#include "shm/os.h"
#include "shm/peer.h"

static const struct kn_kind_entry kinds[] = {
	{ &kn_segment_kind, NULL },
	{ &kn_queue_kind, kn_queue_facts },
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

static void
file(int fd, struct kn_listener *to)
{
	int seals = kn_os_seals(fd);
	struct stat st;

	if (kn_os_stat(fd, &st) < 0)
		return;
	kn_say(to, "file", "inode %" PRIu64 " on device %u:%u, of uid %u",
	       (uint64_t)st.st_ino, major(st.st_dev), minor(st.st_dev),
	       (unsigned)st.st_uid);
	kn_say(to, "sealed", "%s", seals >= 0 && (seals & F_SEAL_SHRINK) ?
	       "against truncation" : "no");
}

void
kn_kind_facts(int fd, const struct kn_header *header, struct kn_listener *to)
{
	const struct kn_kind_entry *entry = kn_kind_find(header->kind);

	kn_say(to, "body", "%" PRIu64 " bytes", header->body_bytes);
	kn_say(to, "layout", "%u, of its kind %u", header->layout,
	       header->kind_layout);
	creator(header, to);
	file(fd, to);
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
