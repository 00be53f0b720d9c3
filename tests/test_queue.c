/* SPDX-License-Identifier: MIT */
/*
 * test_queue.c - the promises of kin/queue.h to one process: messages, their
 * order and their limits, and what makes a queue
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/traffic.h"

#define LONGEST		16376u		/* of any queue */

/* ---- messages ---- */

/* What a queue is, in memory of our own: lengths, and what they take. */
struct model {
	uint32_t lens[4096];
	uint32_t first, next;		/* numbers of messages */
	uint32_t units, used;
};

static uint32_t
units_of(uint32_t len)
{
	return (len + 8 + 15) / 16;
}

static void
model_put(struct model *m, kin_queue *q, uint32_t len)
{
	static unsigned char buf[LONGEST];
	bool fits = m->used + units_of(len) <= m->units;

	paint(buf, len, m->next);
	if (!fits) {
		ck_fast(kin_queue_put(q, buf, len, KIN_NOWAIT) == -ETIMEDOUT);
		return;
	}
	ck_fast(kin_queue_put(q, buf, len, KIN_NOWAIT) == 0);
	m->lens[m->next++ % 4096] = len;
	m->used += units_of(len);
}

static void
model_get(struct model *m, kin_queue *q)
{
	static unsigned char buf[LONGEST], right[LONGEST];
	ssize_t r = kin_queue_get(q, buf, sizeof(buf), KIN_NOWAIT);
	uint32_t len;

	if (m->first == m->next) {
		ck_fast(r == -ETIMEDOUT);
		return;
	}
	len = m->lens[m->first % 4096];
	ck_fast(r == (ssize_t)len);
	paint(right, len, m->first);
	ck_fast(memcmp(buf, right, len) == 0);
	m->first++;
	m->used -= units_of(len);
}

static void
play(uint64_t bytes, uint32_t *random)
{
	static struct model m;
	kin_queue *q = queue_of(bytes, 0);
	uint32_t limit = (uint32_t)kin_queue_limit(q), step;

	m = (struct model){ .units = (uint32_t)bytes / 16 };
	for (step = 0; step < 8000; step++) {
		uint32_t dice = next_random(random);
		uint32_t most = dice & 0x100 ? limit : limit / 8;

		/* Now more of the one, now of the other. */
		if (dice % 16 < (step & 0x200 ? 10u : 6u))
			model_put(&m, q, next_random(random) % (most + 1));
		else
			model_get(&m, q);
		ck_fast(kin_queue_len(q) == (ssize_t)(m.next - m.first));
	}
	while (m.first != m.next)
		model_get(&m, q);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kin_queue_close(q);
}

START_TEST(it_is_first_in_first_out_whatever_the_lengths)
{
	uint32_t random = SEED;
	uint64_t bytes;

	printf("# seed %#x\n", random);
	for (bytes = 256; bytes <= 65536; bytes *= 2)
		play(bytes, &random);
}
END_TEST

START_TEST(an_empty_message_is_a_message)
{
	kin_queue *q = queue_of(256, 0);

	ck_kin_ok(kin_queue_put(q, NULL, 0, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(q), 1);
	ck_assert_int_eq(kin_queue_get(q, NULL, 0, KIN_NOWAIT), 0);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kin_queue_close(q);
}
END_TEST

static void
try_limit(uint64_t bytes, size_t limit)
{
	static unsigned char msg[LONGEST + 1], buf[LONGEST];
	kin_queue *q = queue_of(bytes, 0);
	int i;

	paint(msg, sizeof(msg), (uint32_t)bytes);
	ck_assert_uint_eq(kin_queue_limit(q), limit);
	for (i = 0; i < 3; i++) {
		ck_kin_fails(-EMSGSIZE, kin_queue_put(q, msg, limit + 1,
						      KIN_NOWAIT));
		ck_kin_ok(kin_queue_put(q, msg, limit, KIN_NOWAIT));
		ck_assert_int_eq(kin_queue_get(q, buf, limit, KIN_NOWAIT),
				 limit);
		ck_assert_mem_eq(buf, msg, limit);
	}
	ck_kin_fails(-EMSGSIZE, kin_queue_put(q, msg, SIZE_MAX, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(q), 0);
	kin_queue_close(q);
}

START_TEST(the_limit_is_exact)
{
	try_limit(256, 248);
	try_limit(4096, 4088);
	try_limit(16384, LONGEST);
	try_limit(65536, LONGEST);
}
END_TEST

START_TEST(what_the_buffer_cannot_take_stays_where_it_was)
{
	kin_queue *q = queue_of(256, 0);
	char buf[8] = "........";

	ck_kin_ok(kin_queue_put(q, "hello", 5, KIN_NOWAIT));
	ck_kin_ok(kin_queue_put(q, "you", 3, KIN_NOWAIT));
	ck_kin_fails(-EMSGSIZE, kin_queue_get(q, buf, 4, KIN_NOWAIT));
	ck_kin_fails(-EMSGSIZE, kin_queue_get(q, NULL, 0, KIN_FOREVER));
	ck_assert_mem_eq(buf, "........", 8);
	ck_assert_int_eq(kin_queue_len(q), 2);
	ck_assert_int_eq(kin_queue_get(q, buf, 5, KIN_NOWAIT), 5);
	ck_assert_mem_eq(buf, "hello...", 8);
	ck_assert_int_eq(kin_queue_get(q, buf, 8, KIN_NOWAIT), 3);
	ck_assert_mem_eq(buf, "youlo...", 8);
	kin_queue_close(q);
}
END_TEST

START_TEST(who_will_not_wait_is_told_at_once)
{
	kin_queue *q = queue_of(256, 0);
	char c;

	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, &c, 1, KIN_NOWAIT));
	ck_assert_uint_eq(fill(q), 16);
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, NULL, 0, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(q), 16);
	kin_queue_close(q);
}
END_TEST

