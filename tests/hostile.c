/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - queues to be spoilt, and what calls may say of those that are
 */
#include <errno.h>

#include "tests/hostile.h"

TCase *
hostile_case(Suite *suite, const char *name)
{
	TCase *tc = board_case(suite, name);

	tcase_set_timeout(tc, 90);	/* over KIT_PATIENCE */
	return tc;
}

kin_queue *
queue_of(uint64_t bytes)
{
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = bytes,
						.members = 8)));
	return q;
}

kin_queue *
another(kin_queue *q)
{
	kin_queue *again;

	ck_kin_ok(kin_queue_attach(&again, kin_queue_fd(q)));
	return again;
}

struct kn_side *
put_side(kin_queue *q)
{
	return &q->ring.shared->put;
}

struct kn_side *
get_side(kin_queue *q)
{
	return &q->ring.shared->get;
}

size_t
up_to_line(size_t n)
{
	return (n + KN_LINE - 1) / KN_LINE * KN_LINE;
}

const int attach_says[] = { 0, -EPROTO, -EPROTONOSUPPORT, -EUCLEAN, -ENOSPC,
			    1 };
const int put_says[] = { 0, -EPIPE, -ETIMEDOUT, -EUCLEAN, 1 };
const int get_says[] = { -EPIPE, -ETIMEDOUT, -EUCLEAN, 1 };

bool
one_of(long r, const int *numbers)
{
	for (; *numbers != 1; numbers++)
		if (r == *numbers)
			return true;
	return false;
}
