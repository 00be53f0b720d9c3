/* SPDX-License-Identifier: MIT */
/*
 * time.c - the present, and deadlines from it
 */
#include <time.h>

#include <kin/time.h>

kin_time
kin_now(void)
{
	struct timespec ts;

	/* Cannot fail: the clock exists and the address is good. */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (kin_time){ (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec };
}

kin_time
kin_in_ns(int64_t ns)
{
	kin_time t = kin_now();

	if (ns <= 0)
		return t;
	if (__builtin_add_overflow(t.ns, ns, &t.ns))
		return KIN_FOREVER;
	return t;
}

kin_time
kin_in_ms(int64_t ms)
{
	int64_t ns;

	if (__builtin_mul_overflow(ms, (int64_t)1000000, &ns))
		return ms < 0 ? kin_now() : KIN_FOREVER;
	return kin_in_ns(ns);
}
