/* SPDX-License-Identifier: MIT */
/*
 * blocks.c - memory given out in blocks, by stores that can be undone
 */
#include <errno.h>

#include "shm/blocks.h"

#define LINEAR		KN_PARTS	/* below, each length has a list */

/* ---- headers ---- */

/* A header that was copied elsewhere does not pass for one. */
static uint32_t
mark_of(uint32_t at, enum kn_block_state state)
{
	return ((at * 0x9e3779b1u) & ~3u) | state;
}

static uint32_t
low(uint64_t pair)
{
	return (uint32_t)pair;
}

static uint32_t
high(uint64_t pair)
{
	return (uint32_t)(pair >> 32);
}

static int
spoilt(const char *what, uint32_t at)
{
	return kn_fail(-EUCLEAN, "a heap's %s at unit %u was written over",
		       what, at);
}

int
kn_block_look(const struct kn_blocks *b, uint32_t at, struct kn_block_look *ret)
{
	const struct kn_block *block;
	uint64_t span, tag;
	uint32_t mark;

	if (at < b->first || at > b->end)
		return spoilt("block, or a neighbour's header,", at);
	block = kn_block_at(b, at);
	span = kn_wide_load_relaxed(&block->span);
	tag = kn_wide_load_relaxed(&block->tag);
	mark = high(tag);
	*ret = (struct kn_block_look){
		.at = at, .units = low(span), .before = high(span),
		.owner = low(tag), .state = mark & 3,
	};
	if (mark != mark_of(at, ret->state) || ret->state == 0 ||
	    ret->before > at - b->first ||
	    (ret->state == KN_BLOCK_END) != (at == b->end) ||
	    (at != b->end && (ret->units < KN_BLOCK_LEAST ||
			      ret->units > b->end - at)))
		return spoilt("block header", at);
	return 0;
}

static void
set_span(const struct kn_blocks *b, struct kn_tx *tx, uint32_t at,
	 uint32_t units, uint32_t before)
{
	kn_tx_set(tx, &kn_block_at(b, at)->span, kn_pair(units, before));
}

static void
set_tag(const struct kn_blocks *b, struct kn_tx *tx, uint32_t at,
	enum kn_block_state state, uint32_t owner)
{
	kn_tx_set(tx, &kn_block_at(b, at)->tag,
		  kn_pair(owner, mark_of(at, state)));
}

/* ---- lists of free blocks ---- */

static uint32_t
top_bit(uint32_t n)
{
	return 31u - (uint32_t)__builtin_clz(n);
}

/* Class and part, in one number. */
uint32_t
kn_block_list(uint32_t units)
{
	uint32_t top;

	if (units < LINEAR)
		return units;
	top = top_bit(units);
	return (top - 3) * KN_PARTS + (units >> (top - 4)) % KN_PARTS;
}

/* The first list all of whose blocks have so many units. */
static uint32_t
list_with(uint32_t units)
{
	uint32_t round;

	if (units < LINEAR)
		return units;
	round = (1u << (top_bit(units) - 4)) - 1;
	return units > UINT32_MAX - round ? KN_CLASSES * KN_PARTS
					  : kn_block_list(units + round);
}

static kn_wide *
head_of(const struct kn_blocks *b, uint32_t list)
{
	return &b->shared->heads[list / KN_PARTS][list % KN_PARTS];
}

static bool
in_range(const struct kn_blocks *b, uint32_t at)
{
	return at >= b->first && at < b->end;
}

static void
set_bits(const struct kn_blocks *b, struct kn_tx *tx, uint32_t list)
{
	kn_wide *parts = &b->shared->parts[list / KN_PARTS];
	uint64_t bits = kn_wide_load_relaxed(parts);
	uint64_t classes = kn_wide_load_relaxed(&b->shared->classes);

	kn_tx_set(tx, parts, bits | 1ull << list % KN_PARTS);
	if (!(classes & 1ull << list / KN_PARTS))
		kn_tx_set(tx, &b->shared->classes,
			  classes | 1ull << list / KN_PARTS);
}

