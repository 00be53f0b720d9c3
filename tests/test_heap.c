/* SPDX-License-Identifier: MIT */
/*
 * test_heap.c - the promises of kin/heap.h that one process can see
 */
#include <errno.h>
#include <string.h>

#include "tests/child.h"
#include "tests/segments.h"

#define SMALL	(64u << 10)
#define SEED	0x68656170u

static kin_heap *
heap_of(uint64_t bytes)
{
	kin_heap *heap;

	ck_kin_ok(kin_heap_create(&heap, KIN_OPTS(kin_heap_opts,
						  .bytes = bytes)));
	return heap;
}

static uint64_t
block(kin_heap *heap, size_t bytes)
{
	uint64_t at;

	ck_kin_ok(kin_heap_alloc(heap, &at, bytes, KIT_PATIENCE));
	return at;
}

static void
let_go(kin_heap *heap, uint64_t at)
{
	ck_kin_ok(kin_heap_free(heap, at, KIT_PATIENCE));
}

static struct kin_heap_usage
stats(const kin_heap *heap)
{
	struct kin_heap_usage ret;

	kin_heap_stats(heap, &ret);
	return ret;
}

static void
ck_sound(kin_heap *heap)
{
	ck_kin_ok(kin_heap_check(heap, KIT_PATIENCE));
}

/* Nothing is used, and it is sound: let go of it. */
static void
ck_empty_and_close(kin_heap *heap)
{
	ck_sound(heap);
	ck_assert_uint_eq(stats(heap).used, 0);
	ck_assert_uint_eq(stats(heap).blocks, 0);
	kin_heap_close(heap);
}

/* ---- blocks ---- */

START_TEST(a_block_has_what_was_asked_for)
{
	static const size_t bytes[] = { 0, 1, 15, 16, 17, 100, 4096, 20000 };
	kin_heap *heap = heap_of(SMALL);
	size_t i;

	for (i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		uint64_t at = block(heap, bytes[i]);
		ssize_t has = kin_heap_bytes_at(heap, at, KIT_PATIENCE);

		ck_assert_int_ge(has, (ssize_t)bytes[i]);
		ck_assert_int_lt(has, (ssize_t)bytes[i] + 32);
		ck_assert_uint_eq(at % 16, 0);
		memset(kin_heap_pointer(heap, at, bytes[i]), 0xff, bytes[i]);
		ck_sound(heap);
		let_go(heap, at);
	}
	let_go(heap, 0);
	ck_empty_and_close(heap);
}
END_TEST

START_TEST(it_is_aligned_as_asked_for)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t at[26], n = 0;
	size_t align;

	for (align = 1; align <= KIN_HEAP_ALIGN_MAX; align *= 2) {
		ck_kin_ok(kin_heap_alloc_aligned(heap, &at[n], 40, align,
						 KIT_PATIENCE));
		ck_assert_uint_eq(at[n] % align, 0);
		ck_assert_uint_eq((uintptr_t)kin_heap_pointer(heap, at[n], 40) %
				  align, 0);
		at[++n] = block(heap, 24);
		n++;
	}
	ck_sound(heap);
	while (n-- > 0)
		if (at[n] != 0)
			let_go(heap, at[n]);
	ck_kin_fails(-EINVAL, kin_heap_alloc_aligned(heap, at, 1, 0,
						     KIN_NOWAIT));
	ck_kin_fails(-EINVAL, kin_heap_alloc_aligned(heap, at, 1, 48,
						     KIN_NOWAIT));
	ck_kin_fails(-EINVAL, kin_heap_alloc_aligned(heap, at, 1, 8192,
						     KIN_NOWAIT));
	ck_empty_and_close(heap);
}
END_TEST