START_TEST(no_deadline_comes_before_its_time)
{
	kin_queue *q = queue_of(256, 0);
	kin_time deadline = kin_in_ms(120);
	char c;

	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, &c, 1, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	(void)fill(q);
	deadline = kin_in_ms(120);
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, &c, 1, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_deadline_in_the_past_still_takes_what_is_there)
{
	kin_queue *q = queue_of(256, 0);
	kin_time past = kin_now();

	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, NULL, 0, past));
	ck_kin_ok(kin_queue_put(q, NULL, 0, past));
	ck_kin_ok(kin_queue_get(q, NULL, 0, past));
	(void)fill(q);
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, NULL, 0, past));
	kin_queue_close(q);
}
END_TEST

/* Ten minutes are longer than Check waits. */
START_TEST(spinning_does_not_outlast_the_deadline)
{
	kin_time deadline;
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 256,
	    .spin_ns = (int64_t)600 * 1000000000)));
	deadline = kin_in_ms(20);
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, NULL, 0, deadline));
	(void)fill(q);
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, NULL, 0, deadline));
	kin_queue_close(q);
}
END_TEST

START_TEST(success_leaves_the_sentence_alone)
{
	kin_queue *q, *again;
	char c;

	kit_forget();
	q = queue_of(0, 0);
	ck_kin_ok(kin_queue_attach(&again, kin_queue_fd(q)));
	ck_kin_ok(kin_queue_put(q, "x", 1, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(again), 1);
	ck_kin_ok(kin_queue_get(again, &c, 1, KIN_NOWAIT));
	ck_kin_ok(kin_queue_shutdown(q, KIN_NOWAIT));
	kin_queue_close(again);
	kin_queue_close(q);
	ck_assert(kit_forgotten());
}
END_TEST

/* ---- making and joining ---- */

static void
try_capacity(uint64_t bytes, size_t right)
{
	kin_queue *q = queue_of(bytes, 0);

	ck_assert_uint_eq(fill(q), right / 16);
	kin_queue_close(q);
}

START_TEST(its_room_is_rounded_up_to_a_power_of_two)
{
	try_capacity(0, 65536);
	try_capacity(1, 256);
	try_capacity(256, 256);
	try_capacity(257, 512);
	try_capacity(4095, 4096);
	try_capacity(4097, 8192);
}
END_TEST

#define ck_refused(number, ...)						\
	do {								\
		kin_queue *refused = (void *)board;			\
									\
		ck_kin_fails(number, kin_queue_create(&refused,		\
		    KIN_OPTS(kin_queue_opts, __VA_ARGS__)));		\
		ck_assert_ptr_eq(refused, (void *)board);		\
	} while (0)

START_TEST(wrong_options_are_refused)
{
	kin_queue *q;

	ck_refused(-EINVAL, .flags = 1);
	ck_refused(-EINVAL, .flags = 0x80000000u);
	ck_refused(-EINVAL, .reserved = 1);
	ck_refused(-EINVAL, .members = 1001);
	ck_refused(-EINVAL, .bytes = (16ull << 30) + 1);
	ck_refused(-EINVAL, .bytes = UINT64_MAX);
	ck_refused(-EINVAL, .label =
		   "123456789012345678901234567890123456789012345678");
	ck_refused(-EINVAL, .label = "two\nlines");

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts,
	    .members = 1000, .spin_ns = KIN_SPIN_NEVER, .label =
	    "12345678901234567890123456789012345678901234567")));
	ck_assert_str_eq(kin_queue_label(q),
	    "12345678901234567890123456789012345678901234567");
	kin_queue_close(q);
}
END_TEST

