/* SPDX-License-Identifier: MIT */
/*
 * segment.c - memory that several processes map: making it, letting it go
 *
 *      0          4096                            bytes
 *      ├─ header ───┼─ control ─┼─ body ────────────┤
 *
 * A segment can be found by others only when it is whole: by its descriptor,
 * which nobody has before we return, or by its name, which is published last.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/control.h"
#include "shm/error.h"
#include "shm/names.h"
#include "shm/os.h"
#include "shm/peer.h"
#include "shm/segment.h"

#define ASK_FIRST	(64ull << 20)	/* from here on, is there so much? */
#define TRIES		100		/* to open or create */


const struct kn_kind kn_segment_kind = { 1, 1, "segment", "a segment" };

/* ---- its memory ---- */

static bool
is_anonymous(const struct kn_segment_plan *plan)
{
	return plan->name == NULL && plan->path == NULL;
}

/*
 * A name may be longer than a label: as much of it as there is room for.  What
 * was not checked as a label may have anything in it.
 */
static void
set_label(char *label, const struct kn_segment_plan *plan)
{
	const char *from = plan->label != NULL ? plan->label : plan->name;
	char *p;

	if (from == NULL && plan->path != NULL) {
		from = strrchr(plan->path, '/');
		from = from != NULL ? from + 1 : plan->path;
	}
	snprintf(label, KIN_LABEL_MAX + 1, "%s", from != NULL ? from : "");
	for (p = label; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

static int
open_memfd(const struct kn_segment_plan *plan, const char *label)
{
	bool huge = plan->flags & KIN_SEGMENT_HUGE;
	char name[KIN_LABEL_MAX + 32];
	int fd;

	snprintf(name, sizeof(name), "kin:%s:%s", plan->kind->name, label);
	fd = huge ? kn_os_memfd_huge(name) : kn_os_memfd(name);
	return fd < 0 ? kn_fail(fd, "%s for %s", huge ? "huge pages"
						     : "memory",
				plan->kind->a) : fd;
}

/* The directory that its name will be in, and that name there. */
static int
open_place(const struct kn_segment_plan *plan, const char **ret_base)
{
	if (plan->path != NULL)
		return kn_names_dir_of(plan->path, ret_base);
	*ret_base = plan->name;
	return kn_names_dir_with(true, plan->flags & KN_TRUST);
}

static int
open_memory(const struct kn_segment_plan *plan, const char *label)
{
	const char *base;
	int dir, fd;

	if (is_anonymous(plan))
		return open_memfd(plan, label);
	dir = open_place(plan, &base);
	if (dir < 0)
		return dir;
	fd = kn_names_nameless(dir, plan->mode);
	kn_os_close(dir);
	return fd;
}

/*
 * Memory has no limit but the machine's, and asking for too much would wake the
 * kernel's killer: so the kernel is asked first what it has.  A disk and the
 * pool of huge pages know their limits.
 */
static uint64_t
free_for(uint64_t bytes, const struct kn_segment_plan *plan)
{
	if (bytes < ASK_FIRST || plan->path != NULL ||
	    (plan->flags & KIN_SEGMENT_HUGE))
		return UINT64_MAX;
	return kn_os_memory_free();
}

static int
no_room(int r, uint64_t bytes, const struct kn_segment_plan *plan)
{
	if (r == -EOPNOTSUPP)
		return kn_fail(r, "the file system of '%.150s' cannot reserve "
			       "space; a sparse segment needs none",
			       plan->path != NULL ? plan->path : "KIN_DIR");
	if (r == -EFBIG)
		r = -ENOSPC;
	if (plan->flags & KIN_SEGMENT_HUGE)
		return kn_fail(r, "no room for %s of %" PRIu64 " bytes in huge "
			       "pages (see /proc/sys/vm/nr_hugepages)",
			       plan->kind->a, bytes);
	return kn_fail(r, "no room for %s of %" PRIu64 " bytes", plan->kind->a,
		       bytes);
}

/*
 * Take the space now, all of it: a full tmpfs is an error here, and a SIGBUS
 * in the middle of somebody's store later.
 */
static int
reserve(int fd, uint64_t bytes, const struct kn_segment_plan *plan)
{
	int seals = plan->flags & KIN_SEGMENT_GROWABLE
		    ? F_SEAL_SHRINK : F_SEAL_SHRINK | F_SEAL_GROW;
	int r;

	if (plan->flags & KIN_SEGMENT_SPARSE)
		r = kn_os_set_length(fd, bytes);
	else
		r = bytes < free_for(bytes, plan) ? kn_os_reserve(fd, bytes)
						  : -ENOSPC;
	if (r < 0)
		return no_room(r, bytes, plan);
	r = is_anonymous(plan) ? kn_os_seal(fd, seals) : 0;
	return r < 0 ? kn_fail(r, "sealing %s", plan->kind->a) : 0;
}

static size_t
up_to(uint64_t n, uint64_t multiple)
{
	return (size_t)((n + multiple - 1) / multiple * multiple);
}

/* A mapping of huge pages is one of whole ones, or it can't be undone. */
static uint64_t
page_of(const struct stat *st)
{
	uint64_t block = (uint64_t)st->st_blksize;

	return block > KN_PAGE && block <= KN_HUGE_MAX &&
	       (block & (block - 1)) == 0 ? block : KN_PAGE;
}

/* How long its file is to be.  One that can grow is as long as its body. */
static size_t
file_bytes(const struct kn_segment_plan *plan, const struct stat *st)
{
	size_t bytes = KN_PAGE + (size_t)plan->body_bytes +
		       kn_control_bytes(plan->members, plan->threads);

	if (plan->flags & KIN_SEGMENT_GROWABLE)
		return bytes;
	return up_to(bytes, plan->flags & KIN_SEGMENT_HUGE ? page_of(st)
							   : KN_PAGE);
}

int
kn_segment_map(kin_segment *seg, const struct stat *st, uint32_t flags)
{
	bool readonly = flags & KIN_USE_READONLY;
	int prot = readonly ? PROT_READ : PROT_READ | PROT_WRITE;
	int populate = flags & KIN_USE_POPULATE ? MAP_POPULATE : 0;
	void *base;
	int r;

	seg->device = st->st_dev;
	seg->inode = st->st_ino;
	seg->readonly = readonly;
	seg->bytes = up_to(seg->body_at + seg->limit, page_of(st));
	r = kn_os_map(seg->fd, seg->bytes, prot, MAP_SHARED | populate, &base);
	/* Before Linux 6.7, sealed memory is not mapped shared through a
	 * descriptor that could write to it; and private is as good. */
	if (r == -EPERM && readonly)
		r = kn_os_map(seg->fd, seg->bytes, prot,
			      MAP_PRIVATE | populate, &base);
	if (r == -EPERM)
		return kn_fail(-EACCES, "segment '%s' is sealed against "
			       "writing; it can be attached read-only",
			       seg->label);
	if (r < 0)
		return kn_fail(r, "mapping %zu bytes of segment '%s'",
			       seg->bytes, seg->label);
	seg->base = base;
	return 0;
}

/* ---- making ---- */

static void
boot_id(uint8_t id[16])
{
	char text[64];
	unsigned i, byte;
	const char *p = text;

	memset(id, 0, 16);
	if (kn_os_read_file("/proc/sys/kernel/random/boot_id", text,
			    sizeof(text)) < 36)
		return;
	for (i = 0; i < 16; i++) {
		p += *p == '-';
		if (sscanf(p, "%2x", &byte) != 1)
			return;
		id[i] = (uint8_t)byte;
		p += 2;
	}
}

static void
write_header(const kin_segment *seg, const struct kn_kind *kind, size_t bytes)
{
	struct kn_header *h = (struct kn_header *)seg->base;
	struct kn_peer self;

	kn_peer_self(&self);
	h->magic = KN_SEGMENT_MAGIC;
	h->layout = KN_SEGMENT_LAYOUT;
	h->header_bytes = KN_PAGE;
	h->kind = kind->number;
	h->kind_layout = kind->layout;
	h->bytes = bytes;
	h->body_bytes = seg->body_bytes;
	h->creator_pid = self.pid;
	h->flags = seg->flags;
	h->creator_start = self.start;
	h->creator_namespace = self.pid_namespace;
	boot_id(h->boot);
	memcpy(h->label, seg->label, sizeof(h->label));
	if (seg->flags & KN_HEADER_GROWABLE)
		h->limit = seg->limit;
	h->members = seg->members;
	h->threads = seg->threads;
}

static kin_segment *
new_handle(const struct kn_segment_plan *plan)
{
	kin_segment *seg = calloc(1, sizeof(*seg));

	if (seg == NULL)
		return NULL;
	seg->fd = -1;
	seg->holders = 1;
	seg->body_bytes = seg->limit = (size_t)plan->body_bytes;
	if (plan->flags & KIN_SEGMENT_GROWABLE) {
		seg->limit = (size_t)plan->limit;
		seg->flags |= KN_HEADER_GROWABLE;
	}
	if (plan->flags & KIN_SEGMENT_SPARSE)
		seg->flags |= KN_HEADER_SPARSE;
	if (plan->members != 0)
		seg->flags |= KN_HEADER_CONTROL;
	seg->members = plan->members;
	seg->threads = plan->threads;
	seg->body_at = KN_PAGE + kn_control_bytes(seg->members, seg->threads);
	set_label(seg->label, plan);
	return seg;
}

/* From the plan to memory that is ours alone. */
static int
build(kin_segment *seg, const struct kn_segment_plan *plan)
{
	uint32_t populate = plan->flags & KIN_SEGMENT_POPULATE
			    ? KIN_USE_POPULATE : 0;
	struct stat st;
	size_t bytes;
	int r;

	r = seg->fd = open_memory(plan, seg->label);
	if (r < 0)
		return r;
	r = kn_os_stat(seg->fd, &st);
	if (r < 0)
		return kn_fail(r, "segment '%s'", seg->label);
	bytes = file_bytes(plan, &st);
	r = reserve(seg->fd, bytes, plan);
	if (r == 0)
		r = kn_segment_map(seg, &st, populate);
	if (r == 0)
		write_header(seg, plan->kind, bytes);
	return r;
}

int
kn_segment_make(kin_segment **ret_seg, const struct kn_segment_plan *plan)
{
	kin_segment *seg;
	int r;

	r = kn_plan_check(plan);
	if (r < 0)
		return r;
	seg = new_handle(plan);
	if (seg == NULL)
		return kn_fail(-ENOMEM, "segment handle");
	r = build(seg, plan);
	if (r < 0) {
		kin_segment_close(seg);
		return r;
	}
	*ret_seg = seg;
	return 0;
}

int
kn_segment_publish(kin_segment *seg, const struct kn_segment_plan *plan)
{
	const char *base;
	int dir, r;

	if (is_anonymous(plan))
		return 0;
	dir = open_place(plan, &base);
	if (dir < 0)
		return dir;
	r = kn_names_publish(dir, seg->fd, base);
	kn_os_close(dir);
	if (r == 0 && plan->name != NULL)
		snprintf(seg->name, sizeof(seg->name), "%s", plan->name);
	return r;
}

static int
create(kin_segment **ret_seg, const struct kn_segment_plan *plan)
{
	kin_segment *seg;
	int r;

	r = kn_segment_make(&seg, plan);
	if (r < 0)
		return r;
	r = kn_segment_publish(seg, plan);
	if (r < 0) {
		kin_segment_close(seg);
		return r;
	}
	*ret_seg = seg;
	return 0;
}

/* One that is there, if it is what was asked for. */
static int
find(kin_segment **ret_seg, const struct kn_segment_plan *plan)
{
	uint32_t flags = plan->flags & KN_TRUST;
	kin_segment *seg;
	int r;

	if (plan->flags & KIN_SEGMENT_POPULATE)
		flags |= KIN_USE_POPULATE;
	r = kn_segment_find(&seg, plan, flags);
	if (r < 0)
		return r;
	if (seg->body_bytes != plan->body_bytes) {
		r = kn_fail(-EEXIST, "segment '%s' is there, of %zu bytes and "
			    "not %" PRIu64, seg->label, seg->body_bytes,
			    plan->body_bytes);
		kin_segment_close(seg);
		return r;
	}
	*ret_seg = seg;
	return 0;
}

/*
 * Whoever creates, links a whole segment to a free name in one step; so it is
 * there, or it can be made, and only he who comes and goes makes us look again.
 */
static int
open_or_create(kin_segment **ret_seg, const struct kn_segment_plan *plan)
{
	struct kn_sentence sentence;
	int tries, r;

	kn_sentence_save(&sentence);
	for (tries = 0; tries < TRIES; tries++) {
		r = find(ret_seg, plan);
		if (r == 0)
			kn_sentence_restore(&sentence);
		if (r != -ENOENT)
			return r;
		r = create(ret_seg, plan);
		if (r == 0)
			kn_sentence_restore(&sentence);
		if (r != -EEXIST)
			return r == 0 ? 1 : r;
	}
	return kn_fail(-EBUSY, "'%.200s' is created and removed all the time",
		       plan->name != NULL ? plan->name : plan->path);
}

int
kin_segment_create(kin_segment **ret_seg, const struct kin_segment_opts *opts)
{
	struct kn_segment_plan plan;
	int r;

	kn_assert(ret_seg != NULL);
	r = kn_plan_of(&plan, opts);
	if (r < 0)
		return r;
	return plan.flags & KIN_SEGMENT_OPEN_OR_CREATE
	       ? open_or_create(ret_seg, &plan) : create(ret_seg, &plan);
}

/* ---- a handle ---- */

void
kn_segment_hold(kin_segment *seg)
{
	__atomic_add_fetch(&seg->holders, 1, __ATOMIC_RELAXED);
}

/*
 * Takes a segment in any state that making or attaching can leave it in.  A
 * program that has closed all descriptors may have another file under our
 * number, and that is not ours to close.
 */
void
kin_segment_close(kin_segment *seg)
{
	if (seg == NULL ||
	    __atomic_sub_fetch(&seg->holders, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	kn_control_free(seg->control);
	kn_os_unmap(seg->base, seg->bytes);
	if (seg->inode == 0 ||
	    kn_os_is_file(seg->fd, seg->device, seg->inode))
		kn_os_close(seg->fd);
	free(seg);
}

void *
kin_segment_data(const kin_segment *seg)
{
	kn_assert(seg != NULL);
	return kn_segment_body(seg);
}

/* It may grow under a refresh of another thread. */
size_t
kin_segment_bytes(const kin_segment *seg)
{
	kn_assert(seg != NULL);
	return __atomic_load_n(&seg->body_bytes, __ATOMIC_RELAXED);
}

int
kin_segment_writable(const kin_segment *seg)
{
	kn_assert(seg != NULL);
	return !__atomic_load_n(&seg->readonly, __ATOMIC_RELAXED);
}

int
kin_segment_fd(const kin_segment *seg)
{
	kn_assert(seg != NULL);
	return seg->fd;
}

const char *
kin_segment_label(const kin_segment *seg)
{
	kn_assert(seg != NULL);
	return seg->label;
}
