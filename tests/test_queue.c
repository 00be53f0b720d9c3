/* SPDX-License-Identifier: MIT */
/*
 * test_queue.c - the promises of kin/queue.h
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kit.h"

#define LONGEST		16376u		/* of any queue */
#define SEED		0x6b696e01u

#define MANY		1000000u	/* messages of one pair of processes */
#define CROWD		2u		/* producers, and consumers */
#define EACH		200000u		/* messages of each of them */

#define KILLS		200
#define SOAK_MOST	2000000u	/* messages of one producer */

/* For inner loops: Check's own leave a note of each that holds. */
#define ck_fast(expr)							\
	do {								\
		if (!(expr))						\
			ck_abort_msg("%s: %s", #expr, kin_errmsg());	\
	} while (0)

/* What the processes of a test have in common; zeros at its begin. */
static struct board {
	int flag;			/* whatever the test says */
	int stop;
	uint32_t started[CROWD];	/* the last message whose put began */
	uint32_t last[CROWD][CROWD];	/* of a producer, by consumer */
	uint32_t disorder;
	uint8_t put[CROWD][SOAK_MOST];	/* its put returned */
	uint8_t got[CROWD][SOAK_MOST];	/* so many times */
} *board;

static void
hang_up_board(void)
{
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(board, MAP_FAILED);
}

static void
take_down_board(void)
{
	munmap(board, sizeof(*board));
}

static void
raise_flag(int value)
{
	__atomic_store_n(&board->flag, value, __ATOMIC_RELEASE);
}

/* In the test or in a child of it: until somebody has raised it so high. */
static void
await_flag(int value)
{
	kin_time patience = KIT_PATIENCE;

	while (__atomic_load_n(&board->flag, __ATOMIC_ACQUIRE) < value) {
		ck_fast(kin_now().ns < patience.ns);
		sched_yield();
	}
}

static char
state_of(pid_t pid)
{
	char path[32], text[512], *p;
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	p = strrchr(text, ')');
	ck_assert_ptr_nonnull(p);
	return p[2];
}

/* It has raised the flag before the only call in which it can sleep. */
static void
await_sleep(pid_t pid, int flag)
{
	kin_time patience = KIT_PATIENCE;

	await_flag(flag);
	while (state_of(pid) != 'S') {
		ck_fast(kin_now().ns < patience.ns);
		sched_yield();
	}
}

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static kin_queue *
queue_of(uint64_t bytes, uint32_t members)
{
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = bytes,
						.members = members)));
	return q;
}

static void
put_number(kin_queue *q, uint32_t n)
{
	ck_fast(kin_queue_put(q, &n, sizeof(n), KIT_PATIENCE) == 0);
}

static uint32_t
get_number(kin_queue *q)
{
	uint32_t n = 0;

	ck_fast(kin_queue_get(q, &n, sizeof(n), KIT_PATIENCE) == sizeof(n));
	return n;
}

/* As full as it gets; returns how many there are. */
static size_t
fill(kin_queue *q)
{
	size_t n = 0;
	int r;

	while ((r = kin_queue_put(q, NULL, 0, KIN_NOWAIT)) == 0)
		n++;
	ck_assert_int_eq(r, -ETIMEDOUT);
	return n;
}

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

/* A message's bytes follow from its number. */
static void
paint(unsigned char *buf, uint32_t len, uint32_t number)
{
	uint32_t i, state = number * 2654435761u | 1;

	for (i = 0; i < len; i++)
		buf[i] = (unsigned char)next_random(&state);
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

/* ---- processes ---- */

START_TEST(a_handle_is_good_in_a_child_and_in_its_child)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid;

	put_number(q, 1);
	pid = kit_fork();
	if (pid == 0) {
		pid = kit_fork();
		if (pid == 0) {
			ck_assert_uint_eq(get_number(q), 1);
			put_number(q, 2);
			kin_queue_close(q);
			_exit(0);
		}
		kit_reap(pid, 0);
		ck_assert_uint_eq(get_number(q), 2);
		put_number(q, 3);
		kin_queue_close(q);
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_assert_uint_eq(get_number(q), 3);
	put_number(q, 4);
	ck_assert_uint_eq(get_number(q), 4);
	kin_queue_close(q);
}
END_TEST

/* libc does not hear of it, so no handler of pthread_atfork runs. */
START_TEST(a_handle_is_good_in_a_child_by_clone)
{
	kin_queue *q = queue_of(256, 2);
	kin_queue *third;
	pid_t pid;

	put_number(q, 1);
	fflush(NULL);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		ck_assert_uint_eq(get_number(q), 1);
		put_number(q, 2);
		raise_flag(1);
		await_flag(2);
		kin_queue_close(q);
		_exit(0);
	}
	/* It takes part for itself: there is no place for a third. */
	await_flag(1);
	ck_kin_fails(-ENOSPC, kin_queue_attach(&third, kin_queue_fd(q)));
	raise_flag(2);
	kit_reap(pid, 0);
	ck_assert_uint_eq(get_number(q), 2);
	kin_queue_close(q);
}
END_TEST

