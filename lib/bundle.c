/* SPDX-License-Identifier: MIT */
/*
 * bundle.c - what travels: memory for it, and what it holds
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bundle.h"
#include "lib/pledge.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"

#define FIRST_BYTES	256u

int
kn_bundle_grow(struct kn_bundle *b, size_t more)
{
	size_t cap = b->cap != 0 ? b->cap : FIRST_BYTES;
	unsigned char *bytes;

	if (more > PTRDIFF_MAX - b->len)
		return kn_fail(-ENOMEM, "message of over %zu bytes", more);
	if (cap < b->cap + b->cap / 2)
		cap = b->cap + b->cap / 2;
	if (cap < b->len + more)
		cap = b->len + more;
	bytes = realloc(b->borrowed ? NULL : b->bytes, cap);
	if (bytes == NULL)
		return kn_fail(-ENOMEM, "message of %zu bytes", cap);
	if (b->borrowed)
		memcpy(bytes, b->bytes, b->len);
	b->borrowed = false;
	b->bytes = bytes;
	b->cap = cap;
	return 0;
}

/*
 * A list of n grows by doubling, when n is a power of two; else it has room.
 * NULL: no memory, and it is as it was.
 */
static void *
list_room(void *list, uint32_t n, size_t each)
{
	void *bigger;

	if (n != 0 && (n & (n - 1)) != 0)
		return list;
	bigger = realloc(list, (n == 0 ? 1 : 2 * (size_t)n) * each);
	if (bigger == NULL)
		(void)kn_fail(-ENOMEM, "what a message holds");
	return bigger;
}

int
kn_bundle_own_fd(struct kn_bundle *b, int fd)
{
	int *fds;

	if (b->nfds == KIN_VALUES_FDS)
		return kn_fail(-EMSGSIZE, "over %d descriptors in a message",
			       KIN_VALUES_FDS);
	fds = list_room(b->fds, b->nfds, sizeof(*fds));
	if (fds == NULL)
		return -ENOMEM;
	b->fds = fds;
	fds[b->nfds] = fd;
	return (int)b->nfds++;
}

int
kn_bundle_lend(struct kn_bundle *b, const struct kn_lent *lent)
{
	struct kn_lent *all = list_room(b->lent, b->nlent, sizeof(*all));

	if (all == NULL)
		return -ENOMEM;
	b->lent = all;
	all[b->nlent++] = *lent;
	return 0;
}

int
kn_bundle_keep(struct kn_bundle *b, struct kn_frozen *frozen)
{
	struct kn_frozen **all = list_room(b->frozen, b->nfrozen,
					   sizeof(struct kn_frozen *));

	if (all == NULL)
		return -ENOMEM;
	b->frozen = all;
	all[b->nfrozen++] = frozen;
	return 0;
}

void
kn_bundle_sent(struct kn_bundle *b)
{
	int saved = errno;
	uint32_t i;

	if (!b->borrowed)
		free(b->bytes);
	if (b->fds != NULL || b->lent != NULL || b->frozen != NULL) {
		for (i = 0; i < b->nfds; i++)
			kn_os_close(b->fds[i]);
		for (i = 0; i < b->nfrozen; i++)
			kn_frozen_drop(b->frozen[i]);
		free(b->fds);
		free(b->lent);
		free(b->frozen);
	}
	kn_bundle_init(b);
	errno = saved;
}

void
kn_bundle_drop(struct kn_bundle *b)
{
	struct kn_sentence sentence;
	uint32_t i;

	if (b->nlent > 0 || b->pledges > 0) {
		kn_sentence_save(&sentence);
		for (i = b->nlent; i-- > 0; )
			b->lent[i].back(&b->lent[i]);
		if (b->lasting && b->generation == kn_self_generation())
			kn_pledges_drop(b->bytes, b->len);
		kn_sentence_restore(&sentence);
	}
	kn_bundle_sent(b);
}
