/* SPDX-License-Identifier: MIT */
/*
 * table.c - a hash table that keeps the order of its keys
 *
 * Rows stand in the order in which they were added; the index, twice as long,
 * finds them by linear probing.  A row that is removed leaves a gap among the
 * rows and none in the index, where those behind it move up.  Gaps go when
 * they are more than half of the rows.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "manager/table.h"
#include "shm/error.h"

#define ROWS_LEAST	8u
#define ROWS_MAX	(UINT32_MAX - 1)	/* row + 1 is not 0 */

_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "hash");

static unsigned char seed[crypto_shorthash_KEYBYTES];
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void
make_seed(void)
{
	kn_assert(sodium_init() >= 0);
	randombytes_buf(seed, sizeof(seed));
}

static uint64_t
hash_of(const void *key, size_t len)
{
	uint64_t hash;

	pthread_once(&seeded, make_seed);
	crypto_shorthash((unsigned char *)&hash, key, len, seed);
	return hash;
}

void
kn_table_init(struct kn_table *t)
{
	*t = (struct kn_table){ 0 };
}

static void
free_key(struct kn_table_row *row)
{
	if (!row->lent)
		free((void *)(uintptr_t)row->key);
}

void
kn_table_free(struct kn_table *t)
{
	for (size_t i = 0; i < t->used; i++)
		if (t->rows[i].key != NULL)
			free_key(&t->rows[i]);
	free(t->rows);
	free(t->index);
	kn_table_init(t);
}

/* ---- the index ---- */

struct kn_table_row *
kn_table_find(const struct kn_table *t, const void *key, size_t len)
{
	struct kn_table_row *row;
	uint64_t hash;
	size_t at;

	if (t->live == 0)
		return NULL;
	hash = hash_of(key, len);
	for (at = hash & t->index_mask; t->index[at] != 0;
	     at = (at + 1) & t->index_mask) {
		row = &t->rows[t->index[at] - 1];
		if (row->hash == hash && row->key_len == len &&
		    (len == 0 || memcmp(row->key, key, len) == 0))
			return row;
	}
	return NULL;
}

/* It is not there yet, and there is a free place. */
static void
index_add(struct kn_table *t, size_t i)
{
	size_t at = t->rows[i].hash & t->index_mask;

	while (t->index[at] != 0)
		at = (at + 1) & t->index_mask;
	t->index[at] = (uint32_t)(i + 1);
}

/*
 * What stands behind the hole, without a free place between, moves into it if
 * its search begins at the hole or before: else the search would end there.
 */
static void
index_remove(struct kn_table *t, size_t i)
{
	size_t hole = t->rows[i].hash & t->index_mask;
	size_t at, home;

	while (t->index[hole] != (uint32_t)(i + 1))
		hole = (hole + 1) & t->index_mask;
	for (at = (hole + 1) & t->index_mask; t->index[at] != 0;
	     at = (at + 1) & t->index_mask) {
		home = t->rows[t->index[at] - 1].hash & t->index_mask;
		if (((at - home) & t->index_mask) <
		    ((at - hole) & t->index_mask))
			continue;
		t->index[hole] = t->index[at];
		hole = at;
	}
	t->index[hole] = 0;
}

/* ---- rows ---- */

/* Rows move up over the gaps; to, which may be rows itself, has the room. */
static void
close_gaps(struct kn_table *t, struct kn_table_row *to)
{
	size_t n = 0;

	for (size_t i = 0; i < t->used; i++)
		if (t->rows[i].key != NULL)
			to[n++] = t->rows[i];
	t->rows = to;
	t->used = n;
	for (size_t i = 0; i < n; i++)
		index_add(t, i);
}

static void
close_gaps_in_place(struct kn_table *t)
{
	memset(t->index, 0, (t->index_mask + 1) * sizeof(*t->index));
	close_gaps(t, t->rows);
}

/* Other memory, for cap rows, which is a power of two. */
static int
move(struct kn_table *t, size_t cap)
{
	struct kn_table_row *rows, *old = t->rows;
	uint32_t *index;

	rows = reallocarray(NULL, cap, sizeof(*rows));
	index = calloc(cap, 2 * sizeof(*index));
	if (rows == NULL || index == NULL) {
		free(rows);
		free(index);
		return kn_fail(-ENOMEM, "a table of %zu rows", cap);
	}
	free(t->index);
	t->index = index;
	t->index_mask = 2 * cap - 1;
	t->cap = cap;
	close_gaps(t, rows);
	free(old);
	return 0;
}

int
kn_table_reserve(struct kn_table *t, size_t more)
{
	size_t cap = ROWS_LEAST;

	if (more <= t->cap - t->used)
		return 0;
	if (more > ROWS_MAX - t->live)
		return kn_fail(-ENOSPC, "a table of %u rows and %zu more",
			       (unsigned)t->live, more);
	if (t->live + more <= t->cap / 4 * 3) {
		close_gaps_in_place(t);
		return 0;
	}
	while (cap < t->live + more)
		cap *= 2;
	return move(t, cap);
}

int
kn_table_add_lent(struct kn_table *t, const void *key, size_t len,
		  struct kn_table_row **ret)
{
	struct kn_table_row *row;
	int r;

	if (len > UINT32_MAX)
		return kn_fail(-EMSGSIZE, "a key of %zu bytes", len);
	r = kn_table_reserve(t, 1);
	if (r < 0)
		return r;
	row = &t->rows[t->used];
	*row = (struct kn_table_row){
		.key = key,
		.key_len = (uint32_t)len,
		.lent = true,
		.hash = hash_of(key, len),
	};
	index_add(t, t->used);
	t->used++;
	t->live++;
	*ret = row;
	return 0;
}

int
kn_table_add(struct kn_table *t, const void *key, size_t len,
	     struct kn_table_row **ret)
{
	unsigned char *copy = malloc(len > 0 ? len : 1);
	int r;

	if (copy == NULL)
		return kn_fail(-ENOMEM, "a key of %zu bytes", len);
	if (len > 0)
		memcpy(copy, key, len);
	r = kn_table_add_lent(t, copy, len, ret);
	if (r < 0) {
		free(copy);
		return r;
	}
	(*ret)->lent = false;
	return 0;
}

/* Memory that a table once needed is not kept for ever. */
static void
tidy(struct kn_table *t)
{
	struct kn_sentence sentence;

	while (t->used > 0 && t->rows[t->used - 1].key == NULL)
		t->used--;
	if (t->cap > ROWS_LEAST && t->live <= t->cap / 8) {
		kn_sentence_save(&sentence);
		if (move(t, t->cap / 4 > ROWS_LEAST ? t->cap / 4 :
			 ROWS_LEAST) == 0)
			return;
		kn_sentence_restore(&sentence);
	}
	if (t->used > ROWS_LEAST && t->live < t->used / 2)
		close_gaps_in_place(t);
}

void
kn_table_remove(struct kn_table *t, struct kn_table_row *row)
{
	index_remove(t, (size_t)(row - t->rows));
	free_key(row);
	*row = (struct kn_table_row){ 0 };
	t->live--;
	tidy(t);
}

struct kn_table_row *
kn_table_next(const struct kn_table *t, size_t *at)
{
	while (*at < t->used) {
		struct kn_table_row *row = &t->rows[(*at)++];

		if (row->key != NULL)
			return row;
	}
	return NULL;
}
