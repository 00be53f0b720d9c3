/* SPDX-License-Identifier: MIT */
/*
 * test_hostile.c - peers that write anything anywhere: the caller's memory and
 * its deadlines are safe, and nonsense is called so
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/queue.h"
#include "shm/error.h"
#include "shm/os.h"
#include "tests/kit.h"

#define SEED		0x6b696e02u
#define SCRIBBLE_MS	400		/* each of the scribblings */
#define MANY		5000

#define ck_fast(expr)							\
	do {								\
		if (!(expr))						\
			ck_abort_msg("%s: %s", #expr, kin_errmsg());	\
	} while (0)

static struct board {
	int stop;
	uint32_t calls;
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

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static size_t
up_to_line(size_t n)
{
	return (n + KN_LINE - 1) / KN_LINE * KN_LINE;
}

static kin_queue *
queue_of(uint64_t bytes)
{
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = bytes,
						.members = 8)));
	return q;
}

static kin_queue *
another(kin_queue *q)
{
	kin_queue *again;

	ck_kin_ok(kin_queue_attach(&again, kin_queue_fd(q)));
	return again;
}

static struct kn_side *
put_side(kin_queue *q)
{
	return &q->ring.shared->put;
}

static struct kn_side *
get_side(kin_queue *q)
{
	return &q->ring.shared->get;
}

static void
fill(kin_queue *q)
{
	int r;

	while ((r = kin_queue_put(q, NULL, 0, KIN_NOWAIT)) == 0)
		;
	ck_assert_int_eq(r, -ETIMEDOUT);
}

/* ---- nonsense that is found at once ---- */

