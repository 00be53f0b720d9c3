/* SPDX-License-Identifier: MIT */
/*
 * undo.c - stores to shared memory that all happen, or none
 */
#include <errno.h>
#include <inttypes.h>

#include "shm/undo.h"

/* Once more is once: each word is as it was before n says so. */
int
kn_undo_slow(const struct kn_undo *undo)
{
	uint32_t n = kn_load_relaxed(&undo->shared->count);

	if (n > KN_UNDO_MAX)
		return kn_fail(-EUCLEAN, "an undo log of %u entries", n);
	while (n > 0) {
		uint64_t at = kn_wide_load_relaxed(
		    &undo->shared->log[--n].at);
		uint64_t old = kn_wide_load_relaxed(&undo->shared->log[n].old);

		if (at % sizeof(old) != 0 || at < undo->first ||
		    at > undo->end - sizeof(old))
			return kn_fail(-EUCLEAN, "an undo log that names "
				       "offset %" PRIu64, at);
		kn_wide_store((kn_wide *)(void *)(undo->base + at), old);
		kn_in_order();
		kn_store_relaxed(&undo->shared->count, n);
		kn_in_order();
	}
	return 1;
}