START_TEST(what_the_child_closes_stays_open_in_the_parent)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid = kit_fork();

	if (pid == 0) {
		kin_queue_close(q);
		_exit(0);
	}
	kit_reap(pid, 0);
	put_number(q, 1);
	ck_assert_uint_eq(get_number(q), 1);
	kin_queue_close(q);
}
END_TEST

START_TEST(another_process_joins_by_the_descriptor)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid = kit_fork();

	if (pid == 0) {
		kin_queue *mine;

		ck_kin_ok(kin_queue_attach(&mine, kin_queue_fd(q)));
		ck_assert_uint_eq(get_number(mine), 7);
		put_number(mine, 8);
		kin_queue_close(mine);
		_exit(0);
	}
	put_number(q, 7);
	kit_reap(pid, 0);
	ck_assert_uint_eq(get_number(q), 8);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_million_messages_pass_through_a_small_ring)
{
	kin_queue *q = queue_of(4096, 0);
	unsigned char msg[64], buf[64];
	uint32_t i, len, random = SEED;
	pid_t pid = kit_fork();

	if (pid == 0) {
		for (i = 0; i < MANY; i++) {
			len = next_random(&random) % (sizeof(msg) + 1);
			paint(msg, len, i);
			ck_fast(kin_queue_put(q, msg, len, KIT_PATIENCE) == 0);
		}
		kin_queue_close(q);
		_exit(0);
	}
	for (i = 0; i < MANY; i++) {
		len = next_random(&random) % (sizeof(msg) + 1);
		paint(msg, len, i);
		ck_fast(kin_queue_get(q, buf, sizeof(buf), KIT_PATIENCE) ==
			(ssize_t)len);
		ck_fast(memcmp(buf, msg, len) == 0);
	}
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, buf, sizeof(buf),
					       KIN_NOWAIT));
	kit_reap(pid, 0);
	kin_queue_close(q);
}
END_TEST

/* ---- crowds ---- */

struct ticket {
	uint32_t producer, number;
	unsigned char more[192];	/* as much as the number says */
};

static size_t
ticket_bytes(uint32_t number)
{
	return 8 + number * 7 % sizeof(((struct ticket *)0)->more);
}

static void
put_ticket(kin_queue *q, uint32_t producer, uint32_t number)
{
	struct ticket t = { producer, number, { 0 } };

	memset(t.more, (int)(number & 0xff), sizeof(t.more));
	ck_fast(kin_queue_put(q, &t, ticket_bytes(number), KIT_PATIENCE) == 0);
}

/* 0, or get's number. */
static int
get_ticket(kin_queue *q, struct ticket *t, kin_time deadline)
{
	ssize_t r = kin_queue_get(q, t, sizeof(*t), deadline);
	size_t i;

	if (r < 0)
		return (int)r;
	ck_fast(r >= 8 && t->producer < CROWD && t->number < SOAK_MOST);
	ck_fast((size_t)r == ticket_bytes(t->number));
	for (i = 0; i < (size_t)r - 8; i++)
		ck_fast(t->more[i] == (t->number & 0xff));
	return 0;
}