START_TEST(it_can_be_filled_to_the_last_byte_and_emptied)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t *first = kin_heap_root(heap, 0), at, n = 0;
	int r, turn;

	for (turn = 0; turn < 3; turn++) {
		n = 0;
		while ((r = kin_heap_alloc(heap, &at, 8, KIN_NOWAIT)) == 0) {
			*(uint64_t *)kin_heap_pointer(heap, at, 8) = *first;
			*first = at;
			n++;
		}
		ck_assert_int_eq(r, -ENOSPC);
		ck_assert_uint_eq(stats(heap).used, stats(heap).bytes);
		ck_assert_uint_eq(stats(heap).blocks, n);
		ck_assert_uint_eq(n, stats(heap).bytes / 32);
		ck_sound(heap);
		while ((at = *first) != 0) {
			*first = *(uint64_t *)kin_heap_pointer(heap, at, 8);
			let_go(heap, at);
		}
		ck_sound(heap);
		ck_assert_uint_eq(stats(heap).used, 0);
	}
	at = block(heap, stats(heap).bytes - 16);	/* all of it in one */
	let_go(heap, at);
	ck_assert_uint_eq(stats(heap).peak, stats(heap).bytes);
	ck_empty_and_close(heap);
}
END_TEST

START_TEST(what_is_too_large_is_refused_at_once)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t at = 7, all = stats(heap).bytes - 16;

	ck_kin_fails(-ENOSPC, kin_heap_alloc(heap, &at, all + 1, KIN_FOREVER));
	ck_kin_fails(-ENOSPC, kin_heap_alloc(heap, &at, SIZE_MAX,
					     KIN_FOREVER));
	ck_kin_fails(-ENOSPC, kin_heap_alloc(heap, &at, SIZE_MAX - 15,
					     KIN_FOREVER));
	ck_kin_fails(-ENOSPC, kin_heap_alloc(heap, &at, 1ull << 36,
					     KIN_FOREVER));
	ck_kin_fails(-ENOSPC, kin_heap_alloc_aligned(heap, &at, all, 4096,
						     KIN_FOREVER));
	ck_assert_uint_eq(at, 7);
	ck_empty_and_close(heap);
}
END_TEST

/* What is freed that can't be, changes nothing. */
static void
ck_not_freed(kin_heap *heap, uint64_t at)
{
	struct kin_heap_usage before = stats(heap), after;

	ck_kin_fails(-EINVAL, kin_heap_free(heap, at, KIN_NOWAIT));
	ck_kin_fails(-EINVAL, kin_heap_bytes_at(heap, at, KIN_NOWAIT));
	ck_kin_fails(-EINVAL, kin_heap_publish(heap, at, NULL, KIN_NOWAIT));
	after = stats(heap);
	ck_assert_int_eq(memcmp(&before, &after, sizeof(before)), 0);
	ck_sound(heap);
}

START_TEST(a_second_free_and_one_of_what_is_no_block_are_errors)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t a = block(heap, 100), b = block(heap, 100);
	uint64_t c = block(heap, 100), i;

	memset(kin_heap_pointer(heap, a, 100), 0, 100);
	for (i = a - 256; i < a + 100; i++)
		if (i != a)
			ck_not_freed(heap, i);
	ck_not_freed(heap, 1);
	ck_not_freed(heap, SMALL);
	ck_not_freed(heap, 1ull << 40);
	ck_not_freed(heap, UINT64_MAX);
	ck_not_freed(heap, UINT64_MAX - 15);

	let_go(heap, b);
	ck_not_freed(heap, b);
	let_go(heap, a);		/* now b is in the middle of a free one */
	ck_not_freed(heap, a);
	ck_not_freed(heap, b);
	a = block(heap, 230);		/* and of a used one */
	ck_assert_uint_lt(a, b);
	ck_not_freed(heap, b);
	let_go(heap, a);
	let_go(heap, c);
	ck_not_freed(heap, c);
	ck_empty_and_close(heap);
}
END_TEST

