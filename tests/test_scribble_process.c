/* SPDX-License-Identifier: MIT */
/*
 * test_scribble_process.c - a child that went mad leaves rubbish behind: its
 * parent gets an error or values, and nothing else happens
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/process.h"
#include "shm/os_pass.h"
#include "shm/socket.h"
#include "tests/kit.h"

#define LONG	5000u

static int
give_short(kin_call *call)
{
	return kin_call_return(call, 7, "seven");
}

static int
give_long(kin_call *call)
{
	static const char bytes[LONG];

	return kin_call_return(call, KIN_FD(2), KIN_BIN(bytes, LONG));
}

static kin_process *
end_of(kin_entry_fn *fn)
{
	kin_process *p;

	ck_kin_ok(kin_process_start(&p, fn, KIN_ARGS(), NULL));
	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	return p;
}

/* It takes whatever is there; or says why not. */
static void
try_to_take(kin_process *p)
{
	kin_values *a = NULL, *b = NULL;
	int i, r;

	for (i = 0; i < 2; i++) {
		kit_forget();
		r = kin_process_result(p, KIN_TAKE(&a, &b), KIN_NOWAIT);
		if (r == 0) {
			kin_values_free(a);
			kin_values_free(b);
		} else {
			ck_assert_int_lt(r, 0);
			ck_assert(!kit_forgotten());
		}
	}
	kin_process_close(p);
}

START_TEST(a_scribbled_slip_harms_nobody)
{
	uint32_t state = 99 + (uint32_t)_i, n;
	unsigned char *bytes;
	kin_process *p;
	int round;

	for (round = 0; round < 150; round++) {
		p = end_of(round % 2 ? give_long : give_short);
		bytes = (unsigned char *)p->slip;
		/* Mostly the words at its begin, and the values' first. */
		for (n = 1 + next_random(&state) % 4; n > 0; n--) {
			uint32_t at = next_random(&state);

			at = at % 4 == 0 ? at / 4 % KN_PAGE
			   : at % 4 == 1 ? KN_SLIP_HEAD + KN_SAID + at / 4 % 8
			   : at / 4 % KN_SLIP_HEAD;
			bytes[at] = (unsigned char)next_random(&state);
		}
		try_to_take(p);
	}
}
END_TEST

START_TEST(a_sentence_without_an_end_is_cut)
{
	kin_process *p = end_of(give_short);
	int n;

	memset(p->slip->said, 'x', sizeof(p->slip->said));
	kn_store(&p->slip->value, (uint32_t)-EIO);
	ck_assert_int_eq(kin_process_result(p, KIN_TAKE(&n), KIN_NOWAIT),
			 -EREMOTEIO);
	ck_assert_uint_lt(strlen(kin_errmsg()), 2 * KN_SAID);
	kin_process_close(p);
}
END_TEST

/* ---- rubbish in the line ---- */

/* Put these descriptors where the child's are. */
static void
forge(kin_process *p, const int *fds, unsigned n)
{
	int ends[2];

	ck_kin_ok(kn_os_socketpair(ends));
	if (n > 0)
		ck_kin_ok(kn_os_pass(ends[0], fds, n));
	close(ends[0]);
	close(p->line);
	p->line = ends[1];
}

static void
try_forged(const int *fds, unsigned n, int number)
{
	kin_process *p = end_of(give_long);

	forge(p, fds, n);
	ck_kin_fails(number, kin_process_result(p, KIN_TAKE(KIN_ANY, KIN_ANY),
						KIN_NOWAIT));
	try_to_take(p);
}

START_TEST(a_line_with_other_descriptors_is_refused)
{
	int many[KN_PASS_MAX], ends[2];
	unsigned i;

	for (i = 0; i < KN_PASS_MAX; i++)
		many[i] = 2;
	try_forged(NULL, 0, -EPROTO);
	try_forged(many, 1, -EPROTO);
	try_forged(many, 3, -EPROTO);
	try_forged(many, KN_PASS_MAX, -EPROTO);
	ck_assert_int_eq(pipe(ends), 0);
	try_forged(ends, 2, -EPROTO);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* Its size is a claim of whoever made it. */
START_TEST(a_file_of_holes_reserves_nothing)
{
	int fds[2] = { memfd_create("holes", MFD_CLOEXEC), 2 };

	ck_assert_int_eq(ftruncate(fds[0], (off_t)1 << 45), 0);
	try_forged(fds, 2, -EPROTO);
	ck_assert_int_eq(ftruncate(fds[0], 0), 0);
	try_forged(fds, 2, -EPROTO);
	ck_assert_int_eq(write(fds[0], "\xff\xff\xff", 3), 3);
	try_forged(fds, 2, -EPROTO);
	close(fds[0]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("scribble_process");
	TCase *tc = kit_case(suite, "a mad child");

	tcase_add_loop_test(tc, a_scribbled_slip_harms_nobody, 0, 3);
	tcase_add_test(tc, a_sentence_without_an_end_is_cut);
	tcase_add_test(tc, a_line_with_other_descriptors_is_refused);
	tcase_add_test(tc, a_file_of_holes_reserves_nothing);
	return kit_run(suite);
}
