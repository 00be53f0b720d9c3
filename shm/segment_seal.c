/* SPDX-License-Identifier: MIT */
/*
 * segment_seal.c - memory that nobody can change any more
 *
 * The kernel seals memory only while nobody maps it for writing, we included:
 * so our own mapping is replaced, at its address and in one step, by one that
 * only reads.  It is a private one, since a shared one through a descriptor
 * that may write counts as one for writing before Linux 6.7; and of memory
 * that never changes, the two are the same.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/error.h"
#include "shm/maps.h"
#include "shm/os.h"
#include "shm/segment.h"

#define FROZEN	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* ---- who is in the way ---- */

struct writers {
	const kin_segment *seg;
	char *buf;			/* where they are named */
	size_t cap, len;
	unsigned more;			/* for whom there was no room */
};

/* The handle's own mapping is in nobody's way. */
static bool
is_own(const struct writers *w, pid_t pid, const struct kn_mapping *mapping)
{
	uintptr_t base = (uintptr_t)w->seg->base;

	return pid == getpid() && mapping->begin >= base &&
	       mapping->end <= base + w->seg->bytes;
}

static bool
maps_for_writing(const struct writers *w, pid_t pid)
{
	struct kn_mapping mapping;
	struct kn_maps maps;
	bool found = false;

	if (kn_maps_open(&maps, pid) < 0)
		return false;
	while (!found && kn_maps_next(&maps, &mapping) > 0)
		found = mapping.writable &&
			mapping.device == w->seg->device &&
			mapping.inode == w->seg->inode &&
			!is_own(w, pid, &mapping);
	kn_maps_close(&maps);
	return found;
}