START_TEST(a_header_copied_elsewhere_is_no_block)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t a = block(heap, 100), b = block(heap, 100);
	unsigned char *to = kin_heap_pointer(heap, b, 100);

	memcpy(to, KIN_HEAP_AT(heap, char, a) - 16, 80);
	ck_not_freed(heap, b + 16);
	let_go(heap, a);
	let_go(heap, b);
	ck_empty_and_close(heap);
}
END_TEST

/* ---- resizing ---- */

static void
fill(kin_heap *heap, uint64_t at, size_t bytes)
{
	unsigned char *p = kin_heap_pointer(heap, at, bytes);
	size_t i;

	for (i = 0; i < bytes; i++)
		p[i] = (unsigned char)(i * 7 + at);
}

static bool
is_filled(kin_heap *heap, uint64_t at, size_t bytes, uint64_t as)
{
	const unsigned char *p = kin_heap_pointer(heap, at, bytes);
	size_t i;

	for (i = 0; i < bytes; i++)
		if (p[i] != (unsigned char)(i * 7 + as))
			return false;
	return true;
}

START_TEST(a_block_gets_another_length)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t at = 0, was, behind;

	ck_kin_ok(kin_heap_resize(heap, &at, 100, KIT_PATIENCE));
	was = at;
	fill(heap, at, 100);
	ck_kin_ok(kin_heap_resize(heap, &at, 1000, KIT_PATIENCE));
	ck_assert_uint_eq(at, was);	/* there was room behind it */
	behind = block(heap, 10);
	ck_kin_ok(kin_heap_resize(heap, &at, 2000, KIT_PATIENCE));
	ck_assert_uint_ne(at, was);
	ck_assert(is_filled(heap, at, 100, was));
	ck_sound(heap);
	ck_not_freed(heap, was);
	was = at;
	fill(heap, at, 100);
	ck_kin_ok(kin_heap_resize(heap, &at, 100, KIT_PATIENCE));
	ck_assert_uint_eq(at, was);
	ck_assert_int_lt(kin_heap_bytes_at(heap, at, KIT_PATIENCE), 132);
	ck_assert(is_filled(heap, at, 100, was));

	ck_kin_fails(-ENOSPC, kin_heap_resize(heap, &at, SMALL, KIN_FOREVER));
	ck_kin_fails(-ENOSPC, kin_heap_resize(heap, &at, SIZE_MAX,
					      KIN_FOREVER));
	ck_assert_uint_eq(at, was);
	ck_assert(is_filled(heap, at, 100, was));
	let_go(heap, at);
	ck_kin_fails(-EINVAL, kin_heap_resize(heap, &at, 1, KIN_FOREVER));
	let_go(heap, behind);
	ck_empty_and_close(heap);
}
END_TEST

START_TEST(a_link_in_the_heap_follows_its_block)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t *root = kin_heap_root(heap, 3), at = block(heap, 100), behind;

	ck_kin_ok(kin_heap_publish(heap, at, root, KIT_PATIENCE));
	behind = block(heap, 10);
	fill(heap, at, 100);
	ck_kin_ok(kin_heap_resize(heap, root, 5000, KIT_PATIENCE));
	ck_assert_uint_ne(*root, at);
	ck_assert(is_filled(heap, *root, 100, at));
	ck_sound(heap);
	let_go(heap, *root);
	let_go(heap, behind);
	ck_empty_and_close(heap);
}
END_TEST

/* ---- against a model ---- */

#define MANY	300

struct model {
	uint64_t at[MANY];
	size_t bytes[MANY];
	uint64_t as[MANY];		/* how it was filled */
};

static size_t
some_bytes(uint32_t *state)
{
	uint32_t n = next_random(state);

	return n % 7 == 0 ? n / 7 % 20000 : n / 7 % 300;
}

