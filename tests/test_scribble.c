/* SPDX-License-Identifier: MIT */
/*
 * test_scribble.c - peers that write anything anywhere, at any time, or hold
 * what others need: the caller's memory and its deadlines are safe
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/os.h"
#include "tests/hostile.h"

#define SCRIBBLE_MS	400		/* each of the scribblings */

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
	static const int says[] = { -ETIMEDOUT, -EUCLEAN, 1 };
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

static void
add_all(Suite *suite)
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
	Suite *suite = suite_create("scribble");

	add_all(suite);
	return kit_run(suite);
}