/* Of one producer, each consumer sees numbers that only rise. */
static void
account(const struct ticket *t, uint32_t consumer)
{
	uint32_t *last = &board->last[consumer][t->producer];

	if (t->number <= *last)
		__atomic_add_fetch(&board->disorder, 1, __ATOMIC_RELAXED);
	*last = t->number;
	__atomic_add_fetch(&board->got[t->producer][t->number], 1,
			   __ATOMIC_RELAXED);
}

static void __attribute__((noreturn))
consume(kin_queue *q, uint32_t me)
{
	struct ticket t;
	int r;

	while ((r = get_ticket(q, &t, KIT_PATIENCE)) == 0)
		account(&t, me);
	kin_queue_close(q);
	_exit(r == -EPIPE ? 0 : 1);
}

START_TEST(a_crowd_gets_every_message_once_and_in_order)
{
	kin_queue *q = queue_of(4096, 0);
	pid_t producers[CROWD], consumers[CROWD];
	uint32_t i, n;

	for (i = 0; i < CROWD; i++) {
		producers[i] = kit_fork();
		if (producers[i] == 0) {
			for (n = 1; n <= EACH; n++)
				put_ticket(q, i, n);
			_exit(0);
		}
		consumers[i] = kit_fork();
		if (consumers[i] == 0)
			consume(q, i);
	}
	for (i = 0; i < CROWD; i++)
		kit_reap(producers[i], 0);
	ck_kin_ok(kin_queue_shutdown(q, KIT_PATIENCE));
	for (i = 0; i < CROWD; i++)
		kit_reap(consumers[i], 0);

	ck_assert_int_eq(kin_queue_len(q), 0);
	ck_assert_uint_eq(board->disorder, 0);
	for (i = 0; i < CROWD; i++)
		for (n = 1; n <= EACH; n++)
			ck_fast(board->got[i][n] == 1);
	kin_queue_close(q);
}
END_TEST

/* ---- sleepers ---- */

static pid_t
sleeping_getter(kin_queue *q, int flag)
{
	pid_t pid = kit_fork();

	if (pid == 0) {
		uint32_t n;
		ssize_t r;

		ck_assert_int_eq(kin_queue_get(q, &n, 4, KIN_NOWAIT),
				 -ETIMEDOUT);
		raise_flag(flag);
		r = kin_queue_get(q, &n, sizeof(n), KIN_FOREVER);
		kin_queue_close(q);
		_exit(r == -EPIPE ? EPIPE : r == 4 ? (int)n : 255);
	}
	await_sleep(pid, flag);
	return pid;
}

static pid_t
sleeping_putter(kin_queue *q, int flag)
{
	pid_t pid = kit_fork();

	if (pid == 0) {
		int r;

		ck_assert_int_eq(kin_queue_put(q, "x", 1, KIN_NOWAIT),
				 -ETIMEDOUT);
		raise_flag(flag);
		r = kin_queue_put(q, "x", 1, KIN_FOREVER);
		kin_queue_close(q);
		_exit(-r);
	}
	await_sleep(pid, flag);
	return pid;
}

START_TEST(a_sleeping_getter_is_woken_by_a_put)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid = sleeping_getter(q, 1);

	put_number(q, 42);
	kit_reap(pid, 42);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_sleeping_putter_is_woken_by_a_get)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid;
	char c = 0;

	ck_assert_uint_eq(fill(q), 16);
	pid = sleeping_putter(q, 1);
	ck_kin_ok(kin_queue_get(q, &c, 1, KIN_NOWAIT));
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_queue_len(q), 16);
	while (kin_queue_get(q, &c, 1, KIN_NOWAIT) == 0)
		;
	ck_assert_int_eq(c, 'x');
	kin_queue_close(q);
}
END_TEST

START_TEST(every_sleeper_has_its_message)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pids[4];
	int i, sum = 0, status;

	for (i = 0; i < 4; i++)
		pids[i] = sleeping_getter(q, i + 1);
	for (i = 0; i < 4; i++)
		put_number(q, 1u << i);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert(WIFEXITED(status));
		sum += WEXITSTATUS(status);
	}
	ck_assert_int_eq(sum, 15);
	kin_queue_close(q);
}
END_TEST