static void
model_alloc(kin_heap *heap, struct model *m, unsigned i, uint32_t *state)
{
	size_t bytes = some_bytes(state);
	size_t align = 1u << next_random(state) % 8;
	int r = kin_heap_alloc_aligned(heap, &m->at[i], bytes, align,
				       KIN_NOWAIT);

	if (r < 0) {
		ck_fast(r == -ENOSPC);
		m->at[i] = 0;
		return;
	}
	ck_fast(m->at[i] % align == 0);
	m->bytes[i] = bytes;
	m->as[i] = m->at[i];
	fill(heap, m->at[i], bytes);
}

static void
model_change(kin_heap *heap, struct model *m, unsigned i, uint32_t *state)
{
	size_t bytes = some_bytes(state);
	int r;

	ck_fast(is_filled(heap, m->at[i], m->bytes[i], m->as[i]));
	if (next_random(state) % 3 != 0) {
		ck_fast(kin_heap_free(heap, m->at[i], KIN_NOWAIT) == 0);
		m->at[i] = 0;
		return;
	}
	r = kin_heap_resize(heap, &m->at[i], bytes, KIN_NOWAIT);
	ck_fast(r == 0 || r == -ENOSPC);
	if (r < 0)
		return;
	ck_fast(is_filled(heap, m->at[i], bytes < m->bytes[i] ? bytes
			  : m->bytes[i], m->as[i]));
	m->bytes[i] = bytes;
	m->as[i] = m->at[i];
	fill(heap, m->at[i], bytes);
}

START_TEST(at_random_it_is_what_a_model_says)
{
	kin_heap *heap = heap_of(256u << 10);
	struct model m = { 0 };
	uint32_t state = SEED;
	uint64_t n;
	int turn;

	for (turn = 0; turn < 60000; turn++) {
		unsigned i = next_random(&state) % MANY;

		if (m.at[i] == 0)
			model_alloc(heap, &m, i, &state);
		else
			model_change(heap, &m, i, &state);
		if (turn % 500 == 0)
			ck_fast(kin_heap_check(heap, KIN_NOWAIT) == 0);
	}
	for (turn = 0, n = 0; turn < MANY; turn++)
		n += m.at[turn] != 0;
	ck_assert_uint_eq(stats(heap).blocks, n);
	for (turn = 0; turn < MANY; turn++)
		let_go(heap, m.at[turn]);
	ck_empty_and_close(heap);
}
END_TEST

/* ---- steps ---- */

START_TEST(a_step_is_all_or_nothing)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t *root = kin_heap_root(heap, 0), *other = root + 1;
	uint64_t at = block(heap, 64), second = block(heap, 64);
	struct kin_heap_edit edits[] = {
		KIN_HEAP_EXPECT(root, 0),
		KIN_HEAP_STORE(root, at),
		KIN_HEAP_STORE(other, 5),
		KIN_HEAP_KEEP(at),
		KIN_HEAP_FREE(second),
	};

	ck_assert_int_eq(kin_heap_apply(heap, edits, 5, KIN_NOWAIT), 1);
	ck_assert_uint_eq(*root, at);
	ck_assert_uint_eq(*other, 5);
	ck_assert_uint_eq(stats(heap).blocks, 1);
	ck_not_freed(heap, second);

	*other = 6;			/* not as expected */
	ck_assert_int_eq(kin_heap_apply(heap, edits, 5, KIN_NOWAIT), 0);
	ck_assert_uint_eq(*other, 6);
	edits[0].value = at;		/* a block that is not there */
	ck_kin_fails(-EINVAL, kin_heap_apply(heap, edits, 5, KIN_NOWAIT));
	ck_assert_uint_eq(*other, 6);
	ck_sound(heap);
	edits[4].value = at;		/* kept and freed, in their order */
	ck_assert_int_eq(kin_heap_apply(heap, edits, 5, KIN_NOWAIT), 1);
	ck_assert_int_eq(kin_heap_apply(heap, NULL, 0, KIN_NOWAIT), 1);
	ck_empty_and_close(heap);
}
END_TEST

