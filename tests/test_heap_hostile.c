/* SPDX-License-Identifier: MIT */
/*
 * test_heap_hostile.c - heaps, arrays and tables in whose memory anything
 * stands
 *
 *      ├─ zeros ─┼─ the heap ──────────┼─ zeros ─┤     a segment
 *
 * Nonsense is called so; and whatever is scribbled, no call writes outside of
 * the heap, or stays away.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/array.h"
#include "lib/heap.h"
#include "lib/table.h"
#include "tests/hostile.h"

#define AROUND	4096u
#define SMALL	(32u << 10)
#define ROUNDS	3000
#define BLOCKS	12
#define ASKED	(32u * KN_GRAIN)	/* a unit more than these are, and in
					   the same list */
#define LENGTH	(31u * KN_GRAIN)

static kin_segment *seg;

static kin_heap *
heap_in_between(void)
{
	kin_heap *heap;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .bytes = SMALL + 2 * AROUND, .members = 4)));
	ck_kin_ok(kin_heap_create(&heap, KIN_OPTS(kin_heap_opts,
	    .segment = seg, .offset = AROUND, .bytes = SMALL)));
	return heap;
}

static kin_heap *
again(void)
{
	kin_heap *heap;

	ck_kin_ok(kin_heap_attach_at(&heap, seg, AROUND));
	return heap;
}

static void
ck_nothing_outside(void)
{
	const unsigned char *p = kin_segment_data(seg);
	static const unsigned char zeros[AROUND];

	ck_fast(memcmp(p, zeros, AROUND) == 0);
	ck_fast(memcmp(p + AROUND + SMALL, zeros, AROUND) == 0);
}

static void
close_all(kin_heap *heap)
{
	ck_nothing_outside();
	kin_heap_close(heap);
	kin_segment_close(seg);
}

static uint64_t
block(kin_heap *heap, size_t bytes)
{
	uint64_t at;

	ck_kin_ok(kin_heap_alloc(heap, &at, bytes, KIT_PATIENCE));
	return at;
}

static struct kn_block *
header(kin_heap *heap, uint64_t at)
{
	return (struct kn_block *)(void *)
	    (KIN_HEAP_AT(heap, unsigned char, at) - KN_BLOCK_HEAD);
}

/* ---- nonsense that is called so ---- */

/* A word is changed: the call finds out, and the handle knows from then on. */
static void
ck_found(kin_heap *heap, kn_wide *word, uint64_t v, uint64_t at, size_t ask)
{
	kin_heap *mine = again();
	uint64_t was = word->v, ret;

	kn_wide_store(word, v);
	ck_kin_fails(-EUCLEAN, at != 0 ? kin_heap_free(mine, at, KIN_NOWAIT)
		     : kin_heap_alloc(mine, &ret, ask, KIN_NOWAIT));
	kn_wide_store(word, was);
	ck_kin_fails(-EUCLEAN, kin_heap_bytes_at(mine, at, KIN_NOWAIT));
	ck_kin_fails(-EUCLEAN, kin_heap_alloc(mine, &ret, 1, KIN_NOWAIT));
	ck_kin_fails(-EUCLEAN, kin_heap_sweep(mine, KIN_NOWAIT));
	ck_kin_fails(-EUCLEAN, kin_heap_check(mine, KIN_NOWAIT));
	kin_heap_close(mine);
	/* Nothing has changed, for those who have not seen it. */
	ck_kin_ok(kin_heap_check(heap, KIN_NOWAIT));
	ck_nothing_outside();
}

START_TEST(a_header_that_was_written_over_is_nonsense)
{
	kin_heap *heap = heap_in_between();
	uint64_t a = block(heap, 100), b = block(heap, 100);
	uint64_t c = block(heap, 100);
	struct kn_block *of = header(heap, b);
	uint64_t span = of->span.v, tag = of->tag.v;

	ck_found(heap, &of->tag, 0, b, LENGTH);
	ck_found(heap, &of->tag, tag ^ 1ull << 40, b, LENGTH);
	ck_found(heap, &of->tag, UINT64_MAX, b, LENGTH);
	ck_found(heap, &of->span, 0, b, LENGTH);
	ck_found(heap, &of->span, span + 1, b, LENGTH);
	ck_found(heap, &of->span, span - 1, b, LENGTH);
	ck_found(heap, &of->span, span + (1ull << 32), b, LENGTH);
	ck_found(heap, &of->span, UINT64_MAX, b, LENGTH);
	(void)a;
	(void)c;
	close_all(heap);
}
END_TEST

