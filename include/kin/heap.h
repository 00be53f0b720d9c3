/* SPDX-License-Identifier: MIT */
/*
 * kin/heap.h - memory given out in blocks, to many processes
 *
 *      ├─ lists, log ─┼─ block ─┼─ block ─┼──── free ────┼─ block ─┤
 *                      at
 *
 * A block is known by its offset, the same in every process; a pointer to it
 * is good in one.  Offset 0 is none.
 *
 *      kin_heap_alloc(heap, &at, sizeof(struct node), deadline);
 *      node = KIN_HEAP_AT(heap, struct node, at);
 *      node->next = *root;                   (fill it: nobody else sees it)
 *      kin_heap_publish(heap, at, root, deadline);
 *
 * A block is its process's until it is published: if the process dies before,
 * or lets go of the heap, it is freed.  Publishing stores the block's offset
 * where others find it, in the same step.  So each block is somebody's, or it
 * can be found, whoever is killed when.
 *
 * kin_heap_apply() is that step in general: stores to any words in the heap,
 * blocks published, taken back and freed, all of it or nothing, and only if
 * words are still what they were.  A structure that is changed by it is whole
 * at every moment, and needs no repair.
 *
 * Order    What is published is seen with all that was stored in it before.
 *          Steps have one order, seen by all.  Who reads several words while
 *          others change them may see some before and some after, and uses a
 *          lock, or names them in KIN_HEAP_EXPECT.
 * Threads  Any call from any thread; close must be the handle's last.
 * Fork     The child's copy of a handle is good; each side closes its own.
 *          Blocks that the parent has not published remain the parent's.
 * Crash    A call whose caller is killed has been made whole or not at all;
 *          the next call finds it so.  Until that, words of a step may stand
 *          half changed: who has learnt of a death otherwise (by a lock's 1)
 *          and has not called since calls kin_heap_sweep() before it looks.
 *          Blocks of the dead are free again at the latest when they are
 *          missed.  After a death, one call takes as long as a look at all
 *          blocks.
 * Peers    One that scribbles over the heap spoils what is in it; every call
 *          still stays within its memory and its deadline, and says -EUCLEAN
 *          once it has seen nonsense.
 */
#ifndef KIN_HEAP_H
#define KIN_HEAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <kin/error.h>
#include <kin/opts.h>
#include <kin/segment.h>
#include <kin/time.h>
#include <kin/value.h>

KIN_BEGIN

#define KIN_HEAP_ROOTS		8u
#define KIN_HEAP_EDITS_MAX	16u
#define KIN_HEAP_ALIGN_MAX	4096u

struct kin_heap_opts {
	uint32_t size;			/* set by KIN_OPTS */
	uint32_t flags;			/* must be 0 */
	uint64_t bytes;			/* of all of it, 12.4 KiB of which are
					   the heap's; 0 = 1 MiB */
	const char *label;		/* for people and tools */
	uint32_t members;		/* processes at once, at most; 0 = 64;
					   1000 is the most */
	uint32_t reserved;		/* must be 0 */
	kin_segment *segment;		/* to place it in, which must have
					   members; NULL = one of its own */
	uint64_t offset;		/* in kin_segment_data(), a multiple of
					   128 */
};

/*
 * Create a heap and take hold of it; opts may be NULL.  A placed one takes
 * bytes of the segment; for the rest, see kin_queue_create().
 *
 *   -EINVAL  under 16 KiB or over 63 GiB; over 1000 members; a bad label or
 *            offset; the segment has no members
 *   -ENOSPC  no memory for it; or the segment has no such room at offset
 *   -EEXIST  there is something at that offset
 *   -EACCES  the segment is read-only
 *   -E2BIG, -ENOMEM, -EMFILE
 */
KIN_API KIN_MUST int kin_heap_create(kin_heap **ret_heap,
				     const struct kin_heap_opts *opts);