START_TEST(a_latch_that_nobody_can_hold_is_called_nonsense)
{
	static const uint32_t nonsense[] = {
		1, 0x1000, 0x40000000, KN_STAMP | 8, KN_STAMP | 0x3ff,
		KN_STAMP | 0x40000000, KN_LATCH_WAITER | 1, 0xffffffff,
	};
	kin_queue *q = queue_of(256);
	size_t i;

	for (i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
		kin_queue *mine = another(q);

		kn_store(&put_side(q)->latch, nonsense[i]);
		ck_kin_fails(-EUCLEAN, kin_queue_put(mine, "x", 1,
						     KIN_NOWAIT));
		kn_store(&put_side(q)->latch, 0);
		ck_kin_fails(-EUCLEAN, kin_queue_put(mine, "x", 1,
						     KIN_NOWAIT));
		ck_kin_fails(-EUCLEAN, kin_queue_get(mine, NULL, 0,
						     KIN_NOWAIT));
		ck_kin_fails(-EUCLEAN, kin_queue_shutdown(mine, KIN_NOWAIT));
		kin_queue_close(mine);
		mine = another(q);
		kn_store(&get_side(q)->latch, nonsense[i]);
		ck_kin_fails(-EUCLEAN, kin_queue_get(mine, NULL, 0,
						     KIN_FOREVER));
		kn_store(&get_side(q)->latch, 0);
		kin_queue_close(mine);
	}

	/* Sticky for the handle that has seen it, not for others. */
	ck_kin_ok(kin_queue_put(q, "x", 1, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(q), 1);
	kin_queue_close(q);
}
END_TEST

static void
contradict(uint32_t head, uint32_t tail)
{
	kin_queue *q = queue_of(256), *second;
	char c;

	second = another(q);
	kn_store(&put_side(q)->commit, tail << 1);
	kn_store(&get_side(q)->commit, head << 1);
	ck_kin_fails(-EUCLEAN, kin_queue_len(q));
	ck_kin_fails(-EUCLEAN, kin_queue_put(q, "x", 1, KIN_FOREVER));
	ck_kin_fails(-EUCLEAN, kin_queue_get(second, &c, 1, KIN_FOREVER));
	ck_kin_fails(-EUCLEAN, kin_queue_get(q, &c, 1, KIN_FOREVER));
	kin_queue_close(second);
	kin_queue_close(q);
}

START_TEST(positions_that_contradict_each_other_are_nonsense)
{
	contradict(0, 17);
	contradict(17, 16);
	contradict(0x7fffffff, 0x40000000);
	contradict(0x40000000, 0);
	contradict(1, 0);
}
END_TEST

static void
try_mark(uint64_t mark)
{
	kin_queue *q = queue_of(256);
	unsigned char buf[248];

	ck_kin_ok(kin_queue_put(q, "hello", 5, KIN_NOWAIT));
	kn_wide_store((kn_wide *)(void *)q->ring.bytes, mark);
	memset(buf, 0xaa, sizeof(buf));
	ck_kin_fails(-EUCLEAN, kin_queue_get(q, buf, sizeof(buf),
					     KIN_FOREVER));
	ck_assert_uint_eq(buf[0], 0xaa);
	ck_kin_fails(-EUCLEAN, kin_queue_put(q, "x", 1, KIN_NOWAIT));
	kin_queue_close(q);
}

START_TEST(a_record_without_its_mark_is_nonsense)
{
	kin_queue *q = queue_of(256);
	uint64_t mark;

	ck_kin_ok(kin_queue_put(q, "hello", 5, KIN_NOWAIT));
	mark = kn_wide_load((kn_wide *)(void *)q->ring.bytes);
	ck_assert_uint_eq((uint32_t)mark, 5);
	kin_queue_close(q);

	try_mark(0);
	try_mark(UINT64_MAX);
	try_mark(mark ^ 1ull << 32);
	try_mark(mark ^ 1ull << 63);
	try_mark(mark + 4);		/* longer than there is */
	try_mark(mark + 248 - 5);
	try_mark(mark + 249 - 5);	/* than any */
	try_mark(mark | 0x80000000u);
	try_mark(mark | 0xffffffffu);
}
END_TEST

START_TEST(counts_that_contradict_are_nonsense)
{
	kin_queue *q = queue_of(256);

	kn_wide_store(&put_side(q)->tally[0], 17ull << 32);
	ck_kin_fails(-EUCLEAN, kin_queue_len(q));
	kn_wide_store(&put_side(q)->tally[0], UINT64_MAX << 32);
	ck_kin_fails(-EUCLEAN, kin_queue_len(q));
	kin_queue_close(q);
}
END_TEST

/* ---- attaching to what has been written over ---- */

static bool
one_of(long r, const int *numbers, size_t n)
{
	while (n > 0)
		if (r == numbers[--n])
			return true;
	return false;
}

static const int attach_says[] = { 0, -EPROTO, -EPROTONOSUPPORT, -EUCLEAN,
				   -ENOSPC };
static const int put_says[] = { 0, -EPIPE, -ETIMEDOUT, -EUCLEAN };
static const int get_says[] = { -EPIPE, -ETIMEDOUT, -EUCLEAN };

#define ck_says(r, set)							\
	do {								\
		if (!one_of(r, set, sizeof(set) / sizeof((set)[0])))	\
			ck_abort_msg("%ld: %s", (long)(r), kin_errmsg()); \
	} while (0)

/* Whatever is there, use it and let go. */
static bool
try_queue(int fd)
{
	unsigned char buf[248];
	kin_queue *mine;
	ssize_t n;
	int r;

	r = kin_queue_attach(&mine, fd);
	ck_says(r, attach_says);
	if (r < 0)
		return false;
	r = kin_queue_put(mine, "abc", 3, KIN_NOWAIT);
	ck_says(r, put_says);
	n = kin_queue_get(mine, buf, sizeof(buf), KIN_NOWAIT);
	if (n < 0)
		ck_says(n, get_says);
	ck_fast(n <= (ssize_t)sizeof(buf));
	(void)strlen(kin_queue_label(mine));
	kin_queue_close(mine);
	return true;
}

static void
mutate(size_t from, size_t bytes, uint32_t *ret_works, uint32_t *ret_fails)
{
	static const unsigned char values[] = { 0, 1, 2, 0x10, 0x7f, 0x80,
						0xff };
	kin_queue *q = queue_of(256);
	unsigned char *base = q->seg->base, was;
	size_t at, i;

	*ret_works = *ret_fails = 0;
	for (at = from; at < from + bytes; at++) {
		was = base[at];
		for (i = 0; i < 8 + sizeof(values); i++) {
			base[at] = i < 8 ? was ^ 1u << i : values[i - 8];
			if (try_queue(kin_queue_fd(q)))
				++*ret_works;
			else
				++*ret_fails;
		}
		base[at] = was;
	}
	ck_assert(try_queue(kin_queue_fd(q)));
	kin_queue_close(q);
}

START_TEST(a_header_written_over_is_refused_or_works)
{
	uint32_t works, fails;

	mutate(0, sizeof(struct kn_header), &works, &fails);
	ck_assert_uint_gt(works, 0);
	ck_assert_uint_gt(fails, 40 * 8);	/* all that it checks */
}
END_TEST

START_TEST(a_geometry_written_over_is_refused_or_works)
{
	uint32_t works, fails;

	mutate(KN_PAGE, sizeof(struct kn_queue_geometry), &works, &fails);
	ck_assert_uint_gt(works, 0);
	ck_assert_uint_gt(fails, 40 * 8);
}
END_TEST

START_TEST(a_roster_written_over_is_cleared_or_full)
{
	uint32_t works, fails;

	mutate(KN_PAGE + sizeof(struct kn_queue_geometry), kn_roster_bytes(8),
	       &works, &fails);
	ck_assert_uint_gt(works, 0);
}
END_TEST

START_TEST(control_words_written_over_are_found_out_or_work)
{
	uint32_t works, fails;

	mutate(KN_PAGE + up_to_line(sizeof(struct kn_queue_geometry) +
				    kn_roster_bytes(8)),
	       sizeof(struct kn_ring_shared) + 64, &works, &fails);
	ck_assert_uint_gt(works, 0);
}
END_TEST

START_TEST(a_queue_of_rubbish_is_refused)
{
	uint32_t random = SEED, *words;
	size_t i, from;
	int round;

	printf("# seed %#x\n", random);
	for (round = 0; round < 500; round++) {
		kin_queue *q = queue_of(256);

		words = (uint32_t *)(void *)q->seg->base;
		from = round % 2 ? 0 : sizeof(struct kn_header) / 4;
		for (i = from; i < q->seg->bytes / 4; i++)
			words[i] = next_random(&random);
		ck_assert(!try_queue(kin_queue_fd(q)));
		kin_queue_close(q);
	}
}
END_TEST

/* ---- deadlines ---- */

/* A century is what a peer can write there; Check does not wait so long. */
START_TEST(a_spin_that_a_peer_has_set_does_not_outlast_a_deadline)
{
	static const int64_t spins[] = { INT64_MAX, (int64_t)1 << 61 };
	kin_queue *q = queue_of(256), *mine;
	kin_time deadline;
	size_t i;

	for (i = 0; i < 2; i++) {
		((struct kn_queue_geometry *)kn_segment_body(q->seg))->spin_ns =
		    spins[i];
		mine = another(q);
		deadline = kin_in_ms(20);
		ck_kin_fails(-ETIMEDOUT, kin_queue_get(mine, NULL, 0,
						       deadline));
		ck_assert_int_ge(kin_now().ns, deadline.ns);
		kin_queue_close(mine);
	}
	kin_queue_close(q);
}
END_TEST

/* Moves a word to and fro, between two positions that change nothing. */
static pid_t
flipper(kn_word *w, uint32_t one, uint32_t other)
{
	pid_t pid = kit_fork();

	if (pid != 0)
		return pid;
	for (;;) {
		kn_store(w, one << 1);
		kn_store(w, other << 1);
		__atomic_store_n(&board->calls, 1, __ATOMIC_RELAXED);
	}
}

static void
await_calls(uint32_t n)
{
	kin_time last = KIT_PATIENCE;

	while (__atomic_load_n(&board->calls, __ATOMIC_RELAXED) < n)
		ck_fast(kin_now().ns < last.ns);
}

START_TEST(a_head_that_never_rests_does_not_outlast_a_deadline)
{
	kin_queue *q = queue_of(256);
	unsigned char msg[248] = { 0 };
	pid_t pid;
	int i;

	ck_kin_ok(kin_queue_put(q, msg, sizeof(msg), KIN_NOWAIT));
	pid = flipper(&get_side(q)->commit, 0, 1);
	await_calls(1);
	for (i = 0; i < 20; i++)
		ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, msg, sizeof(msg),
						       kin_in_ms(50)));
	kit_kill(pid);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_tail_that_never_rests_does_not_outlast_a_deadline)
{
	kin_queue *q = queue_of(256);
	static const int says[] = { -ETIMEDOUT, -EUCLEAN };
	pid_t pid;
	int i;

	/* Some gets find nothing there, some nothing that is a record. */
	pid = flipper(&put_side(q)->commit, 0, 1);
	await_calls(1);
	for (i = 0; i < 20; i++) {
		kin_queue *mine = another(q);
		ssize_t r = kin_queue_get(mine, NULL, 0, kin_in_ms(50));

		ck_says(r, says);
		kin_queue_close(mine);
	}
	kit_kill(pid);
	kin_queue_close(q);
}
END_TEST

