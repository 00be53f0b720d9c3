/* SPDX-License-Identifier: MIT */
/*
 * segment_attach.c - joining a segment that others have made
 *
 * Nothing of what is found is believed: the kernel says what the file is and
 * how it is sealed, and the header is checked against that in a private copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/control.h"
#include "shm/error.h"
#include "shm/names.h"
#include "shm/os.h"
#include "shm/segment.h"

#define FROZEN		(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define FLAGS								\
	(KIN_USE_READONLY | KIN_USE_POPULATE | KIN_USE_FROZEN |		\
	 KIN_USE_PUBLISHED | KN_TRUST)

/* ---- the header ---- */

/* Sizes that lie in each other, none of them beyond what can be mapped. */
static bool
sizes_agree(const struct kn_header *h)
{
	uint64_t before;		/* the body */

	if (!kn_control_fits(h->members, h->threads) ||
	    (h->members != 0) != ((h->flags & KN_HEADER_CONTROL) != 0))
		return false;
	before = KN_PAGE + kn_control_bytes(h->members, h->threads);
	if (h->header_bytes != KN_PAGE || h->bytes <= before ||
	    h->bytes > KN_BODY_MAX + before + KN_HUGE_MAX ||
	    h->body_bytes == 0 || h->body_bytes > h->bytes - before)
		return false;
	return !(h->flags & KN_HEADER_GROWABLE) ||
	       (h->limit >= h->body_bytes && h->limit <= KN_BODY_MAX);
}

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
	if ((h->flags & ~KN_HEADER_FLAGS) != 0)
		return kn_fail(-EPROTONOSUPPORT, "segment '%s': flags %#x, "
			       "which this library does not know", h->label,
			       h->flags);
	if (!sizes_agree(h))
		return kn_fail(-EUCLEAN, "segment '%s': its header "
			       "contradicts itself", h->label);
	if (h->bytes > file_bytes)
		return kn_fail(-EPROTO, "segment '%s' is truncated: %" PRIu64
			       " of %" PRIu64 " bytes", h->label, file_bytes,
			       h->bytes);
	return 0;
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

/* ---- the file ---- */

/* What the user asked for, and what that comes to. */
static int
check_use(uint32_t *ret_flags, const struct kin_segment_use *user)
{
	struct kin_segment_use use;
	int r;

	r = kn_opts_copy(&use, sizeof(use), user);
	if (r < 0)
		return r;
	if ((use.flags & ~FLAGS) != 0)
		return kn_fail(-EINVAL, "use of a segment: flags %#x",
			       use.flags);
	if (use.flags & (KIN_USE_FROZEN | KIN_USE_PUBLISHED))
		use.flags |= KIN_USE_READONLY;
	*ret_flags = use.flags;
	return 0;
}

static int
check_seals(int fd, int seals, uint32_t flags)
{
	if ((flags & KIN_USE_FROZEN) && (seals < 0 ||
					 (seals & FROZEN) != FROZEN))
		return kn_fail(-EACCES, "descriptor %d: memory that is not "
			       "frozen, as was required", fd);
	if ((flags & KIN_USE_PUBLISHED) && (seals < 0 ||
	    !(seals & (F_SEAL_FUTURE_WRITE | F_SEAL_WRITE))))
		return kn_fail(-EACCES, "descriptor %d: memory that is not "
			       "published, as was required", fd);
	return 0;
}

/*
 * Memory that another user can truncate under us is refused: each access to
 * it could be a SIGBUS.  A memfd is sealed; a named segment is our own file,
 * and who runs as us can kill us anyway.
 */