/* The bytes that such a heap takes of a segment; 0: no such heap can be. */
KIN_API size_t kin_heap_room(const struct kin_heap_opts *opts);

/* Join the one behind fd, or placed in seg; errors as kin_queue_attach() and
 * kin_queue_attach_at(). */
KIN_API KIN_MUST int kin_heap_attach(kin_heap **ret_heap, int fd);
KIN_API KIN_MUST int kin_heap_attach_at(kin_heap **ret_heap, kin_segment *seg,
					uint64_t offset);

/*
 * Let go.  Blocks that this process has not published are freed when it has
 * let go of the segment, too.  NULL is ignored.
 */
KIN_API void kin_heap_close(kin_heap *heap);

/* ---- blocks ---- */

/*
 * A block of so many bytes, at a multiple of 16; what is in it is not said.
 * It is ours until it is published.  A block takes its bytes and 16, in
 * multiples of 16; 32 at least.
 *
 *   -ENOSPC     there is no such room, after a look at what the dead have left
 *   -ETIMEDOUT  somebody is stopped, or has lost its CPU, in the middle of a
 *               call
 *   -EUCLEAN    a peer has spoilt the heap; this handle is done with
 *   -EBADF      as kin_queue_put; -ENOSPC for a first use after a fork, too
 */
KIN_API KIN_MUST int kin_heap_alloc(kin_heap *heap, uint64_t *ret_at,
				    size_t bytes, kin_time deadline);

/* At a multiple of align, a power of two up to KIN_HEAP_ALIGN_MAX (-EINVAL). */
KIN_API KIN_MUST int kin_heap_alloc_aligned(kin_heap *heap, uint64_t *ret_at,
					    size_t bytes, size_t align,
					    kin_time deadline);

/*
 * Give it so many bytes, where it is or elsewhere; *at is where, and what was
 * in it is in it.  0 in *at: allocate it.  If at points into the heap, a block
 * that moves is freed in the same step in which *at changes; if it does not
 * and the block is published, a death in this call may leave others with the
 * offset of a freed block.  Elsewhere, it is at a multiple of 16.  Nobody may
 * use the block meanwhile.
 *
 *   -EINVAL  there is no block at *at
 *   errors as kin_heap_alloc, and then all is as it was
 */
KIN_API KIN_MUST int kin_heap_resize(kin_heap *heap, uint64_t *at,
				     size_t bytes, kin_time deadline);

/*
 * Free it, whoever's it is.  0 is ignored.
 *
 *   -EINVAL  no block begins there: it is free already, or was never one
 *   -ETIMEDOUT, -EUCLEAN, -EBADF, -ENOSPC as kin_heap_alloc
 */
KIN_API KIN_MUST int kin_heap_free(kin_heap *heap, uint64_t at,
				   kin_time deadline);

/* The bytes that the block at that offset has; at least what was asked for.
 * Errors as free. */
KIN_API KIN_MUST ssize_t kin_heap_bytes_at(kin_heap *heap, uint64_t at,
					   kin_time deadline);

/* ---- publishing, and changing several words in one step ---- */

/*
 * Store at in *link, which lies in the heap, and let the block be nobody's, in
 * one step; with no link, only the latter.  Errors as kin_heap_apply.
 */
KIN_API KIN_MUST int kin_heap_publish(kin_heap *heap, uint64_t at,
				      uint64_t *link, kin_time deadline);

struct kin_heap_edit {
	uint32_t what;
	uint32_t reserved;		/* must be 0 */
	const void *word;		/* in the heap, a multiple of 8 */
	uint64_t value;
};

#define KIN_HEAP_STORE_		1u
#define KIN_HEAP_EXPECT_	2u
#define KIN_HEAP_KEEP_		3u
#define KIN_HEAP_OWN_		4u
#define KIN_HEAP_FREE_		5u

