/* SPDX-License-Identifier: MIT */
/*
 * kin/segment.h - memory that several processes map
 *
 *      0        4096                                  whole
 *      ├─ header ─┼────── bytes: all the user's ────────┤
 *
 * An anonymous segment has no name: others reach it by its descriptor, which
 * they inherit or are sent, and it goes with its last holder.  A named one
 * stays until it is unlinked, or the machine is started anew.  A file-backed
 * one is a regular file anywhere.  Nobody ever sees half a segment: a name or
 * a file appears in one step, when what it names is whole.
 *
 * All see the same size: kin_segment_bytes() is what the creator asked for, to
 * the byte.  What is beyond that in the last page (huge page) is there and
 * zero, and is nobody's.
 *
 * The space is reserved at creation, so a full tmpfs or disk is an error here
 * and not a SIGBUS later; an anonymous segment is sealed against truncation.
 * A file can be cut by whoever may write to it, and then a look at what is
 * gone is a SIGBUS: it is not defended against.
 *
 *      kin_segment_publish()   those who map it go on writing; who attaches
 *                              from now on can only read
 *      kin_segment_seal()      nobody writes to it any more, ever
 *
 * Order    The segment gives none: what is stored in it is ordinary memory.
 *          What was stored before a seal is seen by all who attach after it.
 * Threads  Any call from any thread; close must be the handle's last, and no
 *          thread may store into a segment that is being sealed.
 * Fork     The child's copy of a handle is good; each side closes its own.
 * Crash    A creator killed at any instruction leaves the whole segment or
 *          nothing.  A holder's death leaves the segment to the others.  One
 *          who is killed while it grows or seals has done so, or has not.
 */
#ifndef KIN_SEGMENT_H
#define KIN_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include <kin/error.h>
#include <kin/opts.h>

KIN_BEGIN

typedef struct kin_segment kin_segment;

#define KIN_LABEL_MAX	47		/* bytes of a label */
#define KIN_NAME_MAX	200		/* bytes of a name */

/* ---- making one ---- */

/* Join the one of that name, or path, if there is one; else create it. */
#define KIN_SEGMENT_OPEN_OR_CREATE	0x01u
/* Only anonymous ones: it can grow up to max_bytes, where it is. */
#define KIN_SEGMENT_GROWABLE		0x02u
/* No space is reserved: memory is taken by the first store to each page, and
 * where there is none then (a full tmpfs or disk), that store is a SIGBUS. */
#define KIN_SEGMENT_SPARSE		0x04u
/* All pages are mapped at once, so that none is missed later. */
#define KIN_SEGMENT_POPULATE		0x08u
/* Only anonymous ones: of the machine's reserved huge pages (see
 * /proc/sys/vm/nr_hugepages); its size is rounded up to one. */
#define KIN_SEGMENT_HUGE		0x10u

/* Whom to trust, for making and for joining; without, only ourselves. */
/* The segment, or the directory of names, may be another user's: whoever
 * owns it can cut it, and that is a SIGBUS in whoever looks there. */
#define KIN_TRUST_OWNER			0x100u
/* The directory of names may be open to its group.  Never to all. */
#define KIN_TRUST_GROUP			0x200u

struct kin_segment_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* KIN_SEGMENT_..., KIN_TRUST_... */
	uint64_t bytes;			/* for the user; must not be 0 */
	const char *name;		/* NULL = anonymous */
	const char *label;		/* for people and tools; NULL = name, or
					   the path's last part */
	const char *path;		/* of a file that backs it; or NULL */
	uint64_t max_bytes;		/* if growable; 0 = 16 times bytes, and
					   1 GiB at least */
	uint32_t mode;			/* permissions of a named one or a file,
					   whatever the umask; 0 = 0600 */
	uint32_t members;		/* processes at once that take part in
					   locks and the like in it, at most;
					   0 = none may be placed here */
	uint32_t threads;		/* of them all; 0 = 4 for each member */
	uint32_t reserved;		/* must be 0 */
};

/*
 * Create a segment of opts->bytes zero bytes and take hold of it: 0.  With
 * KIN_SEGMENT_OPEN_OR_CREATE, 1 if it was created and 0 if it was there; of
 * many who call at the same time, one gets 1.
 *
 *   -EINVAL  no bytes; a name that is empty, too long, begins with '.', or has
 *            '/' or control characters; a label that is too long or has those;
 *            options that contradict each other
 *   -EEXIST  the name is taken; or the segment that is there is not of so many
 *            bytes
 *   -ENOSPC  the tmpfs, the disk, the machine (its huge pages) or
 *            RLIMIT_FSIZE has not got that much
 *   -ENOENT  the folder in which KIN_DIR, or the file, would be is not there
 *   -EACCES  the directory of names is somebody else's, or open to others; or
 *            the folder of the file is not ours to write to
 *   -EOPNOTSUPP  the file's file system has no files without a name, or
 *            cannot reserve space
 *   -E2BIG, -ENOMEM, -EMFILE; of KIN_SEGMENT_OPEN_OR_CREATE, those of open, and
 *   -EBUSY   somebody creates and removes it all the time
 */
KIN_API KIN_MUST int kin_segment_create(kin_segment **ret_seg,
					const struct kin_segment_opts *opts);

/* ---- joining one ---- */

/* Map it so that it can't be written to; a store is a SIGSEGV. */
#define KIN_USE_READONLY	0x01u
#define KIN_USE_POPULATE	0x08u	/* as KIN_SEGMENT_POPULATE */
/* Only if nobody can change it any more; read-only. */
#define KIN_USE_FROZEN		0x10u
/* Only if it is published, or frozen; read-only. */
#define KIN_USE_PUBLISHED	0x20u