static int
apply_one(kin_heap *heap, uint32_t what, const void *word)
{
	struct kin_heap_edit edit = { what, 0, word, 1 };

	return kin_heap_apply(heap, &edit, 1, KIN_NOWAIT);
}

START_TEST(a_step_that_can_not_be_is_refused)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t *root = kin_heap_root(heap, 0), mine = 0;
	struct kin_heap_edit many[KIN_HEAP_EDITS_MAX + 1] = {
		KIN_HEAP_STORE(root, 1), KIN_HEAP_EXPECT(root, 1),
	};
	uint64_t at = block(heap, 64);
	char *p = kin_heap_pointer(heap, at, 64);
	unsigned i;

	ck_kin_fails(-EINVAL, apply_one(heap, KIN_HEAP_STORE_, &mine));
	ck_kin_fails(-EINVAL, apply_one(heap, KIN_HEAP_STORE_, NULL));
	ck_kin_fails(-EINVAL, apply_one(heap, KIN_HEAP_STORE_, p + 4));
	ck_kin_fails(-EINVAL, apply_one(heap, KIN_HEAP_STORE_, root - 1));
	ck_kin_fails(-EINVAL, apply_one(heap, KIN_HEAP_STORE_, root + 8));
	ck_kin_fails(-EINVAL, apply_one(heap, KIN_HEAP_EXPECT_, &mine));
	ck_kin_fails(-EINVAL, apply_one(heap, 0, root));
	ck_kin_fails(-EINVAL, apply_one(heap, 6, root));
	ck_kin_fails(-EINVAL, kin_heap_apply(heap, many, 2, KIN_NOWAIT));
	for (i = 0; i <= KIN_HEAP_EDITS_MAX; i++)
		many[i] = (struct kin_heap_edit)KIN_HEAP_STORE(root, i);
	ck_kin_fails(-EINVAL, kin_heap_apply(heap, many, i, KIN_NOWAIT));
	ck_assert_uint_eq(*root, 0);
	ck_assert_int_eq(kin_heap_apply(heap, many, i - 1, KIN_NOWAIT), 1);
	ck_assert_uint_eq(*root, i - 2);
	let_go(heap, at);
	ck_empty_and_close(heap);
}
END_TEST

/* As many frees as there can be in a step, each between two free ones. */
START_TEST(the_largest_step_fits_into_the_log)
{
	kin_heap *heap = heap_of(SMALL);
	struct kin_heap_edit edits[KIN_HEAP_EDITS_MAX];
	uint64_t at[2 * KIN_HEAP_EDITS_MAX + 1];
	unsigned i, n = 2 * KIN_HEAP_EDITS_MAX + 1;

	for (i = 0; i < n; i++)
		at[i] = block(heap, 100 + i * 40);
	for (i = 0; i < n; i += 2)
		let_go(heap, at[i]);
	for (i = 0; i < KIN_HEAP_EDITS_MAX; i++)
		edits[i] = (struct kin_heap_edit)KIN_HEAP_FREE(at[2 * i + 1]);
	ck_assert_int_eq(kin_heap_apply(heap, edits, i, KIN_NOWAIT), 1);
	ck_empty_and_close(heap);
}
END_TEST

/* ---- offsets and pointers ---- */

