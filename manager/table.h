/* SPDX-License-Identifier: MIT */
/*
 * table.h - a hash table that keeps the order of its keys
 *
 * Keys are bytes that clients choose, so they are hashed with a secret seed
 * (SipHash, by libsodium): nobody can choose keys that collide.
 *
 *      index[hash] ──▶ rows: key value │ key value │ gone │ key value ...
 */
#ifndef KN_TABLE_H
#define KN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kn_table_row {
	const unsigned char *key;	/* NULL = gone */
	uint32_t key_len;
	bool lent;			/* the key is somebody else's memory */
	uint64_t hash;
	void *value;			/* the owner's */
};

struct kn_table {
	struct kn_table_row *rows;
	size_t used, live, cap;		/* rows, gone ones too */
	uint32_t *index;		/* row + 1; 0 = free */
	size_t index_mask;
};

void kn_table_init(struct kn_table *t);		/* empty; takes no memory */
void kn_table_free(struct kn_table *t);		/* not the values */

/* The row of that key; NULL: none.  Good until the next change. */
struct kn_table_row *kn_table_find(const struct kn_table *t, const void *key,
				   size_t len);

/*
 * A row for a key that is not there yet; its value is NULL.  The key is copied;
 * a lent one is not: it stays as it is until its row is removed.
 * -ENOMEM, -EMSGSIZE (a key of 4 GiB), -ENOSPC (as many rows).
 */
int kn_table_add(struct kn_table *t, const void *key, size_t len,
		 struct kn_table_row **ret);
int kn_table_add_lent(struct kn_table *t, const void *key, size_t len,
		      struct kn_table_row **ret);

/* So many adds of lent keys will not fail, if nothing is removed meanwhile. */
int kn_table_reserve(struct kn_table *t, size_t more);
void kn_table_remove(struct kn_table *t, struct kn_table_row *row);

/* In the order in which they were added: *at begins with 0; NULL at the end. */
struct kn_table_row *kn_table_next(const struct kn_table *t, size_t *at);

#endif