START_TEST(lists_that_contradict_themselves_are_nonsense)
{
	kin_heap *heap = heap_in_between();
	uint64_t at[5], i;
	struct kn_blocks_shared *lists = &heap->heap.shared->blocks;
	uint32_t list;
	kn_wide *head;

	for (i = 0; i < 5; i++)
		at[i] = block(heap, ASKED);
	for (i = 1; i < 5; i += 2)
		ck_kin_ok(kin_heap_free(heap, at[i], KIN_NOWAIT));
	list = kn_block_list((uint32_t)header(heap, at[1])->span.v);
	head = &lists->heads[list / KN_PARTS][list % KN_PARTS];
	ck_assert_uint_ne(head->v, 0);

	ck_found(heap, head, 1, 0, LENGTH);
	ck_found(heap, head, UINT64_MAX, 0, LENGTH);
	ck_found(heap, head, heap->heap.blocks.end, 0, LENGTH);
	ck_found(heap, head, head->v + 1, 0, LENGTH);
	ck_found(heap, head, 0, 0, LENGTH);		/* the bits say otherwise */
	ck_found(heap, &header(heap, at[1])->links, UINT64_MAX, at[0], LENGTH);
	ck_found(heap, &header(heap, at[3])->links, 5, 0, LENGTH);
	ck_found(heap, &header(heap, at[1])->tag, 0, at[0], LENGTH);
	close_all(heap);
}
END_TEST

/* A ring of blocks, none of which is long enough: nobody goes round it. */
START_TEST(a_list_that_bites_its_tail_ends)
{
	kin_heap *heap = heap_in_between();
	struct kn_block *of;
	uint64_t at, next, last;

	at = block(heap, LENGTH);
	(void)block(heap, 10);
	next = block(heap, LENGTH);
	(void)block(heap, 10);
	while (kin_heap_alloc(heap, &last, 16, KIN_NOWAIT) == 0)
		;
	ck_kin_ok(kin_heap_free(heap, at, KIN_NOWAIT));
	ck_kin_ok(kin_heap_free(heap, next, KIN_NOWAIT));
	of = header(heap, at);
	/* The last of the list leads to the first. */
	ck_found(heap, &of->links, kn_pair((uint32_t)((next - heap->base -
	    KN_BLOCK_HEAD) / KN_GRAIN), (uint32_t)(of->links.v >> 32)),
	    0, ASKED);
	close_all(heap);
}
END_TEST

static void
ck_log(kin_heap *heap, uint32_t count, uint64_t where)
{
	struct kn_undo_shared *undo = &heap->heap.shared->undo;
	kin_heap *mine = again();
	uint64_t at;

	kn_wide_store(&undo->log[0].at, where);
	kn_wide_store(&undo->log[0].old, UINT64_MAX);
	kn_store(&undo->count, count);
	ck_kin_fails(-EUCLEAN, kin_heap_alloc(mine, &at, 1, KIN_FOREVER));
	kn_store(&undo->count, 0);
	ck_kin_fails(-EUCLEAN, kin_heap_alloc(mine, &at, 1, KIN_FOREVER));
	kin_heap_close(mine);
	ck_kin_ok(kin_heap_check(heap, KIN_NOWAIT));
	ck_nothing_outside();
}

START_TEST(an_undo_log_is_not_believed)
{
	kin_heap *heap = heap_in_between();
	uint64_t bytes = heap->heap.bytes;

	ck_log(heap, KN_UNDO_MAX + 1, 8448);
	ck_log(heap, UINT32_MAX, 8448);
	ck_log(heap, 1, 0);			/* the latch */
	ck_log(heap, 1, 128);			/* the log itself */
	ck_log(heap, 1, 8448 + 4);
	ck_log(heap, 1, bytes);
	ck_log(heap, 1, bytes - 4);
	ck_log(heap, 1, UINT64_MAX - 7);
	ck_log(heap, 1, UINT64_MAX);
	close_all(heap);
}
END_TEST

/* ---- anything anywhere ---- */

static const int heap_says[] = { 0, -ENOSPC, -EINVAL, -EUCLEAN, -ETIMEDOUT,
				 1 };

static void
ck_says_of(long r)
{
	if (r > 0)
		return;
	ck_says(r, heap_says);
}

