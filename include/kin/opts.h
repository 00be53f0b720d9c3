/* SPDX-License-Identifier: MIT */
/*
 * kin/opts.h - options
 *
 * Everything that can be set is set at creation, in one struct:
 *
 *      kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 1 << 20));
 *
 * Zero is always the default, and NULL is all defaults.  The struct begins
 * with its own size, so that an old program runs on a new library (what it
 * lacks is zero) and a new program on an old one (-E2BIG, but only if it asks
 * for something that the library does not know).  Unknown flags are -EINVAL.
 *
 * Name one field at least; for none, pass NULL.  The struct lives as long as the block that names it.  In C++, fill one in
 * by hand and set its size.
 */
#ifndef KIN_OPTS_H
#define KIN_OPTS_H

#define KIN_OPTS(type, ...) \
	(&(const struct type){ .size = sizeof(struct type), __VA_ARGS__ })

#endif
