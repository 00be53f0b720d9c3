/* SPDX-License-Identifier: MIT */
/*
 * through.h - arguments as they arrive, without anything in between
 */
#ifndef THROUGH_H
#define THROUGH_H

#include "lib/bundle.h"
#include "tests/kit.h"

/* What a fork's child would be given. */
static inline kin_values *
through(struct kin_args args)
{
	const struct kn_way way = { .what = "a test" };
	struct kn_bundle b;
	kin_values *v;

	ck_kin_ok(kn_bundle_encode(&b, args, &way));
	ck_kin_ok(kn_values_of(&v, b.bytes, b.len, b.fds, b.nfds));
	b.bytes = NULL;
	b.nfds = 0;
	kn_bundle_sent(&b);
	return v;
}

#endif