/* Holds both latches, stopped; goes on when it is told to. */
static pid_t
stopped_holder(kin_queue *q)
{
	pid_t pid = kit_fork();
	int status;

	if (pid == 0) {
		struct kn_party *me = &q->registry.party;

		ck_kin_ok(kin_queue_put(q, "child", 5, KIN_NOWAIT));
		ck_kin_ok(kn_latch_take(&put_side(q)->latch, me, KIN_NOWAIT));
		kn_latch_held = 0;	/* two at once: nobody does that */
		ck_kin_ok(kn_latch_take(&get_side(q)->latch, me, KIN_NOWAIT));
		raise(SIGSTOP);
		kn_latch_release(&get_side(q)->latch, me);
		kn_latch_release(&put_side(q)->latch, me);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	return pid;
}

static void
ck_in_the_way(kin_queue *q, kin_time deadline)
{
	char buf[8];

	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, "x", 1, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, buf, 8, deadline));
	ck_kin_fails(-ETIMEDOUT, kin_queue_shutdown(q, deadline));
}

START_TEST(a_stopped_holder_is_in_the_way_until_the_deadline)
{
	kin_queue *q = queue_of(256);
	pid_t pid = stopped_holder(q);
	kin_time deadline = kin_in_ms(100);
	char buf[8];

	ck_in_the_way(q, KIN_NOWAIT);
	ck_in_the_way(q, deadline);
	deadline = kin_in_ms(100);
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, buf, 8, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	deadline = kin_in_ms(100);
	ck_kin_fails(-ETIMEDOUT, kin_queue_shutdown(q, deadline));
	ck_assert_int_ge(kin_now().ns, deadline.ns);

	/* Nothing was taken from it: what it does now is good. */
	kill(pid, SIGCONT);
	kit_reap(pid, 0);
	ck_kin_ok(kin_queue_put(q, "x", 1, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_get(q, buf, 8, KIN_NOWAIT), 5);
	ck_assert_int_eq(kin_queue_len(q), 1);
	kin_queue_close(q);
}
END_TEST

START_TEST(a_dead_holder_is_not_in_the_way)
{
	kin_queue *q = queue_of(256);
	char buf[8];

	kit_kill(stopped_holder(q));
	ck_kin_ok(kin_queue_put(q, "x", 1, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_get(q, buf, 8, KIN_NOWAIT), 5);
	kit_kill(stopped_holder(q));
	ck_kin_ok(kin_queue_put(q, "x", 1, KIN_FOREVER));
	ck_assert_int_eq(kin_queue_get(q, buf, 8, KIN_FOREVER), 1);
	ck_kin_ok(kin_queue_shutdown(q, KIN_NOWAIT));
	kin_queue_close(q);
}
END_TEST

static kin_time patience;

/* A signal always comes before the sleep's end. */
static int
interrupt(const char *call)
{
	if (strcmp(call, "futex_wait") != 0)
		return 0;
	ck_fast(kin_now().ns < patience.ns);
	return -EINTR;
}

START_TEST(a_dead_holder_is_found_out_in_a_storm_of_signals)
{
	kin_queue *q = queue_of(256);
	char buf[8];

	kit_kill(stopped_holder(q));
	patience = KIT_PATIENCE;
	kn_os_hook = interrupt;
	ck_kin_ok(kin_queue_put(q, "x", 1, KIN_FOREVER));
	ck_assert_int_eq(kin_queue_get(q, buf, 8, KIN_FOREVER), 5);
	kn_os_hook = NULL;
	kin_queue_close(q);
}
END_TEST

static kn_word *restless;

/* The word moves between the look and the sleep, always. */
static int
move(const char *call)
{
	if (strcmp(call, "futex_wait") != 0)
		return 0;
	ck_fast(kin_now().ns < patience.ns);
	kn_store(restless, (kn_position(kn_load(restless)) ^ 1) << 1);
	return 0;
}

START_TEST(a_word_that_always_moves_does_not_outlast_a_deadline)
{
	unsigned char msg[248] = { 0 };
	kin_time deadline;
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 256,
						.spin_ns = KIN_SPIN_NEVER)));
	ck_kin_ok(kin_queue_put(q, msg, sizeof(msg), KIN_NOWAIT));
	restless = &get_side(q)->commit;
	patience = KIT_PATIENCE;
	deadline = kin_in_ms(20);
	kn_os_hook = move;
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, msg, sizeof(msg), deadline));
	kn_os_hook = NULL;
	ck_assert_int_ge(kin_now().ns, deadline.ns);
	kin_queue_close(q);
}
END_TEST