START_TEST(all_sleepers_are_woken_by_shutdown)
{
	kin_queue *empty = queue_of(256, 0), *full = queue_of(256, 0);
	pid_t getters[3], putters[3];
	int i;

	ck_assert_uint_eq(fill(full), 16);
	for (i = 0; i < 3; i++) {
		getters[i] = sleeping_getter(empty, 2 * i + 1);
		putters[i] = sleeping_putter(full, 2 * i + 2);
	}
	ck_kin_ok(kin_queue_shutdown(empty, KIT_PATIENCE));
	ck_kin_ok(kin_queue_shutdown(full, KIT_PATIENCE));
	for (i = 0; i < 3; i++) {
		kit_reap(getters[i], EPIPE);
		kit_reap(putters[i], EPIPE);
	}
	kin_queue_close(empty);
	kin_queue_close(full);
}
END_TEST

START_TEST(after_shutdown_what_is_there_is_got)
{
	kin_queue *q = queue_of(256, 0), *late;
	pid_t pid;
	uint32_t n;

	put_number(q, 1);
	put_number(q, 2);
	pid = kit_fork();
	if (pid == 0)
		_exit(-kin_queue_shutdown(q, KIT_PATIENCE));
	kit_reap(pid, 0);

	ck_kin_fails(-EPIPE, kin_queue_put(q, "x", 1, KIN_NOWAIT));
	ck_kin_fails(-EPIPE, kin_queue_put(q, "x", 1, KIN_FOREVER));
	ck_assert_int_eq(kin_queue_len(q), 2);
	ck_assert_uint_eq(get_number(q), 1);
	ck_kin_ok(kin_queue_shutdown(q, KIN_NOWAIT));
	ck_assert_uint_eq(get_number(q), 2);
	ck_kin_fails(-EPIPE, kin_queue_get(q, &n, 4, KIN_NOWAIT));
	ck_kin_fails(-EPIPE, kin_queue_get(q, &n, 4, KIN_FOREVER));
	ck_kin_ok(kin_queue_shutdown(q, KIN_NOWAIT));

	ck_kin_ok(kin_queue_attach(&late, kin_queue_fd(q)));
	ck_kin_fails(-EPIPE, kin_queue_get(late, &n, 4, KIN_FOREVER));
	kin_queue_close(late);
	kin_queue_close(q);
}
END_TEST

static void
shut_down_amid_traffic(uint32_t *random)
{
	struct timespec moment = { 0, next_random(random) % 1000000 };
	kin_queue *q = queue_of(256, 0);
	pid_t putter, getter;
	uint32_t n;
	ssize_t r;

	raise_flag(0);
	putter = kit_fork();
	if (putter == 0) {
		raise_flag(1);
		for (n = 0; (r = kin_queue_put(q, &n, 4, KIT_PATIENCE)) == 0; )
			board->started[0] = ++n;
		_exit(r == -EPIPE ? 0 : 1);
	}
	getter = kit_fork();
	if (getter == 0) {
		while ((r = kin_queue_get(q, &n, 4, KIT_PATIENCE)) == 4)
			ck_fast(n == board->started[1]++);
		_exit(r == -EPIPE ? 0 : 1);
	}
	await_flag(1);
	nanosleep(&moment, NULL);
	ck_kin_ok(kin_queue_shutdown(q, KIT_PATIENCE));
	kit_reap(putter, 0);
	kit_reap(getter, 0);
	ck_assert_uint_eq(board->started[0], board->started[1]);
	kin_queue_close(q);
}

START_TEST(shutdown_amid_traffic_loses_nothing)
{
	uint32_t random = SEED;
	int i;

	for (i = 0; i < 300; i++) {
		board->started[0] = board->started[1] = 0;
		shut_down_amid_traffic(&random);
	}
}
END_TEST

START_TEST(a_full_queue_that_is_shut_down_says_so)
{
	kin_queue *q = queue_of(256, 0);

	ck_assert_uint_eq(fill(q), 16);
	ck_kin_ok(kin_queue_shutdown(q, KIN_NOWAIT));
	ck_kin_fails(-EPIPE, kin_queue_put(q, NULL, 0, KIN_FOREVER));
	kin_queue_close(q);
}
END_TEST

/* ---- death ---- */

