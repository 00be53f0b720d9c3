/* SPDX-License-Identifier: MIT */
/*
 * test_readonly_process.c - KIN_RO as an argument of processes
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/kit.h"

#define CHILDREN	4

static char config[100000];

static void
fill(void)
{
	size_t i;

	for (i = 0; i < sizeof(config); i++)
		config[i] = (char)(i * 11);
}

/* The file that is mapped at an address, as the kernel tells it; or 0. */
static uint64_t
inode_at(const void *at)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	uint64_t from, to, inode = 0, found = 0;
	char line[4096];

	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL)
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %"
			   SCNu64, &from, &to, &inode) == 3 &&
		    from == (uintptr_t)at)
			found = inode;
	if (maps != NULL)
		fclose(maps);
	return found;
}

static uint64_t
sum_of(const char *bytes, size_t len)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum = sum * 31 + (unsigned char)bytes[i];
	return sum;
}

static int
add_up(kin_call *call)
{
	const char *bytes;
	size_t len;
	int r;

	r = kin_call_take(call, KIN_RO(&bytes, &len));
	if (r < 0)
		return r;
	return kin_call_return(call, len, sum_of(bytes, len),
			       inode_at(bytes));
}

START_TEST(all_children_have_the_same_memory)
{
	kin_process *children[CHILDREN];
	uint64_t len, sum, inode, first = 0, before = kin_copied_bytes();
	int i;

	fill();
	for (i = 0; i < CHILDREN; i++)
		ck_kin_ok(kin_process_start(&children[i], add_up,
		    KIN_ARGS(KIN_RO(config, sizeof(config))), NULL));
	ck_assert_uint_eq(kin_copied_bytes() - before, sizeof(config));
	for (i = 0; i < CHILDREN; i++) {
		ck_kin_ok(kin_process_result(children[i],
					     KIN_TAKE(&len, &sum, &inode),
					     KIT_PATIENCE));
		ck_assert_uint_eq(len, sizeof(config));
		ck_assert_uint_eq(sum, sum_of(config, sizeof(config)));
		ck_assert_uint_ne(inode, 0);
		ck_assert(i == 0 || inode == first);
		first = inode;
	}
	for (i = 0; i < CHILDREN; i++)
		kin_process_close(children[i]);
}
END_TEST

START_TEST(what_was_changed_is_frozen_anew)
{
	kin_process *p, *q;
	uint64_t len, sum, inode, other;

	fill();
	ck_kin_ok(kin_process_start(&p, add_up,
	    KIN_ARGS(KIN_RO(config, sizeof(config))), NULL));
	config[5]++;
	ck_kin_ok(kin_process_start(&q, add_up,
	    KIN_ARGS(KIN_RO(config, sizeof(config))), NULL));
	ck_kin_ok(kin_process_result(q, KIN_TAKE(&len, &sum, &other),
				     KIT_PATIENCE));
	ck_assert_uint_eq(sum, sum_of(config, sizeof(config)));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&len, &sum, &inode),
				     KIT_PATIENCE));
	ck_assert_uint_ne(sum, sum_of(config, sizeof(config)));
	ck_assert_uint_ne(inode, other);
	kin_process_close(p);
	kin_process_close(q);
}
END_TEST

START_TEST(no_bytes_arrive_too)
{
	kin_process *p;
	uint64_t len, sum, inode;

	ck_kin_ok(kin_process_start(&p, add_up, KIN_ARGS(KIN_RO(config, 0)),
				    NULL));
	ck_kin_ok(kin_process_result(p, KIN_TAKE(&len, &sum, &inode),
				     KIT_PATIENCE));
	ck_assert_uint_eq(len, 0);
	ck_assert_uint_ne(inode, 0);
	kin_process_close(p);
}
END_TEST

START_TEST(it_passes_where_copies_are_limited)
{
	kin_process *p;

	ck_kin_ok(kin_process_start(&p, add_up,
	    KIN_ARGS(KIN_RO(config, sizeof(config))),
	    KIN_OPTS(kin_process_opts, .max_copy_bytes = 100)));
	ck_kin_ok(kin_process_join(p, NULL, KIT_PATIENCE));
	kin_process_close(p);
	ck_kin_fails(-EMSGSIZE, kin_process_start(&p, add_up,
	    KIN_ARGS(KIN_BIN(config, sizeof(config))),
	    KIN_OPTS(kin_process_opts, .max_copy_bytes = 100)));
}
END_TEST

/* Its stderr is the descriptor that it gets. */
static int
spoil(kin_call *call)
{
	struct rlimit no_core = { 0, 0 };
	const char *bytes;
	size_t len;
	int r, err;

	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGSEGV, SIG_DFL);	/* a sanitizer's */
	r = kin_call_take(call, KIN_RO(&bytes, &len), KIN_FD(&err));
	if (r < 0)
		return r;
	dup2(err, STDERR_FILENO);
	((volatile char *)(uintptr_t)bytes)[0x40] = 1;
	return 0;
}

START_TEST(a_store_is_caught_and_named)
{
	char said[2048] = "", right[256];
	struct kin_status status;
	kin_process *p;
	ssize_t n, len = 0;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_kin_ok(kin_process_start(&p, spoil,
	    KIN_ARGS(KIN_RO(config, sizeof(config)), KIN_FD(ends[1])), NULL));
	close(ends[1]);
	while ((n = read(ends[0], said + len, sizeof(said) - 1 -
			 (size_t)len)) > 0)
		len += n;
	close(ends[0]);
	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	ck_assert_uint_eq(status.how, KIN_SIGNALLED);
	ck_assert_int_eq(status.signal, SIGSEGV);
	snprintf(right, sizeof(right), "kin: pid %d wrote to frozen 'config' "
		 "+0x40, frozen by pid %d\nkin:   at ",
		 (int)kin_process_pid(p), (int)getpid());
	ck_assert_msg(strncmp(said, right, strlen(right)) == 0,
		      "said: %s\nnot: %s", said, right);
	kin_process_close(p);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("readonly_process");
	TCase *tc = kit_case(suite, "arguments");

	tcase_add_test(tc, all_children_have_the_same_memory);
	tcase_add_test(tc, what_was_changed_is_frozen_anew);
	tcase_add_test(tc, no_bytes_arrive_too);
	tcase_add_test(tc, it_passes_where_copies_are_limited);
	tcase_add_test(tc, a_store_is_caught_and_named);
	return kit_run(suite);
}