/* ---- honest peers, at bad moments ---- */

static kin_queue *reaped;
static int reaps;

/* One who has joined and died; and one who would shut the queue down. */
static void
die_and_disturb(kin_queue *q)
{
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(kn_registry_join(&q->registry) == 0 ? 0 : 1);
	kit_reap(pid, 0);
	pid = kit_fork();
	if (pid == 0) {
		kn_latch_held = 0;	/* it is our parent's thread that has */
		_exit(kin_queue_shutdown(q, kin_in_ms(10)) == -ETIMEDOUT
		      ? 0 : 1);
	}
	kit_reap(pid, 0);
}

/* Just before the kernel is asked to publish: the worst of moments. */
static int
reap_now(const char *call)
{
	if (strcmp(call, "futex_wake_op") != 0)
		return 0;
	kn_os_hook = NULL;
	die_and_disturb(reaped);
	kn_registry_sweep(&reaped->registry, KN_SLOTS_MAX);
	reaps++;
	return 0;
}

/* A sleeper's bit makes publishing slow; then all sleepers are woken. */
START_TEST(reaping_does_not_change_what_is_published)
{
	char msg[24] = "published";
	uint32_t deaths;

	reaped = queue_of(1024);
	deaths = kn_load(&reaped->registry.roster->deaths);
	kn_store(&put_side(reaped)->commit, KN_WAITER);
	kn_os_hook = reap_now;
	ck_kin_ok(kin_queue_put(reaped, msg, sizeof(msg), KIN_NOWAIT));
	kn_os_hook = NULL;
	ck_assert_int_eq(reaps, 1);
	ck_assert_uint_eq(kn_load(&reaped->registry.roster->deaths),
			  deaths + 2);
	ck_assert_int_eq(kin_queue_len(reaped), 1);
	memset(msg, 0, sizeof(msg));
	ck_assert_int_eq(kin_queue_get(reaped, msg, sizeof(msg), KIN_NOWAIT),
			 sizeof(msg));
	ck_assert_str_eq(msg, "published");
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(reaped, msg, sizeof(msg),
					       KIN_NOWAIT));
	kin_queue_close(reaped);
}
END_TEST