static void
clear_bits(const struct kn_blocks *b, struct kn_tx *tx, uint32_t list)
{
	kn_wide *parts = &b->shared->parts[list / KN_PARTS];
	uint64_t bits = kn_wide_load_relaxed(parts);

	bits &= ~(1ull << list % KN_PARTS);
	kn_tx_set(tx, parts, bits);
	if (bits == 0)
		kn_tx_set(tx, &b->shared->classes,
			  kn_wide_load_relaxed(&b->shared->classes) &
			  ~(1ull << list / KN_PARTS));
}

/* The links of a free block that another one names. */
static int
links_of(const struct kn_blocks *b, uint32_t at, kn_wide **ret_links,
	 uint64_t *ret_v)
{
	if (!in_range(b, at))
		return spoilt("list of free blocks", at);
	*ret_links = &kn_block_at(b, at)->links;
	*ret_v = kn_wide_load_relaxed(*ret_links);
	return 0;
}

/* Put it at its list's head. */
static int
insert(const struct kn_blocks *b, struct kn_tx *tx, uint32_t at,
       uint32_t units)
{
	uint32_t list = kn_block_list(units);
	kn_wide *head = head_of(b, list), *links = NULL;
	uint64_t first = kn_wide_load_relaxed(head), v = 0;
	int r;

	if (first != 0) {
		if (first > UINT32_MAX)
			return spoilt("list of free blocks", at);
		r = links_of(b, low(first), &links, &v);
		if (r < 0)
			return r;
		if (high(v) != 0)
			return spoilt("list of free blocks", low(first));
		kn_tx_set(tx, links, kn_pair(low(v), at));
	} else {
		set_bits(b, tx, list);
	}
	kn_tx_set(tx, &kn_block_at(b, at)->links, kn_pair(low(first), 0));
	kn_tx_set(tx, head, at);
	return 0;
}

/*
 * Take it out of its list, or put another into its place there: by = 0 is
 * nobody.  Both neighbours in the list must agree.
 */
static int
replace(const struct kn_blocks *b, struct kn_tx *tx, uint32_t at,
	uint32_t units, uint32_t by)
{
	uint32_t list = kn_block_list(units), next, previous;
	kn_wide *links, *of_next = NULL, *of_previous = NULL;
	uint64_t v = 0, next_v = 0, previous_v = 0;
	int r;

	r = links_of(b, at, &links, &v);
	next = low(v);
	previous = high(v);
	if (r == 0 && next != 0)
		r = links_of(b, next, &of_next, &next_v);
	if (r == 0 && previous != 0)
		r = links_of(b, previous, &of_previous, &previous_v);
	if (r < 0)
		return r;
	if ((next != 0 && high(next_v) != at) ||
	    (previous != 0 ? low(previous_v) != at
			   : kn_wide_load_relaxed(head_of(b, list)) != at))
		return spoilt("list of free blocks", at);
	if (next != 0)
		kn_tx_set(tx, of_next, kn_pair(low(next_v),
					       by != 0 ? by : previous));
	if (previous != 0)
		kn_tx_set(tx, of_previous, kn_pair(by != 0 ? by : next,
						   high(previous_v)));
	else
		kn_tx_set(tx, head_of(b, list), by != 0 ? by : next);
	if (by != 0)
		kn_tx_set(tx, &kn_block_at(b, by)->links, v);
	else if (previous == 0 && next == 0)
		clear_bits(b, tx, list);
	return 0;
}

static int
extract(const struct kn_blocks *b, struct kn_tx *tx,
	const struct kn_block_look *look)
{
	return replace(b, tx, look->at, look->units, 0);
}

/*
 * A free block is elsewhere or has another length now.  Mostly that is the
 * same list, since what is large stays large; then it keeps its place there.
 */