START_TEST(a_getter_killed_asleep_takes_nothing_along)
{
	kin_queue *q = queue_of(256, 0);
	pid_t first = sleeping_getter(q, 1), second = sleeping_getter(q, 2);

	kit_kill(first);
	put_number(q, 42);
	kit_reap(second, 42);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kin_queue_close(q);
}
END_TEST

/* A wake may have gone to the one that is killed just then. */
START_TEST(a_getter_killed_as_it_wakes_takes_one_at_most)
{
	kin_queue *q = queue_of(256, 0);
	uint32_t n = 0;
	int i;

	for (i = 0; i < 20; i++) {
		pid_t first = sleeping_getter(q, 2 * i + 1);
		pid_t second = sleeping_getter(q, 2 * i + 2);

		put_number(q, 41);
		kit_kill(first);
		put_number(q, 41);
		kit_reap(second, 41);
		while (kin_queue_get(q, &n, sizeof(n), KIN_NOWAIT) == 4)
			ck_assert_uint_eq(n, 41);
		ck_assert_int_eq(kin_queue_len(q), 0);
	}
	kin_queue_close(q);
}
END_TEST

static void __attribute__((noreturn))
soak_producer(kin_queue *q, uint32_t me)
{
	uint32_t n = board->started[me];

	while (!__atomic_load_n(&board->stop, __ATOMIC_ACQUIRE) &&
	       ++n < SOAK_MOST) {
		__atomic_store_n(&board->started[me], n, __ATOMIC_RELEASE);
		put_ticket(q, me, n);
		__atomic_store_n(&board->put[me][n], 1, __ATOMIC_RELEASE);
	}
	while (!__atomic_load_n(&board->stop, __ATOMIC_ACQUIRE))
		sched_yield();
	_exit(0);
}

static pid_t
soak_start(kin_queue *q, uint32_t who)
{
	pid_t pid = kit_fork();

	if (pid == 0 && who < CROWD)
		soak_producer(q, who);
	if (pid == 0)
		consume(q, who - CROWD);
	return pid;
}

/* Returned puts that nobody has seen. */
static uint32_t
soak_lost(void)
{
	uint32_t i, n, lost = 0;

	for (i = 0; i < CROWD; i++)
		for (n = 1; n <= board->started[i]; n++) {
			ck_fast(board->got[i][n] <= 1);
			lost += board->put[i][n] && !board->got[i][n];
		}
	return lost;
}

/*
 * Killed at any time.  A producer goes on where the one before it was killed,
 * and leaves out the message that may or may not be there.
 */
START_TEST(kills_lose_one_message_a_consumer_at_most)
{
	kin_queue *q = queue_of(4096, 32);
	uint32_t random = SEED, victim, i, dead_consumers = 0;
	pid_t pids[2 * CROWD];
	int kills;

	printf("# seed %#x\n", random);
	for (i = 0; i < 2 * CROWD; i++)
		pids[i] = soak_start(q, i);
	for (kills = 0; kills < KILLS; kills++) {
		struct timespec moment = { 0, next_random(&random) % 4000000 };

		nanosleep(&moment, NULL);
		victim = next_random(&random) % (2 * CROWD);
		kit_kill(pids[victim]);
		dead_consumers += victim >= CROWD;
		pids[victim] = soak_start(q, victim);
	}
	__atomic_store_n(&board->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < CROWD; i++)
		kit_reap(pids[i], 0);
	ck_kin_ok(kin_queue_shutdown(q, KIT_PATIENCE));
	for (i = CROWD; i < 2 * CROWD; i++)
		kit_reap(pids[i], 0);

	printf("# %u and %u messages, %u of %u consumers' lost\n",
	       board->started[0], board->started[1], soak_lost(),
	       dead_consumers);
	ck_assert_uint_gt(board->started[0], KILLS);
	ck_assert_uint_gt(board->started[1], KILLS);
	ck_assert_uint_eq(board->disorder, 0);
	ck_assert_uint_le(soak_lost(), dead_consumers);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kin_queue_close(q);
}
END_TEST

/* ---- members ---- */