/* ---- words that go round ---- */

static void
begin_at(kin_queue *q, uint32_t position, uint32_t count)
{
	struct kn_side *sides[] = { put_side(q), get_side(q) };
	int i;

	for (i = 0; i < 2; i++) {
		kn_store(&sides[i]->commit, position << 1);
		kn_store(&sides[i]->other, position);
		kn_wide_store(&sides[i]->tally[0],
			      position | (uint64_t)count << 32);
		kn_wide_store(&sides[i]->tally[1], 0);
	}
}

static void
go_round(uint32_t position, uint32_t count)
{
	kin_queue *q = queue_of(1024);
	uint32_t in = 0, out = 0, msg[12] = { 0 }, random = SEED, len;

	begin_at(q, position, count);
	ck_assert_int_eq(kin_queue_len(q), 0);
	while (out < MANY) {
		msg[0] = in;
		len = 4 + next_random(&random) % (sizeof(msg) - 3);
		if (next_random(&random) % 2 && in < MANY) {
			int r = kin_queue_put(q, msg, len, KIN_NOWAIT);

			ck_fast(r == 0 || (r == -ETIMEDOUT && in - out > 15));
			in += r == 0;
		} else if (in == out) {
			ck_fast(kin_queue_get(q, msg, sizeof(msg),
					      KIN_NOWAIT) == -ETIMEDOUT);
		} else {
			ck_fast(kin_queue_get(q, msg, sizeof(msg),
					      KIN_NOWAIT) >= 4);
			ck_fast(msg[0] == out);
			out++;
		}
		ck_fast(kin_queue_len(q) == (ssize_t)(in - out));
	}
	kin_queue_close(q);
}

