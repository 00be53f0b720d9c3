/* SPDX-License-Identifier: MIT */
/*
 * segment.c - memory that several processes map
 *
 *      0          4096                            bytes
 *      ├─ header ───┼─ body ────────────────────────┤
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

#include "shm/error.h"
#include "shm/names.h"
#include "shm/os.h"
#include "shm/peer.h"
#include "shm/segment.h"

#define SEALS		(F_SEAL_SHRINK | F_SEAL_GROW)
#define BYTES_MAX	(1ull << 46)	/* half of what x86-64 can map */
#define ASK_FIRST	(64ull << 20)	/* from here on, is there so much? */

const struct kn_kind kn_segment_kind = { 1, 1, "segment", "a segment" };

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

static int
check_label(const char *label)
{
	const char *p;

	for (p = label; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return kn_fail(-EINVAL, "a label has no control "
				       "character");
	if (p - label > KIN_LABEL_MAX)
		return kn_fail(-EINVAL, "a label of %td bytes; %d at most",
			       p - label, KIN_LABEL_MAX);
	return 0;
}

static int
check_plan(const struct kn_segment_plan *plan)
{
	int r;

	if (plan->body_bytes == 0 || plan->body_bytes > BYTES_MAX)
		return kn_fail(-EINVAL, "%s of %" PRIu64 " bytes",
			       plan->kind->a, plan->body_bytes);
	r = plan->label != NULL ? check_label(plan->label) : 0;
	if (r == 0 && plan->name != NULL)
		r = kn_names_check(plan->name);
	return r;
}

/* A name may be longer than a label: as much of it as there is room for. */
static void
set_label(char *label, const struct kn_segment_plan *plan)
{
	const char *from = plan->label != NULL ? plan->label : plan->name;

	snprintf(label, KIN_LABEL_MAX + 1, "%s", from != NULL ? from : "");
}

static int
open_memory(const struct kn_segment_plan *plan, const char *label)
{
	char name[KIN_LABEL_MAX + 32];
	int dir, fd;

	if (plan->name == NULL) {
		snprintf(name, sizeof(name), "kin:%s:%s", plan->kind->name,
			 label);
		fd = kn_os_memfd(name);
		return fd < 0 ? kn_fail(fd, "memory for %s", plan->kind->a)
			      : fd;
	}
	dir = kn_names_dir(true);
	if (dir < 0)
		return dir;
	fd = kn_names_nameless(dir);
	kn_os_close(dir);
	return fd;
}

/*
 * Take the space now, all of it: a full tmpfs is an error here, and a SIGBUS
 * in the middle of somebody's store later.  A memfd has no limit but the
 * machine's, and asking for too much would wake the kernel's killer: so the
 * kernel is asked first what it has.
 */
static int
reserve(int fd, uint64_t bytes, const struct kn_segment_plan *plan)
{
	uint64_t has = bytes < ASK_FIRST ? UINT64_MAX : kn_os_memory_free();
	int r = bytes < has ? kn_os_reserve(fd, bytes) : -ENOSPC;

	if (r < 0)
		return kn_fail(r == -EFBIG ? -ENOSPC : r,
			       "no room for %s of %" PRIu64 " bytes",
			       plan->kind->a, bytes);
	r = plan->name == NULL ? kn_os_seal(fd, SEALS) : 0;
	return r < 0 ? kn_fail(r, "sealing %s", plan->kind->a) : 0;
}

static int
map(kin_segment *seg)
{
	struct stat st;
	void *base;
	int r;

	r = kn_os_stat(seg->fd, &st);
	if (r < 0)
		return kn_fail(r, "segment '%s'", seg->label);
	seg->device = st.st_dev;
	seg->inode = st.st_ino;
	r = kn_os_map(seg->fd, seg->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      &base);
	if (r == -EPERM)
		return kn_fail(-EACCES, "segment '%s' is sealed against "
			       "writing", seg->label);
	if (r < 0)
		return kn_fail(r, "mapping %zu bytes of segment '%s'",
			       seg->bytes, seg->label);
	seg->base = base;
	return 0;
}

static void
write_header(const kin_segment *seg, const struct kn_kind *kind)
{
	struct kn_header *h = (struct kn_header *)seg->base;
	struct kn_peer self;

	kn_peer_self(&self);
	h->magic = KN_SEGMENT_MAGIC;
	h->layout = KN_SEGMENT_LAYOUT;
	h->header_bytes = KN_PAGE;
	h->kind = kind->number;
	h->kind_layout = kind->layout;
	h->bytes = seg->bytes;
	h->body_bytes = seg->body_bytes;
	h->creator_pid = self.pid;
	h->creator_start = self.start;
	h->creator_namespace = self.pid_namespace;
	boot_id(h->boot);
	memcpy(h->label, seg->label, sizeof(h->label));
}

int
kn_segment_make(kin_segment **ret_seg, const struct kn_segment_plan *plan)
{
	kin_segment *seg;
	int r;

	r = check_plan(plan);
	if (r < 0)
		return r;
	seg = calloc(1, sizeof(*seg));
	if (seg == NULL)
		return kn_fail(-ENOMEM, "segment handle");
	seg->body_bytes = (size_t)plan->body_bytes;
	seg->bytes = (KN_PAGE + seg->body_bytes + KN_PAGE - 1) &
		     ~(size_t)(KN_PAGE - 1);
	set_label(seg->label, plan);

	r = seg->fd = open_memory(plan, seg->label);
	if (r < 0)
		goto out;
	r = reserve(seg->fd, seg->bytes, plan);
	if (r < 0)
		goto out;
	r = map(seg);
	if (r < 0)
		goto out;
	write_header(seg, plan->kind);

	*ret_seg = seg;
	seg = NULL;
out:
	kin_segment_close(seg);
	return r;
}

int
kn_segment_publish(kin_segment *seg, const char *name)
{
	int dir, r;

	if (name == NULL)
		return 0;
	dir = kn_names_dir(true);
	if (dir < 0)
		return dir;
	r = kn_names_publish(dir, seg->fd, name);
	kn_os_close(dir);
	if (r == 0)
		snprintf(seg->name, sizeof(seg->name), "%s", name);
	return r;
}

/* ---- joining ---- */

int
kn_header_check(struct kn_header *h, uint64_t file_bytes)
{
	char *p;

	if (h->magic != KN_SEGMENT_MAGIC)
		return kn_fail(-EPROTO, "not a kin segment");
	h->label[KIN_LABEL_MAX] = '\0';
	for (p = h->label; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (h->layout != KN_SEGMENT_LAYOUT)
		return kn_fail(-EPROTONOSUPPORT, "segment '%s': layout %u, "
			       "this library speaks %u", h->label, h->layout,
			       KN_SEGMENT_LAYOUT);
	if (h->header_bytes != KN_PAGE || h->bytes <= KN_PAGE ||
	    h->bytes > BYTES_MAX + 2 * KN_PAGE || h->body_bytes == 0 ||
	    h->body_bytes > h->bytes - KN_PAGE)
		return kn_fail(-EUCLEAN, "segment '%s': its header "
			       "contradicts itself", h->label);
	if (h->bytes > file_bytes)
		return kn_fail(-EPROTO, "segment '%s' is truncated: %" PRIu64
			       " of %" PRIu64 " bytes", h->label, file_bytes,
			       h->bytes);
	return 0;
}

/*
 * Memory that another user can truncate under us is refused: each access to
 * it could be a SIGBUS.  A memfd is sealed; a named segment is our own file,
 * and who runs as us can kill us anyway.
 */
static int
check_trust(int fd, const struct stat *st)
{
	int seals;

	if (!S_ISREG(st->st_mode))
		return kn_fail(-EPROTO, "descriptor %d is no memory", fd);
	if (kn_os_access_mode(fd) != O_RDWR)
		return kn_fail(-EACCES, "descriptor %d is not open for reading "
			       "and writing", fd);
	seals = kn_os_seals(fd);
	if (seals >= 0 && (seals & SEALS) == SEALS)
		return 0;
	if (st->st_uid != geteuid())
		return kn_fail(-EACCES, "descriptor %d: memory that uid %u may "
			       "truncate", fd, (unsigned)st->st_uid);
	return 0;
}

static int
read_header(int fd, struct kn_header *ret)
{
	struct stat st;
	ssize_t n;
	int r;

	r = kn_os_stat(fd, &st);
	if (r < 0)
		return kn_fail(r, "descriptor %d", fd);
	r = check_trust(fd, &st);
	if (r < 0)
		return r;
	n = kn_os_read_at(fd, ret, sizeof(*ret), 0);
	if (n < 0)
		return kn_fail((int)n, "reading descriptor %d", fd);
	if ((size_t)n < sizeof(*ret))
		return kn_fail(-EPROTO, "descriptor %d: %zd bytes are no kin "
			       "segment", fd, n);
	return kn_header_check(ret, (uint64_t)st.st_size);
}

static int
check_kind(const struct kn_header *h, const struct kn_kind *kind)
{
	if (h->kind != kind->number)
		return kn_fail(-EPROTO, "segment '%s' is not %s, but of kind "
			       "%u", h->label, kind->a, h->kind);
	if (h->kind_layout != kind->layout)
		return kn_fail(-EPROTONOSUPPORT, "%s '%s': layout %u, this "
			       "library speaks %u", kind->name, h->label,
			       h->kind_layout, kind->layout);
	return 0;
}

int
kn_segment_attach(kin_segment **ret_seg, int fd, const struct kn_kind *kind)
{
	struct kn_header header;
	kin_segment *seg;
	int r;

	r = read_header(fd, &header);
	if (r == 0)
		r = check_kind(&header, kind);
	if (r < 0)
		return r;
	seg = calloc(1, sizeof(*seg));
	if (seg == NULL)
		return kn_fail(-ENOMEM, "segment handle");
	seg->bytes = (size_t)header.bytes;
	seg->body_bytes = (size_t)header.body_bytes;
	memcpy(seg->label, header.label, sizeof(seg->label));

	r = seg->fd = kn_os_dup(fd);
	if (r < 0) {
		r = kn_fail(r, "descriptor of segment '%s'", seg->label);
		goto out;
	}
	r = map(seg);
	if (r < 0)
		goto out;

	*ret_seg = seg;
	seg = NULL;
out:
	kin_segment_close(seg);
	return r;
}

/* ---- public ---- */

int
kin_segment_create(kin_segment **ret_seg, const struct kin_segment_opts *user)
{
	struct kin_segment_opts opts;
	struct kn_segment_plan plan;
	kin_segment *seg;
	int r;

	kn_assert(ret_seg != NULL);
	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r < 0)
		return r;
	if (opts.flags != 0)
		return kn_fail(-EINVAL, "segment: flags %#x", opts.flags);
	plan = (struct kn_segment_plan){
		.kind = &kn_segment_kind,
		.body_bytes = opts.bytes,
		.name = opts.name,
		.label = opts.label,
	};
	r = kn_segment_make(&seg, &plan);
	if (r < 0)
		return r;
	r = kn_segment_publish(seg, opts.name);
	if (r < 0) {
		kin_segment_close(seg);
		return r;
	}
	*ret_seg = seg;
	return 0;
}

int
kin_segment_attach(kin_segment **ret_seg, int fd)
{
	kn_assert(ret_seg != NULL);
	return kn_segment_attach(ret_seg, fd, &kn_segment_kind);
}

int
kin_segment_open(kin_segment **ret_seg, const char *name)
{
	int dir, fd, r;

	kn_assert(ret_seg != NULL);
	kn_assert(name != NULL);
	r = kn_names_check(name);
	if (r < 0)
		return r;
	dir = kn_names_dir(false);
	if (dir < 0)
		return dir;
	fd = kn_names_open(dir, name);
	kn_os_close(dir);
	if (fd < 0)
		return fd;
	r = kn_segment_attach(ret_seg, fd, &kn_segment_kind);
	kn_os_close(fd);
	if (r == 0)
		snprintf((*ret_seg)->name, sizeof((*ret_seg)->name), "%s",
			 name);
	return r;
}

int
kin_segment_unlink(const char *name)
{
	int dir, r;

	kn_assert(name != NULL);
	r = kn_names_check(name);
	if (r < 0)
		return r;
	dir = kn_names_dir(false);
	if (dir < 0)
		return dir;
	r = kn_os_unlink_at(dir, name);
	kn_os_close(dir);
	return r < 0 ? kn_fail(r, "name '%s'", name) : 0;
}

/*
 * Takes a segment in any state that making or attaching can leave it in.  A
 * program that has closed all descriptors may have another file under our
 * number, and that is not ours to close.
 */
void
kin_segment_close(kin_segment *seg)
{
	if (seg == NULL)
		return;
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

size_t
kin_segment_bytes(const kin_segment *seg)
{
	kn_assert(seg != NULL);
	return seg->body_bytes;
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