static int
move(const struct kn_blocks *b, struct kn_tx *tx,
     const struct kn_block_look *from, uint32_t at, uint32_t units)
{
	int r;

	if (kn_block_list(from->units) == kn_block_list(units))
		return at == from->at ? 0 : replace(b, tx, from->at,
						    from->units, at);
	r = extract(b, tx, from);
	return r < 0 ? r : insert(b, tx, at, units);
}

/* A free one for sure, that heads its list; 0: none; -EUCLEAN. */
static int
find_quick(const struct kn_blocks *b, uint32_t units,
	   struct kn_block_look *ret)
{
	uint32_t list = list_with(units), class = list / KN_PARTS;
	uint64_t bits, at;
	int r;

	if (class >= KN_CLASSES)
		return 0;
	bits = kn_wide_load_relaxed(&b->shared->parts[class]) & 0xffff &
	       (~0ull << list % KN_PARTS);
	if (bits == 0) {
		bits = kn_wide_load_relaxed(&b->shared->classes) &
		       ((1ull << KN_CLASSES) - 1) & (~0ull << (class + 1));
		if (bits == 0)
			return 0;
		class = (uint32_t)__builtin_ctzll(bits);
		bits = kn_wide_load_relaxed(&b->shared->parts[class]) & 0xffff;
		if (bits == 0)
			return spoilt("table of free blocks", class);
	}
	list = class * KN_PARTS + (uint32_t)__builtin_ctzll(bits);
	at = kn_wide_load_relaxed(head_of(b, list));
	if (at > UINT32_MAX || !in_range(b, low(at)))
		return spoilt("list of free blocks", low(at));
	r = kn_block_look(b, low(at), ret);
	if (r < 0)
		return r;
	if (ret->state != KN_BLOCK_FREE || ret->units < units)
		return spoilt("list of free blocks", low(at));
	return 1;
}

/*
 * The list in which some may be long enough.  It can't be walked for ever:
 * each must name the one before, and so nobody is met twice.  Unless somebody
 * goes on scribbling: hence the cap.
 */
static int
find_slowly(const struct kn_blocks *b, uint32_t units,
	    struct kn_block_look *ret)
{
	uint64_t at = kn_wide_load_relaxed(head_of(b, kn_block_list(units)));
	uint32_t before = 0, seen = 0;
	int r;

	while (at != 0) {
		uint64_t v;

		if (at > UINT32_MAX || !in_range(b, low(at)) ||
		    seen++ > (b->end - b->first) / KN_BLOCK_LEAST)
			return spoilt("list of free blocks", low(at));
		r = kn_block_look(b, low(at), ret);
		if (r < 0)
			return r;
		v = kn_wide_load_relaxed(&kn_block_at(b, low(at))->links);
		if (ret->state != KN_BLOCK_FREE || high(v) != before)
			return spoilt("list of free blocks", low(at));
		if (ret->units >= units)
			return 1;
		before = low(at);
		at = low(v);
	}
	return 0;
}

static int
find(const struct kn_blocks *b, uint32_t units, struct kn_block_look *ret)
{
	int r = find_quick(b, units, ret);

	return r != 0 ? r : find_slowly(b, units, ret);
}

/* ---- giving out and taking back ---- */

static void
count(const struct kn_blocks *b, struct kn_tx *tx, uint32_t units_more,
      uint32_t blocks_more)
{
	uint64_t used = kn_wide_load_relaxed(&b->shared->used);

	kn_tx_set(tx, &b->shared->used, kn_pair(low(used) + units_more,
						high(used) + blocks_more));
}

/* Where a free block is for sure, or begins to be one by this. */
static void
set_free(const struct kn_blocks *b, struct kn_tx *tx, uint32_t at,
	 uint32_t units, uint32_t before)
{
	set_span(b, tx, at, units, before);
	set_tag(b, tx, at, KN_BLOCK_FREE, 0);
}

/*
 * The same inside of what is free and is being split.  Undone, it is inside
 * again, where nobody looks: so nothing of it needs to be.  But what this same
 * change has freed is its user's again when it is undone.
 */