START_TEST(positions_go_round)
{
	go_round(KN_POSITION - 1000, 0);
	go_round(KN_POSITION, 0);
	go_round(KN_POSITION - 64, 77);
}
END_TEST

START_TEST(counts_go_round)
{
	go_round(12345, UINT32_MAX - 1000);
	go_round(12345, UINT32_MAX);
}
END_TEST

START_TEST(positions_and_counts_go_round_together)
{
	go_round(KN_POSITION - 500, UINT32_MAX - 500);
}
END_TEST

START_TEST(a_full_ring_is_full_and_an_empty_one_empty_all_the_way_round)
{
	kin_queue *q = queue_of(256);
	int i;

	begin_at(q, KN_POSITION - 20, UINT32_MAX - 20);
	for (i = 0; i < 8; i++) {
		fill(q);
		ck_assert_int_eq(kin_queue_len(q), 16);
		while (kin_queue_get(q, NULL, 0, KIN_NOWAIT) == 0)
			;
		ck_assert_int_eq(kin_queue_len(q), 0);
		ck_kin_ok(kin_queue_put(q, NULL, 0, KIN_NOWAIT));
		ck_kin_ok(kin_queue_get(q, NULL, 0, KIN_NOWAIT));
	}
	kin_queue_close(q);
}
END_TEST

/* ---- a scribbler ---- */