/* Takes part, raises the flag to 1, and goes on at 2: ends well. */
static pid_t
member(kin_queue *q)
{
	pid_t pid = kit_fork();

	if (pid == 0) {
		put_number(q, 1);
		raise_flag(1);
		await_flag(2);
		put_number(q, 2);
		kin_queue_close(q);
		_exit(0);
	}
	await_flag(1);
	return pid;
}

static void
ck_full(kin_queue *q)
{
	kin_queue *more;

	ck_kin_fails(-ENOSPC, kin_queue_attach(&more, kin_queue_fd(q)));
}

static void
ck_room(kin_queue *q)
{
	kin_queue *more;

	ck_kin_ok(kin_queue_attach(&more, kin_queue_fd(q)));
	kin_queue_close(more);
}

START_TEST(there_are_so_many_members_and_no_more)
{
	kin_queue *q = queue_of(256, 3), *second, *third;
	pid_t pid;

	ck_kin_ok(kin_queue_attach(&second, kin_queue_fd(q)));
	ck_kin_ok(kin_queue_attach(&third, kin_queue_fd(q)));
	ck_full(q);

	/* A child has to find a place at its first use; length needs none. */
	pid = kit_fork();
	if (pid == 0) {
		ck_kin_fails(-ENOSPC, kin_queue_put(q, "x", 1, KIN_NOWAIT));
		ck_kin_fails(-ENOSPC, kin_queue_get(q, NULL, 0, KIN_NOWAIT));
		ck_kin_fails(-ENOSPC, kin_queue_shutdown(q, KIN_NOWAIT));
		ck_assert_int_eq(kin_queue_len(q), 0);
		kin_queue_close(q);
		_exit(0);
	}
	kit_reap(pid, 0);

	kin_queue_close(third);
	ck_room(q);
	kin_queue_close(second);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_dead_members_place_is_used_again)
{
	kin_queue *q = queue_of(4096, 2);
	int i;

	for (i = 0; i < 30; i++) {
		pid_t pid;

		raise_flag(0);
		pid = member(q);
		ck_full(q);
		kit_kill(pid);
		ck_room(q);
	}
	ck_assert_int_eq(kin_queue_len(q), 30);
	kin_queue_close(q);
}
END_TEST

START_TEST(one_that_ended_without_close_is_dead_too)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = kit_fork();

	if (pid == 0) {
		put_number(q, 1);
		_exit(0);
	}
	kit_reap(pid, 0);
	ck_room(q);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_member_that_closed_its_descriptors_lives)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = kit_fork();

	if (pid == 0) {
		put_number(q, 1);
		if (syscall(SYS_close_range, 3, ~0u, 0) != 0)
			_exit(77);
		raise_flag(1);
		await_flag(2);
		put_number(q, 2);
		_exit(0);
	}
	await_flag(1);
	ck_full(q);
	raise_flag(2);
	kit_reap(pid, 0);
	ck_room(q);
	ck_assert_uint_eq(get_number(q), 1);
	ck_assert_uint_eq(get_number(q), 2);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_stopped_member_lives)
{
	kin_queue *q = queue_of(256, 2);
	pid_t pid = member(q);
	int status;

	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	ck_full(q);
	ck_assert_uint_eq(get_number(q), 1);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	raise_flag(2);
	kit_reap(pid, 0);
	ck_assert_uint_eq(get_number(q), 2);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_member_that_is_another_program_now_is_dead)
{
	kin_queue *q = queue_of(256, 2), *more = NULL;
	kin_time patience = KIT_PATIENCE;
	int ends[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = kit_fork();
	if (pid == 0) {
		put_number(q, 1);
		execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		_exit(1);
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &c, 1), 0);
	close(ends[0]);
	/* The kernel closes one thing after the other. */
	while (kin_queue_attach(&more, kin_queue_fd(q)) == -ENOSPC)
		ck_fast(kin_now().ns < patience.ns);
	kin_queue_close(more);
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
	kit_kill(pid);
	kin_queue_close(q);
}
END_TEST

/* ---- signals ---- */

static volatile sig_atomic_t alarms;

static void
count_alarm(int signal)
{
	(void)signal;
	alarms = alarms + 1;
}

static void
storm(suseconds_t us)
{
	struct sigaction action = { .sa_handler = count_alarm };
	struct itimerval every = { { 0, us }, { 0, us } };

	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &every, NULL), 0);
}

