/* SPDX-License-Identifier: MIT */
/*
 * segment_grow.c - a segment that grows while it is used
 *
 *      ├─ header ─┼─ body ─────────┼ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┤
 *                                  length of the file     limit
 *
 * Everybody maps it up to its limit from the first, so no address moves.  The
 * file's length is the one truth about its size, and the kernel keeps it: the
 * seal lets it only grow, so no size that was seen is ever wrong, the longer
 * one is the later one, and nobody can write a false one.
 */
#include <errno.h>
#include <inttypes.h>

#include "shm/error.h"
#include "shm/os.h"
#include "shm/segment.h"

#define ASK_FIRST	(64ull << 20)	/* from here on, is there so much? */

size_t
kn_segment_grown(const kin_segment *seg, uint64_t file_bytes)
{
	uint64_t before = seg->body_at;
	uint64_t body = file_bytes > before ? file_bytes - before : 0;

	return body < seg->limit ? (size_t)body : seg->limit;
}

/* 1: it is larger than we knew.  Another thread may have looked later. */
static int
learn(kin_segment *seg, size_t now)
{
	size_t known = kin_segment_bytes(seg);

	while (now > known)
		if (__atomic_compare_exchange_n(&seg->body_bytes, &known, now,
						false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return 1;
	return 0;
}

static int
look_again(kin_segment *seg)
{
	struct stat st;
	int r;

	r = kn_os_stat(seg->fd, &st);
	if (r < 0)
		return kn_fail(r, "segment '%s'", seg->label);
	if (st.st_dev != seg->device || st.st_ino != seg->inode)
		return kn_fail(-EBADF, "segment '%s': its descriptor was "
			       "closed", seg->label);
	return learn(seg, kn_segment_grown(seg, (uint64_t)st.st_size));
}

int
kin_segment_refresh(kin_segment *seg)
{
	kn_assert(seg != NULL);
	return seg->flags & KN_HEADER_GROWABLE ? look_again(seg) : 0;
}

size_t
kin_segment_limit(const kin_segment *seg)
{
	kn_assert(seg != NULL);
	return seg->limit;
}

/*
 * Space first, beyond the file's end, where nobody sees it; then its length in
 * one step.  Who is killed in between leaves space to the next one who grows.
 */
static int
extend(kin_segment *seg, uint64_t from, uint64_t to)
{
	uint64_t has = to - from < ASK_FIRST ? UINT64_MAX
					     : kn_os_memory_free();
	int r = 0;

	if (!(seg->flags & KN_HEADER_SPARSE))
		r = to - from < has
		    ? kn_os_reserve_ahead(seg->fd, seg->body_at + from,
					  seg->body_at + to)
		    : -ENOSPC;
	if (r == 0)
		r = kn_os_set_length(seg->fd, seg->body_at + to);
	return r == -EFBIG ? -ENOSPC : r;
}

static int
check_growth(const kin_segment *seg, uint64_t bytes)
{
	if (!(seg->flags & KN_HEADER_GROWABLE))
		return kn_fail(-EINVAL, "segment '%s' is not growable",
			       seg->label);
	if (bytes > seg->limit)
		return kn_fail(-EINVAL, "segment '%s' to %" PRIu64 " bytes; "
			       "%zu at most", seg->label, bytes, seg->limit);
	return 0;
}

static int
frozen(const kin_segment *seg)
{
	return kn_fail(-EROFS, "segment '%s' is frozen, at %zu bytes",
		       seg->label, kin_segment_bytes(seg));
}

/*
 * -EPERM has two meanings: it is frozen; or another one made it larger than we
 * want it, and ours would have made it smaller.
 */
static int
grow(kin_segment *seg, uint64_t bytes)
{
	int r = extend(seg, kin_segment_bytes(seg), bytes);

	if (r == 0) {
		(void)learn(seg, (size_t)bytes);
		return 0;
	}
	if (r != -EPERM)
		return kn_fail(r, "no room for segment '%s' to grow to %"
			       PRIu64 " bytes", seg->label, bytes);
	r = look_again(seg);
	if (r < 0)
		return r;
	return kin_segment_bytes(seg) >= bytes ? 0 : frozen(seg);
}

static int
cannot_write(const kin_segment *seg)
{
	int seals = kin_segment_seals(seg);

	if (seals < 0)
		return seals;
	if (seals & KIN_SEALED_FROZEN)
		return frozen(seg);
	return kn_fail(-EACCES, "segment '%s' was attached read-only",
		       seg->label);
}

int
kin_segment_grow(kin_segment *seg, uint64_t bytes)
{
	int r;

	kn_assert(seg != NULL);
	r = check_growth(seg, bytes);
	if (r == 0)
		r = look_again(seg);
	if (r < 0)
		return r;
	if (kin_segment_bytes(seg) >= bytes)
		return 0;
	return kin_segment_writable(seg) ? grow(seg, bytes)
					 : cannot_write(seg);
}