/* A word that could do harm: near the truth, or far from it. */
static uint32_t
evil(kin_queue *q, uint32_t *random)
{
	uint32_t dice = next_random(random);

	switch (dice >> 29) {
	case 0:
		return 0;
	case 1:
		return dice & 0x3f;
	case 2:
		return KN_STAMP | (dice & 0x0c07);
	case 3:
		return KN_LATCH_WAITER | KN_STAMP | (dice & 0x0c07);
	case 4:
		return kn_load(&put_side(q)->commit) + (dice & 0x3f) - 0x20;
	case 5:
		return kn_load(&get_side(q)->commit) + (dice & 0x3f) - 0x20;
	case 6:
		return (uint32_t)getppid() + (dice & 3);
	default:
		return dice;
	}
}

static pid_t
scribbler(kin_queue *q, size_t from, size_t bytes, int every, uint32_t random)
{
	pid_t pid = kit_fork();
	kn_word *words = (kn_word *)(void *)(q->seg->base + from);

	if (pid != 0)
		return pid;
	while (!__atomic_load_n(&board->stop, __ATOMIC_ACQUIRE)) {
		int i;

		kn_store(&words[next_random(&random) % (bytes / 4)],
			 evil(q, &random));
		for (i = 0; i < every; i++)
			kn_pause();
	}
	_exit(0);
}

/* Attach, put, get, again and again; each call has to return. */
static pid_t
sufferer(kin_queue *q, uint32_t random)
{
	static unsigned char buf[4088];
	pid_t pid = kit_fork();
	kin_queue *mine = NULL;

	if (pid != 0)
		return pid;
	while (!__atomic_load_n(&board->stop, __ATOMIC_ACQUIRE)) {
		uint32_t len = next_random(&random) % sizeof(buf);
		ssize_t r;

		if (mine == NULL) {
			r = kin_queue_attach(&mine, kin_queue_fd(q));
			ck_says(r, attach_says);
			if (r < 0)
				continue;
		}
		r = kin_queue_put(mine, buf, len, kin_in_ms(50));
		ck_says(r, put_says);
		if (r != -EUCLEAN)
			r = kin_queue_get(mine, buf, sizeof(buf),
					  kin_in_ms(50));
		ck_fast(r <= (ssize_t)sizeof(buf));
		if (r < 0)
			ck_says(r, get_says);
		if (kin_queue_len(mine) == -EUCLEAN || r == -EUCLEAN ||
		    len % 64 == 0) {
			kin_queue_close(mine);
			mine = NULL;
		}
		__atomic_add_fetch(&board->calls, 1, __ATOMIC_RELAXED);
	}
	kin_queue_close(mine);
	_exit(0);
}

/* from is within the file, so that the geometry can be spared, or not. */
static void
suffer(size_t from, size_t bytes, int every, uint32_t seed)
{
	struct timespec time = { 0, SCRIBBLE_MS * 1000000L };
	kin_queue *q = queue_of(4096);
	pid_t pids[3];
	int i;

	if (bytes == 0)
		bytes = q->seg->bytes - from;
	board->stop = 0;
	board->calls = 0;
	pids[0] = scribbler(q, from, bytes, every, seed);
	pids[1] = sufferer(q, seed + 1);
	pids[2] = sufferer(q, seed + 2);
	nanosleep(&time, NULL);
	if (from > KN_PAGE)
		await_calls(1);
	__atomic_store_n(&board->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 3; i++)
		kit_reap(pids[i], 0);
	kin_queue_close(q);
}

#define ROSTER		(KN_PAGE + sizeof(struct kn_queue_geometry))
#define SIDES		(KN_PAGE + up_to_line(ROSTER - KN_PAGE +	\
					      kn_roster_bytes(8)))
#define SIDES_BYTES	sizeof(struct kn_ring_shared)

START_TEST(scribbling_over_all_of_it_hurts_nobody)
{
	suffer(KN_PAGE, 0, 0, SEED);
	suffer(ROSTER, 0, 0, SEED);
	suffer(ROSTER, 0, 100, SEED);
}
END_TEST