static void
split_off(const struct kn_blocks *b, struct kn_tx *tx, bool first, uint32_t at,
	  uint32_t units, uint32_t before)
{
	struct kn_block *block = kn_block_at(b, at);

	if (!first) {
		set_free(b, tx, at, units, before);
		return;
	}
	kn_wide_store_relaxed(&block->span, kn_pair(units, before));
	kn_wide_store_relaxed(&block->tag,
			      kn_pair(0, mark_of(at, KN_BLOCK_FREE)));
}

/* Units before the place in that free block where an aligned one begins. */
static uint32_t
gap(const struct kn_blocks *b, uint32_t at, uint32_t align)
{
	uintptr_t user = (uintptr_t)kn_block_at(b, at) + KN_BLOCK_HEAD;
	uint32_t units = (uint32_t)(-user & (align - 1)) / KN_GRAIN;

	/* What is left out must be a block. */
	while (units != 0 && units < KN_BLOCK_LEAST)
		units += align / KN_GRAIN;
	return units;
}

/* Of a free block, the part from skip on is used; what is left is free. */
static int
carve(const struct kn_blocks *b, struct kn_tx *tx,
      const struct kn_block_look *look, uint32_t skip, uint32_t units,
      uint32_t owner)
{
	uint32_t at = look->at + skip, end = look->at + look->units;
	uint32_t rest = end - at - units;
	bool first = tx->count == 0;
	struct kn_block_look next;
	int r = kn_block_look(b, end, &next);

	if (r == 0 && next.before != look->units)
		r = spoilt("block header", look->at);
	if (r < 0)
		return r;
	set_span(b, tx, at, units, skip != 0 ? skip : look->before);
	set_tag(b, tx, at, KN_BLOCK_USED, owner);
	if (rest != 0)
		split_off(b, tx, first, at + units, rest, units);
	if (rest != 0 || skip != 0)
		set_span(b, tx, end, next.units, rest != 0 ? rest : units);
	if (skip == 0)
		return rest == 0 ? extract(b, tx, look)
				 : move(b, tx, look, at + units, rest);
	set_span(b, tx, look->at, skip, look->before);
	r = move(b, tx, look, look->at, skip);
	return r < 0 || rest == 0 ? r : insert(b, tx, at + units, rest);
}

int
kn_block_alloc(const struct kn_blocks *b, struct kn_tx *tx, uint32_t units,
	       uint32_t align, uint32_t owner, uint32_t *ret_at)
{
	uint32_t most = align > KN_GRAIN ? align / KN_GRAIN + KN_BLOCK_LEAST
					 : 0;
	struct kn_block_look look;
	uint32_t skip;
	int r;

	if (units > UINT32_MAX - most)
		return -ENOSPC;
	r = find(b, units + most, &look);
	if (r <= 0)
		return r < 0 ? r : -ENOSPC;
	skip = most == 0 ? 0 : gap(b, look.at, align);
	if (look.units - skip - units < KN_BLOCK_LEAST)
		units = look.units - skip;
	r = carve(b, tx, &look, skip, units, owner);
	if (r < 0)
		return r;
	count(b, tx, units, 1);
	*ret_at = look.at + skip;
	return 0;
}

/* Its neighbours must agree that it is there. */
static int
neighbours(const struct kn_blocks *b, const struct kn_block_look *look,
	   struct kn_block_look *ret_before, struct kn_block_look *ret_next)
{
	int r = kn_block_look(b, look->at + look->units, ret_next);

	if (r < 0)
		return r;
	if (ret_next->before != look->units)
		return spoilt("block header", look->at);
	ret_before->state = KN_BLOCK_USED;
	if (look->before == 0)
		return look->at == b->first ? 0
					    : spoilt("block header", look->at);
	r = kn_block_look(b, look->at - look->before, ret_before);
	if (r == 0 && ret_before->units != look->before)
		r = spoilt("block header", look->at);
	return r;
}