START_TEST(options_may_be_older_or_newer_than_the_library)
{
	struct {
		struct kin_queue_opts opts;
		uint64_t more;
	} newer = { { .size = sizeof(newer), .bytes = 512 }, 0 };
	struct kin_queue_opts opts = { .size = 16, .bytes = 512,
				       .members = 5000, .reserved = 1 };
	kin_queue *q;

	/* members and what follows were not yet there. */
	ck_kin_ok(kin_queue_create(&q, &opts));
	ck_assert_uint_eq(fill(q), 32);
	kin_queue_close(q);
	opts.size = 0;
	ck_kin_fails(-EINVAL, kin_queue_create(&q, &opts));

	ck_kin_ok(kin_queue_create(&q, &newer.opts));
	kin_queue_close(q);
	newer.more = 1;
	ck_kin_fails(-E2BIG, kin_queue_create(&q, &newer.opts));
}
END_TEST

START_TEST(it_is_joined_by_its_descriptor)
{
	kin_queue *q, *again;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 300,
						.label = "jobs")));
	ck_kin_ok(kin_queue_attach(&again, kin_queue_fd(q)));
	ck_assert_int_ne(kin_queue_fd(again), kin_queue_fd(q));
	ck_assert_str_eq(kin_queue_label(again), "jobs");
	ck_assert_uint_eq(kin_queue_limit(again), kin_queue_limit(q));
	put_number(q, 1);
	kin_queue_close(q);

	/* It goes with its last holder, and not before. */
	put_number(again, 2);
	ck_assert_int_eq(get_number(again), 1);
	ck_assert_int_eq(get_number(again), 2);
	kin_queue_close(again);
	kin_queue_close(NULL);
}
END_TEST

static void
ck_no_queue(int number, int fd)
{
	kin_queue *q = (void *)board;

	ck_assert_int_ge(fd, 0);
	ck_kin_fails(number, kin_queue_attach(&q, fd));
	ck_assert_ptr_eq(q, (void *)board);
	close(fd);
}

START_TEST(what_is_no_queue_is_refused)
{
	kin_segment *seg;
	kin_queue *q;
	char path[64];
	int ends[2];

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						    .bytes = 8192)));
	ck_no_queue(-EPROTO, dup(kin_segment_fd(seg)));
	kin_segment_close(seg);

	ck_assert_int_eq(pipe(ends), 0);
	ck_no_queue(-EPROTO, ends[0]);
	ck_no_queue(-EPROTO, ends[1]);
	ck_no_queue(-EPROTO, open("/dev/null", O_RDWR));
	ck_no_queue(-EPROTO, memfd_create("empty", 0));

	q = queue_of(0, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kin_queue_fd(q));
	ck_no_queue(-EACCES, open(path, O_RDONLY));
	kin_queue_close(q);
}
END_TEST

START_TEST(a_missing_handle_is_a_bug_and_aborts)
{
	pid_t pid = kit_fork();
	int status;

	if (pid == 0) {
		close(2);
		_exit(kin_queue_len(NULL) == 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

static void
add_messages(Suite *suite)
{
	TCase *tc = board_case(suite, "messages");

	tcase_add_test(tc, it_is_first_in_first_out_whatever_the_lengths);
	tcase_add_test(tc, an_empty_message_is_a_message);
	tcase_add_test(tc, the_limit_is_exact);
	tcase_add_test(tc, what_the_buffer_cannot_take_stays_where_it_was);
	tcase_add_test(tc, who_will_not_wait_is_told_at_once);
	tcase_add_test(tc, no_deadline_comes_before_its_time);
	tcase_add_test(tc, a_deadline_in_the_past_still_takes_what_is_there);
	tcase_add_test(tc, spinning_does_not_outlast_the_deadline);
	tcase_add_test(tc, success_leaves_the_sentence_alone);
}

static void
add_making(Suite *suite)
{
	TCase *tc = board_case(suite, "making");

	tcase_add_test(tc, its_room_is_rounded_up_to_a_power_of_two);
	tcase_add_test(tc, wrong_options_are_refused);
	tcase_add_test(tc, options_may_be_older_or_newer_than_the_library);
	tcase_add_test(tc, it_is_joined_by_its_descriptor);
	tcase_add_test(tc, what_is_no_queue_is_refused);
	tcase_add_test(tc, a_missing_handle_is_a_bug_and_aborts);
}

int
main(void)
{
	Suite *suite = suite_create("queue");

	add_messages(suite);
	add_making(suite);
	return kit_run(suite);
}