static int
check_trust(int fd, const struct stat *st, uint32_t flags)
{
	int mode, seals, r;

	if (!S_ISREG(st->st_mode))
		return kn_fail(-EPROTO, "descriptor %d is no memory", fd);
	mode = kn_os_access_mode(fd);
	if (mode != O_RDWR &&
	    !((flags & KIN_USE_READONLY) && mode == O_RDONLY))
		return kn_fail(-EACCES, "descriptor %d is not open for reading"
			       "%s", fd, flags & KIN_USE_READONLY
			       ? "" : " and writing");
	seals = kn_os_seals(fd);
	r = check_seals(fd, seals, flags);
	if (r < 0)
		return r;
	if (seals >= 0 && (seals & F_SEAL_SHRINK))
		return 0;
	if (st->st_uid != geteuid() && !(flags & KIN_TRUST_OWNER))
		return kn_fail(-EACCES, "descriptor %d: memory that uid %u may "
			       "truncate", fd, (unsigned)st->st_uid);
	return 0;
}

static int
read_header(int fd, struct kn_header *ret, struct stat *ret_st,
	    uint32_t flags)
{
	ssize_t n;
	int r;

	r = kn_os_stat(fd, ret_st);
	if (r < 0)
		return kn_fail(r, "descriptor %d", fd);
	r = check_trust(fd, ret_st, flags);
	if (r < 0)
		return r;
	n = kn_os_read_at(fd, ret, sizeof(*ret), 0);
	if (n < 0)
		return kn_fail((int)n, "reading descriptor %d", fd);
	if ((size_t)n < sizeof(*ret))
		return kn_fail(-EPROTO, "descriptor %d: %zd bytes are no kin "
			       "segment", fd, n);
	return kn_header_check(ret, (uint64_t)ret_st->st_size);
}

/* ---- attaching ---- */

static kin_segment *
handle_of(const struct kn_header *header, const struct stat *st)
{
	kin_segment *seg = calloc(1, sizeof(*seg));

	if (seg == NULL)
		return NULL;
	seg->fd = -1;
	seg->holders = 1;
	seg->flags = header->flags;
	seg->members = header->members;
	seg->threads = header->threads;
	seg->body_at = KN_PAGE + kn_control_bytes(seg->members, seg->threads);
	seg->body_bytes = seg->limit = (size_t)header->body_bytes;
	if (seg->flags & KN_HEADER_GROWABLE) {
		seg->limit = (size_t)header->limit;
		seg->body_bytes = kn_segment_grown(seg,
						   (uint64_t)st->st_size);
	}
	memcpy(seg->label, header->label, sizeof(seg->label));
	return seg;
}

/*
 * A descriptor of our own; if we only read, one that only reads, so that who
 * is passed it can't do more.  Without /proc there is none.
 */
static int
own_fd(int fd, uint32_t flags)
{
	int mine;

	if ((flags & KIN_USE_READONLY) && kn_os_access_mode(fd) == O_RDWR) {
		mine = kn_os_reopen(fd, O_RDONLY);
		if (mine >= 0)
			return mine;
	}
	return kn_os_dup(fd);
}

int
kn_segment_attach_with(kin_segment **ret_seg, int fd,
		       const struct kn_kind *kind, uint32_t flags)
{
	struct kn_header header;
	struct stat st;
	kin_segment *seg;
	int r;

	r = read_header(fd, &header, &st, flags);
	if (r == 0)
		r = check_kind(&header, kind);
	if (r < 0)
		return r;
	seg = handle_of(&header, &st);
	if (seg == NULL)
		return kn_fail(-ENOMEM, "segment handle");
	r = seg->fd = own_fd(fd, flags);
	if (r < 0)
		r = kn_fail(r, "descriptor of segment '%s'", seg->label);
	else
		r = kn_segment_map(seg, &st, flags);
	if (r < 0) {
		kin_segment_close(seg);
		return r;
	}
	*ret_seg = seg;
	return 0;
}

int
kn_segment_attach(kin_segment **ret_seg, int fd, const struct kn_kind *kind)
{
	return kn_segment_attach_with(ret_seg, fd, kind, 0);
}

uint32_t
kn_segment_right(int fd)
{
	int seals = kn_os_seals(fd);

	if (kn_os_access_mode(fd) == O_RDONLY ||
	    (seals >= 0 && (seals & (F_SEAL_FUTURE_WRITE | F_SEAL_WRITE))))
		return KIN_USE_READONLY;
	return 0;
}