START_TEST(an_offset_is_a_pointer_or_none)
{
	kin_heap *heap = heap_of(SMALL), *again;
	uint64_t at = block(heap, 64), end;
	char *p = kin_heap_pointer(heap, at, 64);
	int mine;

	ck_kin_ok(kin_heap_attach(&again, kin_heap_fd(heap)));
	strcpy(p, "the same for all");
	ck_assert_str_eq(KIN_HEAP_AT(again, char, at), "the same for all");
	ck_assert_uint_eq(kin_heap_offset(heap, p), at);
	ck_assert_uint_eq(kin_heap_offset(heap, p + 7), at + 7);
	ck_assert_uint_eq(kin_heap_offset(heap, &mine), 0);
	ck_assert_uint_eq(kin_heap_offset(heap, NULL), 0);
	ck_assert_uint_ne(kin_heap_offset(heap, kin_heap_root(heap, 0)), 0);
	end = kin_segment_bytes(kin_heap_segment(heap));
	ck_assert_ptr_null(kin_heap_pointer(heap, 0, 1));
	ck_assert_ptr_null(kin_heap_pointer(heap, 64, 1));
	ck_assert_ptr_null(kin_heap_pointer(heap, end, 1));
	ck_assert_ptr_null(kin_heap_pointer(heap, end - 16, 1));
	ck_assert_ptr_null(kin_heap_pointer(heap, at, SIZE_MAX));
	ck_assert_ptr_null(kin_heap_pointer(heap, at, end));
	ck_assert_ptr_null(kin_heap_pointer(heap, UINT64_MAX, 1));
	ck_assert_ptr_nonnull(kin_heap_pointer(heap, end - 17, 1));

	let_go(again, at);		/* whoever's it is */
	kin_heap_close(again);
	ck_empty_and_close(heap);
}
END_TEST

/* ---- making and joining ---- */

static int
make(struct kin_heap_opts opts)
{
	kin_heap *heap;

	opts.size = sizeof(opts);
	return kin_heap_create(&heap, &opts);
}

START_TEST(it_is_made_as_asked_for_or_not_at_all)
{
	kin_segment *plain = anonymous(SMALL);
	kin_heap *heap;

	ck_kin_fails(-EINVAL, make((struct kin_heap_opts){ .bytes = 100 }));
	ck_kin_fails(-EINVAL, make((struct kin_heap_opts){
		.bytes = 64ull << 30 }));
	ck_kin_fails(-EINVAL, make((struct kin_heap_opts){ .flags = 1 }));
	ck_kin_fails(-EINVAL, make((struct kin_heap_opts){ .reserved = 1 }));
	ck_kin_fails(-EINVAL, make((struct kin_heap_opts){ .members = 1001 }));
	ck_kin_fails(-EINVAL, make((struct kin_heap_opts){ .offset = 128 }));
	ck_kin_fails(-EINVAL, make((struct kin_heap_opts){
		.segment = plain, .bytes = SMALL }));
	ck_kin_fails(-EPROTO, kin_heap_attach(&heap, kin_segment_fd(plain)));
	ck_kin_fails(-EINVAL, kin_heap_attach_at(&heap, plain, 64));
	ck_assert_uint_eq(kin_heap_room(KIN_OPTS(kin_heap_opts, .bytes = 1)),
			  0);
	kin_segment_close(plain);
	kin_heap_close(NULL);
}
END_TEST

START_TEST(it_can_be_placed_in_a_segment)
{
	kin_segment *seg;
	kin_heap *heap, *again;
	uint64_t at;
	size_t room = kin_heap_room(KIN_OPTS(kin_heap_opts, .bytes = SMALL));

	ck_assert_uint_eq(room, SMALL);
	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .bytes = SMALL + 4096, .members = 4)));
	ck_kin_fails(-ENOSPC, make((struct kin_heap_opts){
		.segment = seg, .offset = 4224, .bytes = SMALL }));
	ck_kin_ok(kin_heap_create(&heap, KIN_OPTS(kin_heap_opts,
	    .segment = seg, .offset = 4096, .bytes = SMALL)));
	ck_kin_fails(-EEXIST, make((struct kin_heap_opts){
		.segment = seg, .offset = 4096, .bytes = SMALL }));
	ck_kin_ok(kin_heap_attach_at(&again, seg, 4096));
	at = block(heap, 1000);
	ck_assert_ptr_eq(kin_heap_pointer(heap, at, 1000),
			 (char *)kin_segment_data(seg) + at);
	ck_assert_ptr_eq(kin_heap_segment(again), seg);
	let_go(again, at);
	kin_heap_close(again);
	ck_empty_and_close(heap);
	ck_assert_mem_eq(kin_segment_data(seg), (char[4096]){ 0 }, 4096);
	kin_segment_close(seg);
}
END_TEST