/* A command can be anything: it is made safe to print. */
static void
command_of(char buf[32], pid_t pid)
{
	char path[32];
	char *p;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	if (kn_os_read_file(path, buf, 32) <= 0)
		snprintf(buf, 32, "?");
	buf[strcspn(buf, "\n")] = '\0';
	for (p = buf; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

static void
name_writer(struct writers *w, pid_t pid)
{
	char command[32], text[80];
	int n;

	command_of(command, pid);
	n = snprintf(text, sizeof(text), "%spid %d (%s%s)",
		     w->len > 0 ? ", " : "", (int)pid, command,
		     pid == getpid() ? ", ourselves" : "");
	if (w->more > 0 || w->len + (size_t)n >= w->cap) {
		w->more++;
		return;
	}
	memcpy(w->buf + w->len, text, (size_t)n + 1);
	w->len += (size_t)n;
}

/* Who maps it for writing, for a sentence; "" = nobody to be seen. */
static void
name_writers(char *buf, size_t cap, const kin_segment *seg)
{
	struct writers w = {
		.seg = seg, .buf = buf,
		.cap = cap - sizeof(" and 1234567890 more"),
	};
	struct dirent *entry;
	DIR *proc;
	int fd;

	buf[0] = '\0';
	fd = kn_os_open("/proc", O_RDONLY | O_DIRECTORY, 0);
	proc = fd >= 0 ? fdopendir(fd) : NULL;
	if (proc == NULL) {
		kn_os_close(fd);
		return;
	}
	while ((entry = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && maps_for_writing(&w, pid))
			name_writer(&w, pid);
	}
	closedir(proc);
	if (w.more > 0)
		snprintf(buf + w.len, cap - w.len, " and %u more", w.more);
}

/* ---- sealing ---- */

static int
seals_of(const kin_segment *seg)
{
	int seals = kn_os_seals(seg->fd);

	/* Of what is no memfd: none, not even those that it might have. */
	return seals == -EINVAL ? 0 : seals;
}

static int
cannot_be_sealed(const kin_segment *seg)
{
	return kn_fail(-EOPNOTSUPP, "segment '%s' is not anonymous, and can't "
		       "be sealed", seg->label);
}

static int
busy(const kin_segment *seg, const char *names)
{
	return kn_fail(-EBUSY, "segment '%s' is mapped for writing by %s",
		       seg->label, names[0] != '\0' ? names :
		       "somebody whom /proc does not show");
}

static int
failed(const kin_segment *seg, int r, const char *doing)
{
	char names[160];

	if (r == -EPERM)
		return kn_fail(-EACCES, "segment '%s' can't be sealed by a "
			       "handle that only reads", seg->label);
	if (r != -EBUSY)
		return kn_fail(r, "%s segment '%s'", doing, seg->label);
	name_writers(names, sizeof(names), seg);
	return busy(seg, names);
}

static void
set_readonly(kin_segment *seg, bool readonly)
{
	__atomic_store_n(&seg->readonly, readonly, __ATOMIC_RELAXED);
}

/*
 * Once published, it can't be mapped for writing again, should the seal be
 * refused: so nobody must be seen in the way before we let go.
 */
static int
look_first(const kin_segment *seg, int seals)
{
	char names[160];

	if (!(seals & F_SEAL_FUTURE_WRITE))
		return 0;
	name_writers(names, sizeof(names), seg);
	return names[0] != '\0' ? busy(seg, names) : 0;
}

static int
let_go(kin_segment *seg, int seals)
{
	int r = look_first(seg, seals);

	if (r < 0)
		return r;
	r = kn_os_map_over(seg->base, seg->fd, seg->bytes, PROT_READ,
			   MAP_PRIVATE | MAP_NORESERVE);
	if (r < 0)
		return kn_fail(r, "mapping segment '%s' read-only",
			       seg->label);
	set_readonly(seg, true);
	return 0;
}

static void
take_back(kin_segment *seg)
{
	if (kn_os_map_back(seg->base, seg->fd, seg->bytes,
			   PROT_READ | PROT_WRITE, MAP_SHARED))
		set_readonly(seg, false);
}

int
kin_segment_seal(kin_segment *seg)
{
	bool was_writable;
	int seals, r;

	kn_assert(seg != NULL);
	seals = seals_of(seg);
	if (seals < 0)
		return kn_fail(seals, "segment '%s'", seg->label);
	if ((seals & FROZEN) == FROZEN)
		return 0;
	if (!(seals & F_SEAL_SHRINK))
		return cannot_be_sealed(seg);
	was_writable = kin_segment_writable(seg);
	r = was_writable ? let_go(seg, seals) : 0;
	if (r < 0)
		return r;
	r = kn_os_seal(seg->fd, FROZEN);
	if (r == 0)
		return 0;
	if (was_writable)
		take_back(seg);
	return failed(seg, r, "freezing");
}

int
kin_segment_publish(kin_segment *seg)
{
	int seals, r;

	kn_assert(seg != NULL);
	seals = seals_of(seg);
	if (seals < 0)
		return kn_fail(seals, "segment '%s'", seg->label);
	if (seals & (F_SEAL_FUTURE_WRITE | F_SEAL_WRITE))
		return 0;
	if (!(seals & F_SEAL_SHRINK))
		return cannot_be_sealed(seg);
	r = kn_os_seal(seg->fd, F_SEAL_FUTURE_WRITE);
	return r < 0 ? failed(seg, r, "publishing") : 0;
}

int
kin_segment_seals(const kin_segment *seg)
{
	int seals, ret = 0;

	kn_assert(seg != NULL);
	seals = seals_of(seg);
	if (seals < 0)
		return kn_fail(seals, "segment '%s'", seg->label);
	if ((seals & FROZEN) == FROZEN)
		ret |= KIN_SEALED_FROZEN;
	if (seals & (F_SEAL_FUTURE_WRITE | F_SEAL_WRITE))
		ret |= KIN_SEALED_PUBLISHED;
	if (seals & F_SEAL_SHRINK)
		ret |= KIN_SEALED_SIZE;
	return ret;
}
