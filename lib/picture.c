/* SPDX-License-Identifier: MIT */
/*
 * picture.c - what an inspection has seen so far
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kinds.h"
#include "lib/picture.h"
#include "shm/error.h"

/* ---- text ---- */

/*
 * The bytes of the well-formed UTF-8 character at p (The Unicode Standard,
 * table 3-7), or 0.  C1 controls are none: terminals obey them.
 */
static size_t
character(const unsigned char *p)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 :
		   p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	size_t i;

	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((n == 1 && (p[0] < ' ' || p[0] == 0x7f)) ||
	    (p[0] == 0xc2 && p[1] < 0xa0) ||	/* C1 */
	    (p[0] == 0xe0 && p[1] < 0xa0) ||	/* overlong */
	    (p[0] == 0xed && p[1] > 0x9f) ||	/* surrogates */
	    (p[0] == 0xf0 && p[1] < 0x90) ||	/* overlong */
	    (p[0] == 0xf4 && p[1] > 0x8f))	/* past the last one */
		return 0;
	return n;
}

/* Every byte that is not part of a safe character becomes a '?'. */
void
kn_picture_text(char *buf, size_t cap, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p != '\0') {
		size_t n = character(p);
		size_t step = n > 0 ? n : 1;

		if (step >= cap)
			break;
		if (n > 0)
			memcpy(buf, p, n);
		else
			*buf = '?';
		p += step;
		buf += step;
		cap -= step;
	}
	*buf = '\0';
}

/* ---- putting in ---- */

/* Room for one more of size bytes behind n. */
static int
grow(void *array, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap > 0 ? *cap * 2 : 4;
	void *at;

	if (n < *cap)
		return 0;
	memcpy(&at, array, sizeof(at));
	at = reallocarray(at, more, size);
	if (at == NULL)
		return -ENOMEM;
	memcpy(array, &at, sizeof(at));
	*cap = more;
	return 0;
}

static uint32_t *
cell_of(const struct kin_inspection *all, uint64_t device, uint64_t inode)
{
	uint64_t at = (inode ^ device << 32) * 0x9e3779b97f4a7c15ull >> 20;

	for (;; at++) {
		uint32_t *cell = &all->table[at & (all->table_size - 1)];
		const struct kin_seen_segment *seg;

		if (*cell == 0)
			return cell;
		seg = &all->seen[*cell - 1]->seg;
		if (seg->device == device && seg->inode == inode)
			return cell;
	}
}

static int
grow_table(struct kin_inspection *all)
{
	size_t i;

	if (all->seen_n * 2 < all->table_size)
		return 0;
	free(all->table);
	all->table_size = all->table_size > 0 ? all->table_size * 2 : 64;
	all->table = calloc(all->table_size, sizeof(*all->table));
	if (all->table == NULL)
		return -ENOMEM;
	for (i = 0; i < all->seen_n; i++)
		*cell_of(all, all->seen[i]->seg.device,
			 all->seen[i]->seg.inode) = (uint32_t)i + 1;
	return 0;
}

int
kn_picture_find(struct kin_inspection *all, uint64_t device, uint64_t inode,
		struct kn_seen **ret_seen)
{
	struct kn_seen *seen;
	uint32_t *cell;
	int r;

	r = grow_table(all);
	if (r == 0)
		r = grow(&all->seen, all->seen_n, &all->seen_cap,
			 sizeof(*all->seen));
	if (r < 0)
		return r;
	cell = cell_of(all, device, inode);
	if (*cell != 0) {
		*ret_seen = all->seen[*cell - 1];
		return 0;
	}
	seen = calloc(1, sizeof(*seen));
	if (seen == NULL)
		return -ENOMEM;
	seen->seg.device = device;
	seen->seg.inode = inode;
	strcpy(seen->seg.kind, "?");
	all->seen[all->seen_n++] = seen;
	*cell = (uint32_t)all->seen_n;
	*ret_seen = seen;
	return 0;
}

int
kn_picture_hold(struct kn_seen *seen, pid_t pid, const char *command,
		struct kin_seen_holder **ret_holder)
{
	struct kin_seen_holder *holder;
	uint32_t n = seen->seg.holders;