/* One of everything, on blocks that may be any. */
static void
use(kin_heap *heap, const uint64_t *at, uint32_t *state)
{
	struct kin_heap_usage usage;
	uint64_t other = at[next_random(state) % BLOCKS];
	uint64_t one = at[next_random(state) % BLOCKS], got;
	const struct kin_heap_edit edits[] = {
		KIN_HEAP_STORE(kin_heap_root(heap, 0), other),
		KIN_HEAP_KEEP(other),
		KIN_HEAP_FREE(one),
	};

	switch (next_random(state) % 7) {
	case 0:
		ck_says_of(kin_heap_free(heap, one, KIN_NOWAIT));
		break;
	case 1:
		ck_says_of(kin_heap_resize(heap, &one, next_random(state) %
					   3000, KIN_NOWAIT));
		break;
	case 2:
		ck_says_of(kin_heap_alloc_aligned(heap, &got,
		    next_random(state) % 3000, 1u << next_random(state) % 12,
		    KIN_NOWAIT));
		break;
	case 3:
		ck_says_of(kin_heap_apply(heap, edits, 3, KIN_NOWAIT));
		break;
	case 4:
		ck_says_of(kin_heap_sweep(heap, KIN_NOWAIT));
		break;
	case 5:
		ck_says_of(kin_heap_check(heap, KIN_NOWAIT));
		break;
	default:
		kin_heap_stats(heap, &usage);
		ck_says_of(kin_heap_bytes_at(heap, one, KIN_NOWAIT));
	}
}

/* A word of the heap, those that matter more often than others. */
static kn_wide *
some_word(kin_heap *heap, uint32_t *state)
{
	uint64_t *words = (uint64_t *)(void *)heap->heap.shared;
	uint32_t n = next_random(state);

	if (n % 4 == 0)		/* latch, and what is beside it */
		return (kn_wide *)&words[n / 4 % 16];
	if (n % 4 == 1)		/* the log's beginning */
		return (kn_wide *)&words[16 + n / 4 % 16];
	return (kn_wide *)&words[1040 + n / 4 % (heap->heap.bytes / 8 - 1040)];
}

static uint64_t
some_value(uint32_t *state, uint64_t was)
{
	uint64_t n = next_random(state);

	switch (n % 6) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return was ^ 1ull << n / 6 % 64;
	case 3:
		return was + (n / 6 % 64) - 32;
	case 4:
		return n / 6 % 2048 | (n / 7 % 2048) << 32;
	default:
		return n << 32 | next_random(state);
	}
}

START_TEST(whatever_is_scribbled_no_call_goes_outside)
{
	kin_heap *heap = heap_in_between(), *mine;
	unsigned char *own = heap->o.own, *clean;
	uint64_t at[BLOCKS], bytes = heap->heap.bytes;
	uint32_t state = SEED;
	int round, i;

	for (i = 0; i < BLOCKS; i++)
		at[i] = block(heap, (size_t)(i * 97 % 400));
	for (i = 0; i < BLOCKS; i += 3)
		ck_kin_ok(kin_heap_free(heap, at[i], KIN_NOWAIT));
	clean = malloc(bytes);
	ck_assert_ptr_nonnull(clean);
	memcpy(clean, own, bytes);
	for (round = 0; round < ROUNDS; round++) {
		memcpy(own, clean, bytes);
		mine = again();
		for (i = 0; i < 1 + round % 5; i++) {
			kn_wide *word = some_word(heap, &state);

			word->v = some_value(&state, word->v);
		}
		for (i = 0; i < 10; i++)
			use(mine, at, &state);
		ck_nothing_outside();
		kin_heap_close(mine);
	}
	free(clean);
	close_all(heap);
}
END_TEST

struct scribbler {
	kin_heap *heap;
	volatile int stop;
};

static void *
scribble(void *arg)
{
	struct scribbler *s = arg;
	uint32_t state = SEED + 1;

	while (!s->stop) {
		kn_wide *word = some_word(s->heap, &state);

		kn_wide_store(word, some_value(&state, kn_wide_load(word)));
	}
	return NULL;
}

START_TEST(nor_while_it_is_scribbled)
{
	kin_heap *heap = heap_in_between(), *mine;
	struct scribbler s = { .heap = heap };
	unsigned char *own = heap->o.own, *clean;
	uint64_t at[BLOCKS], bytes = heap->heap.bytes;
	uint32_t state = SEED + 2;
	pthread_t thread;
	int round, i;

	for (i = 0; i < BLOCKS; i++)
		at[i] = block(heap, (size_t)(i * 97 % 400));
	clean = malloc(bytes);
	ck_assert_ptr_nonnull(clean);
	memcpy(clean, own, bytes);
	ck_assert_int_eq(pthread_create(&thread, NULL, scribble, &s), 0);
	for (round = 0; round < ROUNDS / 3; round++) {
		for (i = 0; i < (int)(bytes / 8); i++)
			kn_wide_store(&((kn_wide *)(void *)own)[i],
				      ((uint64_t *)(void *)clean)[i]);
		mine = again();
		for (i = 0; i < 20; i++)
			use(mine, at, &state);
		ck_nothing_outside();
		kin_heap_close(mine);
	}
	s.stop = 1;
	pthread_join(thread, NULL);
	free(clean);
	close_all(heap);
}
END_TEST

