/* SPDX-License-Identifier: MIT */
/*
 * test_table.c - the hash table that keeps the order of its keys
 *
 * Beside it runs a model: the keys in their order, searched from end to end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manager/table.h"
#include "tests/kit.h"

#define KEYS	200u			/* so many different ones */

/* ---- the model ---- */

struct model {
	unsigned keys[KEYS];
	size_t n;
};

static size_t
model_find(const struct model *m, unsigned key)
{
	size_t i = 0;

	while (i < m->n && m->keys[i] != key)
		i++;
	return i;
}

static void
model_remove(struct model *m, size_t i)
{
	m->n--;
	memmove(&m->keys[i], &m->keys[i + 1],
		(m->n - i) * sizeof(m->keys[0]));
}

/* Two of each length, up to half of KEYS. */
static size_t
key_of(unsigned key, char to[KEYS + 8])
{
	memset(to, 'a', KEYS + 8);
	to[key / 2] = (char)('b' + key % 2);
	return key / 2 + 1;
}

static void *
value_of(unsigned key)
{
	return (void *)(uintptr_t)(key + 1);
}

static void
compare(const struct kn_table *t, const struct model *m)
{
	struct kn_table_row *row;
	char text[KEYS + 8];
	size_t at = 0, i = 0;

	ck_fast(t->live == m->n);
	while ((row = kn_table_next(t, &at)) != NULL) {
		ck_fast(i < m->n);
		ck_fast(row->key_len == key_of(m->keys[i], text));
		ck_fast(memcmp(row->key, text, row->key_len) == 0);
		ck_fast(row->value == value_of(m->keys[i]));
		i++;
	}
	ck_fast(i == m->n);
	for (unsigned key = 0; key < KEYS; key++) {
		row = kn_table_find(t, text, key_of(key, text));
		ck_fast((row != NULL) == (model_find(m, key) < m->n));
		ck_fast(row == NULL || row->value == value_of(key));
	}
}

/* ---- random operations ---- */

static void
toggle(struct kn_table *t, struct model *m, unsigned key)
{
	size_t i = model_find(m, key);
	struct kn_table_row *row;
	char text[KEYS + 8];
	size_t len = key_of(key, text);

	if (i < m->n) {
		kn_table_remove(t, kn_table_find(t, text, len));
		model_remove(m, i);
		return;
	}
	ck_kin_ok(kn_table_add(t, text, len, &row));
	ck_fast(row->value == NULL);
	row->value = value_of(key);
	m->keys[m->n++] = key;
}

START_TEST(test_like_the_model)
{
	struct model m = { .n = 0 };
	struct kn_table t;
	uint32_t seed = 1 + (uint32_t)_i;

	kn_table_init(&t);
	for (unsigned round = 0; round < 400; round++) {
		/* It swells and shrinks. */
		unsigned range = round / 50 % 2 == 0 ? KEYS : KEYS / 10;

		for (unsigned i = 0; i < 20; i++) {
			unsigned key = next_random(&seed) % KEYS;

			if (key < range || model_find(&m, key) < m.n)
				toggle(&t, &m, key);
		}
		compare(&t, &m);
	}
	kn_table_free(&t);
}
END_TEST

START_TEST(test_nothing_in_it)
{
	struct kn_table t;
	size_t at = 0;

	kn_table_init(&t);
	ck_assert_ptr_null(kn_table_find(&t, "key", 3));
	ck_assert_ptr_null(kn_table_find(&t, "", 0));
	ck_assert_ptr_null(kn_table_next(&t, &at));
	ck_kin_ok(kn_table_reserve(&t, 0));
	ck_assert_ptr_null(t.rows);
	kn_table_free(&t);
	kn_table_free(&t);
}
END_TEST

START_TEST(test_an_empty_key)
{
	struct kn_table_row *row;
	struct kn_table t;

	kn_table_init(&t);
	ck_kin_ok(kn_table_add(&t, "", 0, &row));
	ck_kin_ok(kn_table_add(&t, "\0", 1, &row));
	row = kn_table_find(&t, NULL, 0);
	ck_assert_ptr_nonnull(row);
	ck_assert_uint_eq(row->key_len, 0);
	kn_table_remove(&t, row);
	ck_assert_ptr_null(kn_table_find(&t, "", 0));
	ck_assert_ptr_nonnull(kn_table_find(&t, "\0", 1));
	kn_table_free(&t);
}
END_TEST