	if (n > 0 && seen->holders[n - 1].pid == pid) {
		*ret_holder = &seen->holders[n - 1];
		return 0;
	}
	if (grow(&seen->holders, n, &seen->holders_cap,
		 sizeof(*seen->holders)) < 0)
		return -ENOMEM;
	holder = &seen->holders[n];
	memset(holder, 0, sizeof(*holder));
	holder->pid = pid;
	kn_picture_text(holder->command, sizeof(holder->command), command);
	seen->seg.holders++;
	*ret_holder = holder;
	return 0;
}

int
kn_picture_tell(void *arg, const char *key, const char *value)
{
	struct kn_seen *seen = arg;
	struct kin_seen_fact *fact;

	if (strcmp(key, KN_TROUBLE) == 0) {
		kn_picture_trouble(seen, value);
		return 0;
	}
	if (grow(&seen->facts, seen->facts_n, &seen->facts_cap,
		 sizeof(*seen->facts)) < 0)
		return -ENOMEM;
	fact = &seen->facts[seen->facts_n++];
	memset(fact, 0, sizeof(*fact));
	kn_picture_text(fact->key, sizeof(fact->key), key);
	kn_picture_text(fact->value, sizeof(fact->value), value);
	return 0;
}

void
kn_picture_trouble(struct kn_seen *seen, const char *text)
{
	if (seen->seg.trouble[0] == '\0')
		kn_picture_text(seen->seg.trouble, sizeof(seen->seg.trouble),
				text);
}

static void
forget(struct kn_seen *seen)
{
	free(seen->holders);
	free(seen->facts);
	free(seen);
}

static int
by_identity(const void *a, const void *b)
{
	const struct kin_seen_segment *s = &(*(struct kn_seen *const *)a)->seg;
	const struct kin_seen_segment *t = &(*(struct kn_seen *const *)b)->seg;

	if (s->device != t->device)
		return s->device < t->device ? -1 : 1;
	return s->inode < t->inode ? -1 : s->inode > t->inode;
}

void
kn_picture_finish(struct kin_inspection *all)
{
	size_t i, kept = 0;

	free(all->table);
	all->table = NULL;
	for (i = 0; i < all->seen_n; i++)
		if (all->seen[i]->ours)
			all->seen[kept++] = all->seen[i];
		else
			forget(all->seen[i]);
	all->seen_n = kept;
	if (kept > 0)
		qsort(all->seen, kept, sizeof(*all->seen), by_identity);
}

/* ---- reading it ---- */

void
kin_inspect_free(kin_inspection *all)
{
	size_t i;

	if (all == NULL)
		return;
	for (i = 0; i < all->seen_n; i++)
		forget(all->seen[i]);
	free(all->seen);
	free(all->table);
	free(all);
}

int
kin_inspect_next(const kin_inspection *all, struct kin_seen_segment *seg)
{
	uint64_t index;

	kn_assert(all != NULL && seg != NULL);
	index = seg->index;
	if (index >= all->seen_n)
		return 0;
	*seg = all->seen[index]->seg;
	seg->index = index + 1;
	return 1;
}

/* NULL: seg has not come from kin_inspect_next. */
static const struct kn_seen *
seen_of(const kin_inspection *all, const struct kin_seen_segment *seg)
{
	kn_assert(all != NULL && seg != NULL);
	if (seg->index == 0 || seg->index > all->seen_n)
		return NULL;
	return all->seen[seg->index - 1];
}

int
kin_inspect_next_holder(const kin_inspection *all,
			const struct kin_seen_segment *seg,
			struct kin_seen_holder *holder)
{
	const struct kn_seen *seen = seen_of(all, seg);
	uint64_t index;

	kn_assert(holder != NULL);
	index = holder->index;
	if (seen == NULL || index >= seen->seg.holders)
		return 0;
	*holder = seen->holders[index];
	holder->index = index + 1;
	return 1;
}

int
kin_inspect_next_fact(const kin_inspection *all,
		      const struct kin_seen_segment *seg,
		      struct kin_seen_fact *fact)
{
	const struct kn_seen *seen = seen_of(all, seg);
	uint64_t index;

	kn_assert(fact != NULL);
	index = fact->index;
	if (seen == NULL || index >= seen->facts_n)
		return 0;
	*fact = seen->facts[index];
	fact->index = index + 1;
	return 1;
}

uint32_t
kin_inspect_hidden(const kin_inspection *all)
{
	kn_assert(all != NULL);
	return all->hidden;
}