START_TEST(scribbling_over_the_roster_hurts_nobody)
{
	suffer(ROSTER, kn_roster_bytes(8), 0, SEED);
	suffer(ROSTER, kn_roster_bytes(8), 100, SEED);
}
END_TEST

START_TEST(scribbling_over_the_control_words_hurts_nobody)
{
	suffer(SIDES, SIDES_BYTES, 0, SEED);
	suffer(SIDES, SIDES_BYTES, 100, SEED);
	suffer(SIDES, SIDES_BYTES, 1000, SEED);
	suffer(SIDES, 16, 300, SEED);
	suffer(SIDES + SIDES_BYTES / 2, 16, 300, SEED);
}
END_TEST

START_TEST(scribbling_over_the_messages_hurts_nobody)
{
	suffer(SIDES + SIDES_BYTES, 0, 0, SEED);
	suffer(SIDES + SIDES_BYTES, 0, 1000, SEED);
}
END_TEST

static TCase *
hostile_case(Suite *suite, const char *name)
{
	TCase *tc = kit_case(suite, name);

	tcase_add_checked_fixture(tc, hang_up_board, take_down_board);
	tcase_set_timeout(tc, 90);	/* over KIT_PATIENCE */
	return tc;
}

static void
add_still(Suite *suite)
{
	TCase *tc = hostile_case(suite, "nonsense");

	tcase_add_test(tc, a_latch_that_nobody_can_hold_is_called_nonsense);
	tcase_add_test(tc,
		       positions_that_contradict_each_other_are_nonsense);
	tcase_add_test(tc, a_record_without_its_mark_is_nonsense);
	tcase_add_test(tc, counts_that_contradict_are_nonsense);

	tc = hostile_case(suite, "written over");
	tcase_add_test(tc, a_header_written_over_is_refused_or_works);
	tcase_add_test(tc, a_geometry_written_over_is_refused_or_works);
	tcase_add_test(tc, a_roster_written_over_is_cleared_or_full);
	tcase_add_test(tc, control_words_written_over_are_found_out_or_work);
	tcase_add_test(tc, a_queue_of_rubbish_is_refused);

	tc = hostile_case(suite, "going round");
	tcase_add_test(tc, positions_go_round);
	tcase_add_test(tc, counts_go_round);
	tcase_add_test(tc, positions_and_counts_go_round_together);
	tcase_add_test(tc,
	    a_full_ring_is_full_and_an_empty_one_empty_all_the_way_round);
}

static void
add_live(Suite *suite)
{
	TCase *tc = hostile_case(suite, "deadlines");

	tcase_add_test(tc,
		       a_spin_that_a_peer_has_set_does_not_outlast_a_deadline);
	tcase_add_test(tc,
		       a_head_that_never_rests_does_not_outlast_a_deadline);
	tcase_add_test(tc,
		       a_tail_that_never_rests_does_not_outlast_a_deadline);
	tcase_add_test(tc,
		       a_word_that_always_moves_does_not_outlast_a_deadline);
	tcase_add_test(tc, a_stopped_holder_is_in_the_way_until_the_deadline);
	tcase_add_test(tc, a_dead_holder_is_not_in_the_way);
	tcase_add_test(tc, a_dead_holder_is_found_out_in_a_storm_of_signals);

	tc = hostile_case(suite, "bad moments");
	tcase_add_test(tc, reaping_does_not_change_what_is_published);

	tc = hostile_case(suite, "scribbling");
	tcase_add_test(tc, scribbling_over_all_of_it_hurts_nobody);
	tcase_add_test(tc, scribbling_over_the_roster_hurts_nobody);
	tcase_add_test(tc, scribbling_over_the_control_words_hurts_nobody);
	tcase_add_test(tc, scribbling_over_the_messages_hurts_nobody);
}

int
main(void)
{
	Suite *suite = suite_create("hostile");

	add_still(suite);
	add_live(suite);
	return kit_run(suite);
}
