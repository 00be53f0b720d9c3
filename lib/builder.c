/* SPDX-License-Identifier: MIT */
/*
 * builder.c - making arrays and maps
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/values.h"
#include "shm/error.h"
#include "shm/word.h"

int
kin_builder_new(kin_builder **ret_b)
{
	kin_builder *b;

	kn_assert(ret_b != NULL);
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return kn_fail(-ENOMEM, "builder");
	*ret_b = b;
	return 0;
}

void
kin_builder_free(kin_builder *b)
{
	if (b == NULL)
		return;
	kn_bundle_drop(&b->bundle);
	free(b->why);
	free(b);
}

int
kn_builder_fail(const kin_builder *b)
{
	if (b->why != NULL)
		kn_sentence_restore(b->why);
	else
		(void)kn_fail(b->error, "this builder has failed before");
	return b->error;
}

/* The first error stays. */
static int
spoil(kin_builder *b, int r)
{
	b->error = r;
	b->why = malloc(sizeof(*b->why));
	if (b->why != NULL)
		kn_sentence_save(b->why);
	return r;
}

/* May n more values come where we are? */
static int
check_count(const kin_builder *b, size_t n)
{
	uint32_t open = b->bundle.open;

	if (open == 0 && b->open[0].n + n > 1)
		return kn_fail(-EINVAL, "builder: a second value beside the "
			       "first; an array or a map holds many");
	return 0;
}

static bool
is_key_next(const kin_builder *b, size_t i)
{
	uint32_t open = b->bundle.open;

	return b->open[open].type == KIN_TYPE_MAP &&
	       (b->open[open].n + i) % 2 == 0;
}

static int
begin(kin_builder *b, uint32_t type)
{
	uint32_t open = b->bundle.open;
	size_t at;
	int r;

	kn_assert(b != NULL);
	if (b->error < 0)
		return kn_builder_fail(b);
	r = check_count(b, 1);
	if (r == 0 && is_key_next(b, 0))
		r = kn_fail(-EINVAL, "builder: %s as a map's key; "
			    KN_NO_KEY, type == KIN_TYPE_MAP ? "a map"
							    : "an array");
	if (r == 0)
		r = kn_bundle_begin(&b->bundle, type, &at);
	if (r < 0)
		return spoil(b, r);
	b->open[open].n++;
	b->open[open + 1].at = at;
	b->open[open + 1].n = 0;
	b->open[open + 1].type = type;
	return 0;
}

int
kin_builder_array(kin_builder *b)
{
	return begin(b, KIN_TYPE_ARRAY);
}

int
kin_builder_map(kin_builder *b)
{
	return begin(b, KIN_TYPE_MAP);
}

int
kin_builder_end(kin_builder *b)
{
	uint32_t open;
	uint64_t n;

	kn_assert(b != NULL);
	if (b->error < 0)
		return kn_builder_fail(b);
	open = b->bundle.open;
	if (open == 0)
		return spoil(b, kn_fail(-EINVAL, "builder: an end, and "
					"nothing has begun"));
	n = b->open[open].n;
	if (b->open[open].type == KIN_TYPE_MAP) {
		if (n % 2 != 0)
			return spoil(b, kn_fail(-EINVAL, "builder: a map ends "
						"with a key that has no "
						"value"));
		n /= 2;
	}
	kn_bundle_end(&b->bundle, b->open[open].at, n);
	return 0;
}

/* Keys among args: what they are is seen before anything is encoded. */
static int
check_keys(const kin_builder *b, struct kin_args args)
{
	struct kn_pack to = { 0 };
	char place[80];
	size_t i;

	for (i = 0; i < args.n; i++) {
		if (!is_key_next(b, i))
			continue;
		switch (args.v[i].what) {
		case KIN_GIVE_INT:
		case KIN_GIVE_UINT:
		case KIN_GIVE_STR:
		case KIN_GIVE_STRN:
		case KIN_GIVE_BIN:
		case KIN_GIVE_BOOL:
			continue;
		}
		to.index = (unsigned)i + 1;
		to.name = args.v[i].name;
		return kn_fail(-EINVAL, "builder: %s as a map's key; "
			       KN_NO_KEY, kn_pack_place(&to, place));
	}
	return 0;
}

int
kin_builder_add_all(kin_builder *b, struct kin_args args)
{
	static const struct kn_way way = {
		.what = "a builder",
		.lasting = true,
	};
	int r;

	kn_assert(b != NULL);
	if (b->error < 0)
		return kn_builder_fail(b);
	r = check_count(b, args.n);
	if (r == 0)
		r = check_keys(b, args);
	if (r == 0)
		r = kn_bundle_add(&b->bundle, args, &way);
	if (r < 0)
		return spoil(b, r);
	b->open[b->bundle.open].n += args.n;
	return 0;
}