int
kn_block_free(const struct kn_blocks *b, struct kn_tx *tx,
	      const struct kn_block_look *look, uint32_t *ret_at)
{
	uint32_t at = look->at, units = look->units, first = look->before;
	uint32_t end = look->at + look->units, after;
	struct kn_block_look before, next;
	int r = neighbours(b, look, &before, &next);

	if (r < 0)
		return r;
	after = next.units;
	if (next.state == KN_BLOCK_FREE) {
		struct kn_block_look second;

		units += next.units;
		end += next.units;
		r = kn_block_look(b, end, &second);
		if (r < 0)
			return r;
		after = second.units;
	}
	if (before.state == KN_BLOCK_FREE) {
		/* No block of its own any more; who frees it twice is told. */
		set_tag(b, tx, at, KN_BLOCK_FREE, 0);
		at = before.at;
		units += before.units;
		first = before.before;
	}
	set_span(b, tx, end, after, units);
	set_free(b, tx, at, units, first);
	count(b, tx, 0u - look->units, -1u);
	*ret_at = at;
	if (before.state == KN_BLOCK_FREE) {
		if (next.state == KN_BLOCK_FREE)
			r = extract(b, tx, &next);
		return r < 0 ? r : move(b, tx, &before, at, units);
	}
	return next.state == KN_BLOCK_FREE ? move(b, tx, &next, at, units)
					   : insert(b, tx, at, units);
}

/* What it has now and what is free behind it, in one. */
static int
room_for(const struct kn_blocks *b, const struct kn_block_look *look,
	 struct kn_block_look *ret_next, uint32_t *ret_room)
{
	struct kn_block_look before;
	int r = neighbours(b, look, &before, ret_next);

	*ret_room = look->units;
	if (r == 0 && ret_next->state == KN_BLOCK_FREE)
		*ret_room += ret_next->units;
	return r;
}

int
kn_block_resize(const struct kn_blocks *b, struct kn_tx *tx,
		const struct kn_block_look *look, uint32_t units)
{
	struct kn_block_look next, second;
	uint32_t room, rest;
	int r = room_for(b, look, &next, &room);

	if (r < 0)
		return r;
	if (units > room)
		return 0;
	if (room - units < KN_BLOCK_LEAST)
		units = room;
	if (units == look->units)
		return 1;
	rest = room - units;
	second = next;
	if (next.state == KN_BLOCK_FREE)
		r = kn_block_look(b, look->at + room, &second);
	if (r < 0)
		return r;
	set_span(b, tx, look->at, units, look->before);
	set_span(b, tx, look->at + room, second.units,
		 rest != 0 ? rest : units);
	count(b, tx, units - look->units, 0);
	if (next.state == KN_BLOCK_FREE)
		r = rest != 0 ? move(b, tx, &next, look->at + units, rest)
			      : extract(b, tx, &next);
	else
		r = insert(b, tx, look->at + units, rest);
	/* Now, as it may begin where the links of the next one were. */
	if (rest != 0)
		set_free(b, tx, look->at + units, rest, units);
	return r < 0 ? r : 1;
}

void
kn_block_own(const struct kn_blocks *b, struct kn_tx *tx,
	     const struct kn_block_look *look, uint32_t owner)
{
	set_tag(b, tx, look->at, KN_BLOCK_USED, owner);
}

void
kn_blocks_format(const struct kn_blocks *b)
{
	uint32_t units = b->end - b->first, list = kn_block_list(units);
	struct kn_block *block = kn_block_at(b, b->first);
	struct kn_block *end = kn_block_at(b, b->end);

	block->span.v = kn_pair(units, 0);
	block->tag.v = kn_pair(0, mark_of(b->first, KN_BLOCK_FREE));
	block->links.v = 0;
	end->span.v = kn_pair(0, units);
	end->tag.v = kn_pair(0, mark_of(b->end, KN_BLOCK_END));
	head_of(b, list)->v = b->first;
	b->shared->parts[list / KN_PARTS].v = 1ull << list % KN_PARTS;
	b->shared->classes.v = 1ull << list / KN_PARTS;
}