/* ---- memory ---- */

START_TEST(test_reserved_is_had)
{
	static uint64_t keys[1000];
	struct kn_table_row *row;
	struct kn_table t;
	void *rows;

	kn_table_init(&t);
	ck_kin_ok(kn_table_add(&t, "first", 5, &row));
	ck_kin_ok(kn_table_reserve(&t, 1000));
	rows = t.rows;
	for (uint64_t i = 0; i < 1000; i++) {
		keys[i] = i;
		ck_kin_ok(kn_table_add_lent(&t, &keys[i], 8, &row));
		ck_assert_ptr_eq(t.rows, rows);
		ck_assert_ptr_eq(row->key, &keys[i]);
	}
	ck_assert_uint_eq(t.live, 1001);
	kn_table_free(&t);
}
END_TEST

START_TEST(test_too_many)
{
	struct kn_table_row *row;
	struct kn_table t;

	kn_table_init(&t);
	ck_kin_ok(kn_table_add(&t, "one", 3, &row));
	ck_kin_fails(-ENOSPC, kn_table_reserve(&t, UINT32_MAX - 1));
	ck_kin_fails(-ENOSPC, kn_table_reserve(&t, SIZE_MAX));
	ck_kin_fails(-EMSGSIZE, kn_table_add_lent(&t, "", 1ull << 32, &row));
	ck_assert_uint_eq(t.live, 1);
	ck_assert_ptr_nonnull(kn_table_find(&t, "one", 3));
	kn_table_free(&t);
}
END_TEST

/* As in a queue: what comes last goes last. */
START_TEST(test_gaps_go)
{
	struct kn_table_row *row;
	struct kn_table t;

	kn_table_init(&t);
	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t old = i - 10;

		ck_kin_ok(kn_table_add(&t, &i, 8, &row));
		if (i < 10)
			continue;
		row = kn_table_find(&t, &old, 8);
		ck_fast(row != NULL);
		kn_table_remove(&t, row);
	}
	ck_assert_uint_eq(t.live, 10);
	ck_assert_uint_le(t.cap, 64);
	kn_table_free(&t);
}
END_TEST

/* To go through what is left is not to go through what was. */
START_TEST(test_gaps_are_half_at_most)
{
	struct kn_table_row *row;
	struct kn_table t;

	kn_table_init(&t);
	for (uint32_t i = 0; i < 1000; i++)
		ck_kin_ok(kn_table_add(&t, &i, 4, &row));
	for (uint32_t i = 0; i < 700; i++) {
		kn_table_remove(&t, kn_table_find(&t, &i, 4));
		ck_fast(t.used <= 2 * t.live + 1);
	}
	kn_table_free(&t);
}
END_TEST

#define MANY	1000000u

START_TEST(test_a_million)
{
	struct kn_table_row *row;
	struct kn_table t;
	size_t at = 0;
	uint32_t i;

	kn_table_init(&t);
	for (i = 0; i < MANY; i++) {
		ck_fast(kn_table_add(&t, &i, 4, &row) == 0);
		row->value = value_of(i);
	}
	for (i = 0; i < MANY; i++) {
		row = kn_table_find(&t, &i, 4);
		ck_fast(row != NULL && row->value == value_of(i));
	}
	for (i = 0; i < MANY; i++)
		if (i % 3 != 0)
			kn_table_remove(&t, kn_table_find(&t, &i, 4));
	for (i = 0; (row = kn_table_next(&t, &at)) != NULL; i += 3)
		ck_fast(row->value == value_of(i));
	ck_assert_uint_ge(i, MANY);
	for (i = 0; i < MANY; i += 3)
		kn_table_remove(&t, kn_table_find(&t, &i, 4));
	ck_assert_uint_eq(t.live, 0);
	ck_assert_uint_le(t.cap, 64);
	kn_table_free(&t);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("table");
	TCase *model = kit_case(suite, "model");
	TCase *memory = kit_case(suite, "memory");

	tcase_add_loop_test(model, test_like_the_model, 0, 5);
	tcase_add_test(model, test_nothing_in_it);
	tcase_add_test(model, test_an_empty_key);
	tcase_add_test(memory, test_reserved_is_had);
	tcase_add_test(memory, test_too_many);
	tcase_add_test(memory, test_gaps_go);
	tcase_add_test(memory, test_gaps_are_half_at_most);
	tcase_add_test(memory, test_a_million);
	return kit_run(suite);
}