/* Go on only if *word is value; these come before all others. */
#define KIN_HEAP_EXPECT(word, value)	{ KIN_HEAP_EXPECT_, 0, (word), (value) }
/* *word = value. */
#define KIN_HEAP_STORE(word, value)	{ KIN_HEAP_STORE_, 0, (word), (value) }
/* The block is published; it is ours (again); it is free. */
#define KIN_HEAP_KEEP(at)		{ KIN_HEAP_KEEP_, 0, 0, (at) }
#define KIN_HEAP_OWN(at)		{ KIN_HEAP_OWN_, 0, 0, (at) }
#define KIN_HEAP_FREE(at)		{ KIN_HEAP_FREE_, 0, 0, (at) }

/*
 * All of these in one step: 1.  0: a word is not what was expected, and
 * nothing was done.
 *
 *      struct kin_heap_edit pop[] = {
 *              KIN_HEAP_EXPECT(root, at),
 *              KIN_HEAP_EXPECT(&node->next, next),
 *              KIN_HEAP_STORE(root, next),
 *              KIN_HEAP_OWN(at),
 *      };
 *      r = kin_heap_apply(heap, pop, 4, deadline);
 *
 *   -EINVAL  over KIN_HEAP_EDITS_MAX edits; a word that does not lie in the
 *            heap, or not at a multiple of 8; no such block; an expectation
 *            behind something else
 *            Whether the word lies in a block, or is the header of one, is
 *            not looked at: a store to a header spoils the heap
 *   -ETIMEDOUT, -EUCLEAN, -EBADF, -ENOSPC as kin_heap_alloc
 */
KIN_API KIN_MUST int kin_heap_apply(kin_heap *heap,
				    const struct kin_heap_edit *edits,
				    unsigned n, kin_time deadline);

/* ---- from offsets to pointers, and back ---- */

/* NULL: so many bytes are not in the heap's blocks there. */
KIN_API void *kin_heap_pointer(const kin_heap *heap, uint64_t at,
			       size_t bytes);
#define KIN_HEAP_AT(heap, type, at)					\
	((type *)kin_heap_pointer((heap), (at), sizeof(type)))

/* 0: it does not point into the heap's blocks. */
KIN_API uint64_t kin_heap_offset(const kin_heap *heap, const void *pointer);

/*
 * KIN_HEAP_ROOTS words of the heap, zeros at first, by which a newcomer finds
 * what there is.
 */
KIN_API uint64_t *kin_heap_root(const kin_heap *heap, unsigned n);

/* ---- the dead, and what there is to know ---- */

/*
 * Finish with what the dead have begun and free what they owned: how many
 * blocks.  Errors as kin_heap_alloc.
 */
KIN_API KIN_MUST ssize_t kin_heap_sweep(kin_heap *heap, kin_time deadline);

/* Does all of it agree with all of it?  0, or -EUCLEAN: kin_errmsg() says what
 * does not.  Errors as kin_heap_alloc.  Others wait meanwhile. */
KIN_API KIN_MUST int kin_heap_check(kin_heap *heap, kin_time deadline);

struct kin_heap_usage {
	uint64_t bytes;			/* that blocks can have, their headers
					   included */
	uint64_t used;			/* by blocks, headers included */
	uint64_t blocks;
	uint64_t peak;			/* of used */
	uint64_t swept;			/* blocks freed for the dead */
	uint64_t reserved[3];
};

/* What there is at this moment; if somebody is at work, before or after it. */
KIN_API void kin_heap_stats(const kin_heap *heap, struct kin_heap_usage *ret);

/*
 * The segment that it is in, in whose kin_segment_data() all offsets are: with
 * them, other things can be placed in blocks (of alignment 128).  It is the
 * heap's own: don't close it.
 */
KIN_API kin_segment *kin_heap_segment(const kin_heap *heap);

/* The descriptor to attach by, as kin_queue_fd(); its label. */
KIN_API int kin_heap_fd(const kin_heap *heap);
KIN_API const char *kin_heap_label(const kin_heap *heap);

KIN_END

#endif