START_TEST(a_storm_of_signals_moves_no_deadline)
{
	kin_queue *q = queue_of(256, 0);
	kin_time deadline;

	storm(100);
	deadline = kin_in_ms(250);
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, NULL, 0, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	(void)fill(q);
	deadline = kin_in_ms(250);
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, NULL, 0, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	storm(0);
	ck_assert_int_gt(alarms, 10);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_storm_of_signals_loses_no_message)
{
	kin_queue *q = queue_of(256, 0);
	pid_t pid;
	uint32_t i;

	pid = kit_fork();
	if (pid == 0) {
		storm(150);
		for (i = 0; i < 20000; i++)
			put_number(q, i);
		storm(0);
		kin_queue_close(q);
		_exit(0);
	}
	storm(100);
	for (i = 0; i < 20000; i++)
		ck_assert_uint_eq(get_number(q), i);
	storm(0);
	kit_reap(pid, 0);
	kin_queue_close(q);
}
END_TEST

static TCase *
board_case(Suite *suite, const char *name)
{
	TCase *tc = kit_case(suite, name);

	tcase_add_checked_fixture(tc, hang_up_board, take_down_board);
	return tc;
}

static void
add_alone(Suite *suite)
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

	tc = board_case(suite, "making");
	tcase_add_test(tc, its_room_is_rounded_up_to_a_power_of_two);
	tcase_add_test(tc, wrong_options_are_refused);
	tcase_add_test(tc, options_may_be_older_or_newer_than_the_library);
	tcase_add_test(tc, it_is_joined_by_its_descriptor);
	tcase_add_test(tc, what_is_no_queue_is_refused);
	tcase_add_test(tc, a_missing_handle_is_a_bug_and_aborts);
}

static void
add_together(Suite *suite)
{
	TCase *tc = board_case(suite, "processes");

	tcase_add_test(tc, a_handle_is_good_in_a_child_and_in_its_child);
	tcase_add_test(tc, a_handle_is_good_in_a_child_by_clone);
	tcase_add_test(tc, what_the_child_closes_stays_open_in_the_parent);
	tcase_add_test(tc, another_process_joins_by_the_descriptor);
	tcase_add_test(tc, a_million_messages_pass_through_a_small_ring);
	tcase_add_test(tc, a_crowd_gets_every_message_once_and_in_order);

	tc = board_case(suite, "sleepers");
	tcase_add_test(tc, a_sleeping_getter_is_woken_by_a_put);
	tcase_add_test(tc, a_sleeping_putter_is_woken_by_a_get);
	tcase_add_test(tc, every_sleeper_has_its_message);
	tcase_add_test(tc, all_sleepers_are_woken_by_shutdown);
	tcase_add_test(tc, after_shutdown_what_is_there_is_got);
	tcase_add_test(tc, shutdown_amid_traffic_loses_nothing);
	tcase_add_test(tc, a_full_queue_that_is_shut_down_says_so);

	tc = board_case(suite, "signals");
	tcase_add_test(tc, a_storm_of_signals_moves_no_deadline);
	tcase_add_test(tc, a_storm_of_signals_loses_no_message);
}

static void
add_death(Suite *suite)
{
	TCase *tc = board_case(suite, "death");

	tcase_add_test(tc, a_getter_killed_asleep_takes_nothing_along);
	tcase_add_test(tc, a_getter_killed_as_it_wakes_takes_one_at_most);
	tcase_add_test(tc, kills_lose_one_message_a_consumer_at_most);

	tc = board_case(suite, "members");
	tcase_add_test(tc, there_are_so_many_members_and_no_more);
	tcase_add_test(tc, a_dead_members_place_is_used_again);
	tcase_add_test(tc, one_that_ended_without_close_is_dead_too);
	tcase_add_test(tc, a_member_that_closed_its_descriptors_lives);
	tcase_add_test(tc, a_stopped_member_lives);
	tcase_add_test(tc, a_member_that_is_another_program_now_is_dead);
}

int
main(void)
{
	Suite *suite = suite_create("queue");

	add_alone(suite);
	add_together(suite);
	add_death(suite);
	return kit_run(suite);
}