static int
take_a_block(kin_call *call)
{
	kin_heap *heap;
	uint64_t at;
	int r = kin_call_take(call, &heap, &at);

	if (r < 0)
		return r;
	strcpy(KIN_HEAP_AT(heap, char, at), "a child was here");
	r = kin_heap_alloc(heap, &at, 100, KIT_PATIENCE);
	if (r == 0)
		r = kin_heap_publish(heap, at, kin_heap_root(heap, 1),
				     KIT_PATIENCE);
	return r < 0 ? r : kin_call_return(call, at);
}
KIN_ENTRY(take_a_block);

START_TEST(it_travels_and_its_offsets_too)
{
	kin_heap *heap = heap_of(SMALL);
	uint64_t at = block(heap, 32), other;
	kin_process *p;

	p = start(take_a_block, KIN_ARGS(heap, at));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&other), KIT_PATIENCE));
	ck_exited(finish(p), 0);
	ck_assert_str_eq(KIN_HEAP_AT(heap, char, at), "a child was here");
	ck_assert_uint_eq(*kin_heap_root(heap, 1), other);
	let_go(heap, at);
	let_go(heap, other);
	ck_empty_and_close(heap);
}
END_TEST

START_TEST(other_things_can_be_placed_in_a_block)
{
	kin_heap *heap = heap_of(SMALL);
	struct kin_queue_opts opts = {
		.size = sizeof(opts), .bytes = 1024,
		.segment = kin_heap_segment(heap),
	};
	kin_queue *q, *again;
	char c;

	ck_kin_ok(kin_heap_alloc_aligned(heap, &opts.offset,
					 kin_queue_room(&opts), 128,
					 KIT_PATIENCE));
	memset(kin_heap_pointer(heap, opts.offset, 64), 0, 64);
	ck_kin_ok(kin_queue_create(&q, &opts));
	ck_kin_ok(kin_queue_attach_at(&again, kin_heap_segment(heap),
				      opts.offset));
	ck_kin_ok(kin_queue_put(q, "x", 1, KIN_NOWAIT));
	ck_kin_ok(kin_queue_get(again, &c, 1, KIN_NOWAIT));
	kin_queue_close(again);
	kin_queue_close(q);
	ck_sound(heap);
	let_go(heap, opts.offset);
	ck_empty_and_close(heap);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("heap");
	TCase *tc = kit_case(suite, "blocks");

	tcase_add_test(tc, a_block_has_what_was_asked_for);
	tcase_add_test(tc, it_is_aligned_as_asked_for);
	tcase_add_test(tc, it_can_be_filled_to_the_last_byte_and_emptied);
	tcase_add_test(tc, what_is_too_large_is_refused_at_once);
	tcase_add_test(tc,
		       a_second_free_and_one_of_what_is_no_block_are_errors);
	tcase_add_test(tc, a_header_copied_elsewhere_is_no_block);
	tcase_add_test(tc, a_block_gets_another_length);
	tcase_add_test(tc, a_link_in_the_heap_follows_its_block);
	tcase_add_test(tc, at_random_it_is_what_a_model_says);

	tc = kit_case(suite, "steps");
	tcase_add_test(tc, a_step_is_all_or_nothing);
	tcase_add_test(tc, a_step_that_can_not_be_is_refused);
	tcase_add_test(tc, the_largest_step_fits_into_the_log);
	tcase_add_test(tc, an_offset_is_a_pointer_or_none);

	tc = kit_case(suite, "places");
	tcase_add_test(tc, it_is_made_as_asked_for_or_not_at_all);
	tcase_add_test(tc, it_can_be_placed_in_a_segment);
	tcase_add_test(tc, it_travels_and_its_offsets_too);
	tcase_add_test(tc, other_things_can_be_placed_in_a_block);
	return kit_run(suite);
}