/* ---- marks, tables ---- */

START_TEST(a_mark_is_not_believed)
{
	static const int says[] = { 0, -EPROTO, -EPROTONOSUPPORT, -EUCLEAN,
				    1 };
	kin_array *a, *again_a;
	kin_table *t, *again_t;
	uint32_t state = SEED;
	struct kn_mark *of_a, *of_t, clean_a, clean_t;
	int i;

	ck_kin_ok(kin_array_create(&a, KIN_OPTS(kin_array_opts, .count = 10,
	    .type = KIN_ARRAY_INT32)));
	ck_kin_ok(kin_table_create(&t, KIN_OPTS(kin_table_opts, .count = 9)));
	of_a = kn_segment_body(a->o.seg);
	of_t = kn_segment_body(t->o.seg);
	clean_a = *of_a;
	clean_t = *of_t;
	for (i = 0; i < ROUNDS; i++) {
		uint64_t *word = (uint64_t *)(void *)of_a + i % 8;
		int r;

		*word = some_value(&state, *word);
		r = kin_array_attach(&again_a, kin_array_fd(a));
		ck_says(r, says);
		if (r == 0) {
			ck_fast(kin_array_count(again_a) *
				kin_array_element_bytes(again_a) <= 64);
			kin_array_close(again_a);
		}
		word = (uint64_t *)(void *)of_t + i % 8;
		*word = some_value(&state, *word);
		r = kin_table_attach(&again_t, kin_table_fd(t));
		ck_says(r, says);
		if (r == 0)
			kin_table_close(again_t);
		*of_a = clean_a;
		*of_t = clean_t;
	}
	kin_table_close(t);
	kin_array_close(a);
}
END_TEST

START_TEST(a_record_is_checked_before_it_is_taken)
{
	static const int says[] = { 0, -EINVAL, -ERANGE, -EUCLEAN, -ENODATA,
				    -ETIMEDOUT, 1 };
	kin_table *t, *mine;
	kn_wide *words;
	uint64_t clean[2 + 16];
	uint32_t state = SEED;
	int round, i;

	ck_kin_ok(kin_table_create(&t, KIN_OPTS(kin_table_opts, .count = 1)));
	ck_kin_ok(kin_table_set(t, 0, KIN_ARGS("text", 5, 2.5), KIN_NOWAIT));
	words = t->o.own;
	memcpy(clean, words, sizeof(clean));
	for (round = 0; round < ROUNDS; round++) {
		int64_t n;
		double x;
		char *s;
		long r;

		memcpy(words, clean, sizeof(clean));
		ck_kin_ok(kin_table_attach(&mine, kin_table_fd(t)));
		for (i = 0; i < 1 + round % 3; i++) {
			kn_wide *word = &words[next_random(&state) % 18];

			word->v = some_value(&state, word->v);
		}
		r = kin_table_get(mine, 0, KIN_TAKE(&s, &n, &x), KIN_NOWAIT);
		ck_says(r, says);
		if (r == 0)
			free(s);
		ck_says(kin_table_set(mine, 0, KIN_ARGS("other", 7),
				      KIN_NOWAIT), says);
		kin_table_close(mine);
	}
	memcpy(words, clean, sizeof(clean));
	kn_store(&((struct kn_record *)(void *)words)->bytes[1], 65);
	ck_kin_fails(-EUCLEAN, kin_table_get(t, 0, KIN_TAKE(), KIN_NOWAIT));
	ck_kin_fails(-EUCLEAN, kin_table_set(t, 0, KIN_ARGS(1), KIN_NOWAIT));
	kin_table_close(t);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("heap hostile");
	TCase *tc = hostile_case(suite, "nonsense");

	tcase_add_test(tc, a_header_that_was_written_over_is_nonsense);
	tcase_add_test(tc, lists_that_contradict_themselves_are_nonsense);
	tcase_add_test(tc, a_list_that_bites_its_tail_ends);
	tcase_add_test(tc, an_undo_log_is_not_believed);

	tc = hostile_case(suite, "anything");
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, whatever_is_scribbled_no_call_goes_outside);
	tcase_add_test(tc, nor_while_it_is_scribbled);
	tcase_add_test(tc, a_mark_is_not_believed);
	tcase_add_test(tc, a_record_is_checked_before_it_is_taken);
	return kit_run(suite);
}