struct kin_segment_use {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* KIN_USE_..., KIN_TRUST_... */
};

/*
 * Join the segment behind fd, which stays the caller's; to read and write, or
 * as use says, which may be NULL.
 *
 *   -EPROTO           fd is no kin segment, or a truncated one, or holds
 *                     something else than a plain segment
 *   -EPROTONOSUPPORT  it was made by a library with another layout
 *   -EUCLEAN          its header contradicts itself
 *   -EACCES           fd is read-only, or its memory can be truncated by
 *                     another user, or is sealed against writing; or it is not
 *                     frozen or published, as was required
 *   -EINVAL           unknown flags
 *   -EBADF, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_segment_attach(kin_segment **ret_seg, int fd);
KIN_API KIN_MUST int kin_segment_attach_with(kin_segment **ret_seg, int fd,
    const struct kin_segment_use *use);

/*
 * Join the segment of that name; errors as attach, and
 *
 *   -ENOENT  there is none
 *   -EACCES  a link, another user's file, or another user's directory
 */
KIN_API KIN_MUST int kin_segment_open(kin_segment **ret_seg, const char *name);
KIN_API KIN_MUST int kin_segment_open_with(kin_segment **ret_seg,
    const char *name, const struct kin_segment_use *use);

/* Join the segment in that file; the same errors.  Links are followed. */
KIN_API KIN_MUST int kin_segment_open_file(kin_segment **ret_seg,
    const char *path, const struct kin_segment_use *use);

/* Let go.  An anonymous segment goes with its last holder.  NULL is ignored. */
KIN_API void kin_segment_close(kin_segment *seg);

/*
 * Remove the name, not the segment: its holders keep it.  -ENOENT, -EACCES.
 * Of use, only whom to trust matters.  A file is removed by unlink(2).
 */
KIN_API int kin_segment_unlink(const char *name);
KIN_API int kin_segment_unlink_with(const char *name,
				    const struct kin_segment_use *use);

/* ---- growing ---- */

/*
 * Make it that large.  No address changes, and nobody is disturbed; the new
 * bytes are zeros (if nobody has stored beyond the end), and from the return of
 * this call they are there for everybody, at kin_segment_data() + n.  Others'
 * kin_segment_bytes() tells of them after kin_segment_refresh(): so grow, tell
 * them, and they refresh.  Where it is that large already, by whomever, nothing
 * happens: 0.
 *
 *   -EINVAL  it is not growable, or over its kin_segment_limit()
 *   -ENOSPC  there is no room for so much
 *   -EACCES  it was attached read-only
 *   -EROFS   it is frozen
 */
KIN_API KIN_MUST int kin_segment_grow(kin_segment *seg, uint64_t bytes);

/*
 * Look at all processes that take part in locks and the like in this segment,
 * and clear up after those that have died; how many those were.  It is done
 * anyway, bit by bit, by who comes and by who waits.  This process takes part
 * by it, if it has not yet.
 *
 *   -EINVAL  it was made without .members
 *   -EACCES  it is read-only here
 *   -ENOSPC  all members live, and we are none of them
 *   -ENOENT  there is no /proc here: see kin/spare.h
 *   -EBADF, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_segment_reap(kin_segment *seg);

/* Has it grown?  1: kin_segment_bytes() is larger now; 0. */
KIN_API int kin_segment_refresh(kin_segment *seg);

/* How large it can grow; as large as it is, if it is not growable. */
KIN_API size_t kin_segment_limit(const kin_segment *seg);

/* ---- freezing ---- */

/*
 * Freeze it, for ever and for everybody, its size too: it is read-only
 * from now on, here and for all who attach (who must ask for that).  A store
 * to it is a SIGSEGV.  While this call works, no store may be made through
 * seg; loads are fine.  Doing it twice is no error.
 *
 *   -EBUSY       somebody, perhaps we ourselves by another handle, maps it
 *                for writing: kin_errmsg() names pid and command of those that
 *                /proc shows.  Nothing has changed; but where it was published
 *                and /proc does not show who is in the way, this handle can
 *                only read from now on, as the kernel lets nobody write again.
 *   -EOPNOTSUPP  it is not anonymous
 *   -EACCES      it was attached read-only
 *   -ENOMEM
 */
KIN_API KIN_MUST int kin_segment_seal(kin_segment *seg);

/*
 * Make it read-only for those who attach later; who has mapped it for writing,
 * as we have, and such a one's fork children, go on.  Doing it twice is no
 * error.  -EOPNOTSUPP, -EACCES as above.
 */
KIN_API KIN_MUST int kin_segment_publish(kin_segment *seg);

#define KIN_SEALED_FROZEN	0x01u
#define KIN_SEALED_PUBLISHED	0x02u	/* or frozen */
#define KIN_SEALED_SIZE		0x04u	/* it can't be truncated */

/* What it is sealed against: KIN_SEALED_... or'ed, by the kernel's word. */
KIN_API int kin_segment_seals(const kin_segment *seg);

/* ---- what there is to know ---- */

/* The memory, page-aligned, the same size seen by all; good until close. */
KIN_API void *kin_segment_data(const kin_segment *seg);
KIN_API size_t kin_segment_bytes(const kin_segment *seg);

/* May we store into it, by this handle?  1, or 0. */
KIN_API int kin_segment_writable(const kin_segment *seg);

/* The descriptor to attach by.  It is seg's own: pass it on, don't close it. */
KIN_API int kin_segment_fd(const kin_segment *seg);

/* Its label, "" if it has none; good until close. */
KIN_API const char *kin_segment_label(const kin_segment *seg);

KIN_END

#endif