/* ---- by name, and by path ---- */

static int
open_named(const char *name, uint32_t flags)
{
	int dir, fd;

	dir = kn_names_dir_with(false, flags & KN_TRUST);
	if (dir < 0)
		return dir;
	fd = kn_names_open_with(dir, name, flags);
	kn_os_close(dir);
	return fd;
}

/* O_NONBLOCK: or a pipe there would make us wait. */
static int
open_path(const char *path, uint32_t flags)
{
	int fd = kn_os_open(path, (flags & KIN_USE_READONLY ? O_RDONLY
							   : O_RDWR) |
			    O_NONBLOCK, 0);

	if (fd == -EISDIR || fd == -ENXIO)
		return kn_fail(-EPROTO, "'%.200s' is no regular file", path);
	return fd < 0 ? kn_fail(fd, "file '%.200s'", path) : fd;
}

int
kn_segment_find(kin_segment **ret_seg, const struct kn_segment_plan *plan,
		uint32_t flags)
{
	kin_segment *seg;
	int fd, r;

	fd = plan->name != NULL ? open_named(plan->name, flags)
				: open_path(plan->path, flags);
	if (fd < 0)
		return fd;
	r = kn_segment_attach_with(&seg, fd, plan->kind, flags);
	kn_os_close(fd);
	if (r < 0)
		return r;
	if (plan->name != NULL)
		snprintf(seg->name, sizeof(seg->name), "%s", plan->name);
	*ret_seg = seg;
	return 0;
}

/* ---- public ---- */

int
kin_segment_attach_with(kin_segment **ret_seg, int fd,
			const struct kin_segment_use *use)
{
	uint32_t flags = 0;
	int r;

	kn_assert(ret_seg != NULL);
	r = check_use(&flags, use);
	return r < 0 ? r : kn_segment_attach_with(ret_seg, fd,
						  &kn_segment_kind, flags);
}

int
kin_segment_attach(kin_segment **ret_seg, int fd)
{
	return kin_segment_attach_with(ret_seg, fd, NULL);
}

int
kin_segment_open_with(kin_segment **ret_seg, const char *name,
		      const struct kin_segment_use *use)
{
	struct kn_segment_plan plan = {
		.kind = &kn_segment_kind,
		.name = name,
	};
	uint32_t flags = 0;
	int r;

	kn_assert(ret_seg != NULL);
	kn_assert(name != NULL);
	r = check_use(&flags, use);
	if (r == 0)
		r = kn_names_check(name);
	return r < 0 ? r : kn_segment_find(ret_seg, &plan, flags);
}

int
kin_segment_open(kin_segment **ret_seg, const char *name)
{
	return kin_segment_open_with(ret_seg, name, NULL);
}

int
kin_segment_open_file(kin_segment **ret_seg, const char *path,
		      const struct kin_segment_use *use)
{
	struct kn_segment_plan plan = {
		.kind = &kn_segment_kind,
		.path = path,
	};
	uint32_t flags = 0;
	int r;

	kn_assert(ret_seg != NULL);
	kn_assert(path != NULL);
	r = check_use(&flags, use);
	return r < 0 ? r : kn_segment_find(ret_seg, &plan, flags);
}

int
kin_segment_unlink_with(const char *name, const struct kin_segment_use *use)
{
	uint32_t flags = 0;
	int dir, r;

	kn_assert(name != NULL);
	r = check_use(&flags, use);
	if (r == 0)
		r = kn_names_check(name);
	if (r < 0)
		return r;
	dir = kn_names_dir_with(false, flags & KN_TRUST);
	if (dir < 0)
		return dir;
	r = kn_os_unlink_at(dir, name);
	kn_os_close(dir);
	return r < 0 ? kn_fail(r, "name '%s'", name) : 0;
}

int
kin_segment_unlink(const char *name)
{
	return kin_segment_unlink_with(name, NULL);
}
