/* SPDX-License-Identifier: MIT */
/*
 * test_loop_sources.c - waiting for many things: what is told of each
 *
 * Each test runs with io_uring, or what stands in for it here, and with epoll.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fault.h"
#include "tests/loops.h"

/* ---- by level ---- */

static void
by_level(struct end *end)
{
	ck_quiet();
	feed(end);
	ck_called(end);
	ck_assert_uint_eq(end->events, POLLIN);
	ck_called(end);
	ck_called(end);
	end->drains = true;
	ck_called(end);
	ck_quiet();
	feed(end);
	ck_called(end);
	ck_quiet();
	close(end->other);
	end->other = -1;
	ck_called(end);
	ck_assert_uint_ne(end->events & POLLHUP, 0);
	ck_called(end);
	ck_kin_ok(kn_loop_change(loop, &end->source, 0));
	ck_called(end);
	ck_assert_uint_eq(end->events, POLLHUP);
	free_end(end);
	ck_quiet();
}

START_TEST(readable_by_level)
{
	set_up(_i);
	by_level(socket_end(POLLIN));
	by_level(pipe_end());
	kn_loop_free(loop);
}
END_TEST

START_TEST(writable_by_level)
{
	struct end *end;
	char bytes[4096] = "";
	ssize_t n;

	set_up(_i);
	end = socket_end(POLLOUT);
	ck_called(end);
	ck_assert_uint_eq(end->events, POLLOUT);
	ck_called(end);
	do
		n = write(end->source.fd, bytes, sizeof(bytes));
	while (n > 0);
	ck_quiet();
	do
		n = read(end->other, bytes, sizeof(bytes));
	while (n > 0);
	ck_called(end);
	ck_assert_uint_eq(end->events, POLLOUT);
	free_end(end);
	kn_loop_free(loop);
}
END_TEST

/* The peer has shut down its side, which is no event for who does not read. */
START_TEST(half_closed_is_quiet)
{
	struct end *end;
	char bytes[4096] = "";

	set_up(_i);
	end = socket_end(0);
	ck_quiet();
	shutdown(end->other, SHUT_WR);
	ck_quiet();
	ck_quiet();
	while (write(end->source.fd, bytes, sizeof(bytes)) > 0)
		;
	ck_kin_ok(kn_loop_change(loop, &end->source, POLLOUT));
	ck_quiet();
	ck_quiet();
	while (read(end->other, bytes, sizeof(bytes)) > 0)
		;
	ck_called(end);
	ck_assert_uint_eq(end->events, POLLOUT);
	ck_called(end);
	ck_kin_ok(kn_loop_change(loop, &end->source, POLLIN));
	ck_called(end);
	ck_assert_uint_eq(end->events, POLLIN);
	ck_kin_ok(kn_loop_change(loop, &end->source, 0));
	ck_quiet();
	close(end->other);
	end->other = -1;
	ck_called(end);
	ck_assert_uint_ne(end->events & POLLHUP, 0);
	free_end(end);
	kn_loop_free(loop);
}
END_TEST

START_TEST(a_process_ends)
{
	struct end *end;
	int fds[2], lifeline[2];
	pid_t pid;
	char c;

	set_up(_i);
	ck_assert_int_eq(pipe(lifeline), 0);
	pid = kit_fork();
	if (pid == 0) {
		close(lifeline[1]);
		_exit(read(lifeline[0], &c, 1) == 1 ? 3 : 4);
	}
	close(lifeline[0]);
	fds[0] = kn_os_pidfd(pid);
	fds[1] = lifeline[1];
	ck_kin_ok(fds[0]);
	end = new_end(fds, POLLIN);
	ck_quiet();
	feed(end);
	ck_called(end);
	ck_assert_uint_ne(end->events & POLLIN, 0);
	kit_reap(pid, 3);
	free_end(end);
	kn_loop_free(loop);
}
END_TEST

START_TEST(what_cannot_be_watched)
{
	struct kn_source source = { .fd = -1, .events = POLLIN, .fn = told };
	struct end *end;

	set_up(_i);
	ck_kin_fails(-EBADF, kn_loop_add(loop, &source));
	source.fd = 19999;
	ck_kin_fails(-EBADF, kn_loop_add(loop, &source));
	source.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ck_kin_fails(-EPERM, kn_loop_add(loop, &source));
	close(source.fd);
	end = socket_end(POLLIN);
	source.fd = end->source.fd;
	ck_kin_fails(-EEXIST, kn_loop_add(loop, &source));
	ck_kin_fails(-ENOENT, kn_loop_change(loop, &source, POLLOUT));
	kn_loop_remove(loop, &source);
	feed(end);
	ck_called(end);
	free_end(end);
	kn_loop_free(loop);
}
END_TEST

/* The kernel holds nothing of it: its peer sees the end at once. */
START_TEST(removed_is_let_go)
{
	struct end *end;
	struct pollfd peer;

	set_up(_i);
	end = socket_end(POLLIN);
	ck_quiet();
	kn_loop_remove(loop, &end->source);
	close(end->source.fd);
	peer = (struct pollfd){ .fd = end->other, .events = POLLIN };
	ck_assert_int_eq(kn_os_poll(&peer, 1, KIT_PATIENCE), 1);
	ck_assert_int_ne(peer.revents & POLLHUP, 0);
	close(end->other);
	free(end);
	ck_quiet();
	kn_loop_free(loop);
}
END_TEST

/* ---- callbacks that change what is there ---- */

static void
then_free_both(struct end *end)
{
	end->victim->victim = NULL;
	free_end(end->victim);
	free_end(end);
}

/* Both are told in one turn; whichever comes first frees both. */
START_TEST(freed_in_a_callback)
{
	struct end *a, *b;

	set_up(_i);
	a = socket_end(POLLIN);
	b = socket_end(POLLIN);
	a->victim = b;
	b->victim = a;
	a->then = b->then = then_free_both;
	feed(a);
	feed(b);
	ck_assert_int_eq(kn_loop_turn(loop, KIT_PATIENCE), 1);
	ck_quiet();
	kn_loop_free(loop);
}
END_TEST

static struct end *first;

static void
then_replace(struct end *end)
{
	struct end *victim = end->victim;
	int fd = victim->source.fd, fds[2];

	/* The same number again, but nothing to read. */
	free_end(victim);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	if (fds[0] != fd) {
		ck_assert_int_eq(dup2(fds[0], fd), fd);
		if (fds[1] == fd)
			ck_abort_msg("the number is taken");
		close(fds[0]);
		fds[0] = fd;
	}
	end->victim = new_end(fds, POLLIN);
	end->then = NULL;
	first = end;
}

START_TEST(a_number_comes_again)
{
	struct end *a, *b;

	set_up(_i);
	a = socket_end(POLLIN);
	b = socket_end(POLLIN);
	a->victim = b;
	b->victim = a;
	a->then = b->then = then_replace;
	feed(a);
	feed(b);
	ck_assert_int_eq(kn_loop_turn(loop, KIT_PATIENCE), 1);
	first->drains = true;
	ck_called(first);
	ck_quiet();
	ck_assert_int_eq(first->victim->calls, 0);
	feed(first->victim);
	ck_called(first->victim);
	free_end(first->victim);
	free_end(first);
	kn_loop_free(loop);
}
END_TEST

static void
then_silence(struct end *end)
{
	ck_kin_ok(kn_loop_change(loop, &end->victim->source, POLLOUT));
	ck_kin_ok(kn_loop_change(loop, &end->victim->source, 0));
	ck_kin_ok(kn_loop_change(loop, &end->source, 0));
}

START_TEST(changed_in_a_callback)
{
	struct end *a, *b;

	set_up(_i);
	a = socket_end(POLLIN);
	b = socket_end(POLLIN);
	a->victim = b;
	b->victim = a;
	a->then = b->then = then_silence;
	feed(a);
	feed(b);
	ck_assert_int_eq(kn_loop_turn(loop, KIT_PATIENCE), 1);
	ck_quiet();
	a->then = b->then = NULL;
	ck_kin_ok(kn_loop_change(loop, &a->source, POLLIN));
	ck_called(a);
	ck_kin_ok(kn_loop_change(loop, &a->source, POLLOUT));
	ck_called(a);
	ck_assert_uint_eq(a->events, POLLOUT);
	free_end(a);
	free_end(b);
	kn_loop_free(loop);
}
END_TEST

static void
then_add(struct end *end)
{
	if (end->victim == NULL)
		end->victim = socket_end(POLLIN);
}

START_TEST(added_in_a_callback)
{
	struct end *a;

	set_up(_i);
	a = socket_end(POLLIN);
	a->then = then_add;
	a->drains = true;
	feed(a);
	ck_called(a);
	ck_quiet();
	feed(a->victim);
	ck_called(a->victim);
	free_end(a->victim);
	free_end(a);
	kn_loop_free(loop);
}
END_TEST

/* ---- many ---- */

#define MANY	300

START_TEST(many_at_once)
{
	struct end *ends[MANY], *late;
	int i, turns;

	set_up(_i);
	for (i = 0; i < MANY; i++)
		ends[i] = socket_end(POLLIN);
	late = socket_end(POLLIN);
	ck_quiet();
	for (i = 0; i < MANY; i++)
		feed(ends[i]);
	/* All of them always ready: each has its turn. */
	for (turns = 0; turns < 100; turns++)
		ck_assert_int_gt(kn_loop_turn(loop, KIT_PATIENCE), 0);
	for (i = 0; i < MANY; i++)
		ck_assert_int_gt(ends[i]->calls, 1);
	/* Even one that becomes ready while the others keep us busy. */
	feed(late);
	ck_called(late);
	for (i = 0; i < MANY; i++)
		ends[i]->drains = true;
	late->drains = true;
	while (kn_loop_turn(loop, KIN_NOWAIT) > 0)
		;
	ck_quiet();
	for (i = 0; i < MANY; i++)
		free_end(ends[i]);
	free_end(late);
	kn_loop_free(loop);
}
END_TEST

/* ---- against a model ---- */

#define PAIRS	12

static void
one_step(struct end **ends, uint32_t *seed)
{
	static const uint32_t events[] = { 0, POLLIN, POLLOUT,
					   POLLIN | POLLOUT };
	int i = (int)(next_random(seed) % PAIRS);
	uint32_t wish = events[next_random(seed) % 4];
	struct end *end = ends[i];
	char bytes[4096] = "";

	switch (end == NULL ? 0 : next_random(seed) % 8) {
	case 0:
		free_end(end);
		ends[i] = end == NULL ? socket_end(wish) : NULL;
		break;
	case 1:
		ck_kin_ok(kn_loop_change(loop, &end->source, wish));
		break;
	case 2:
		(void)!write(end->other, "x", 1);
		break;
	case 3:
		while (read(end->source.fd, bytes, sizeof(bytes)) > 0)
			;
		break;
	case 4:
		while (write(end->source.fd, bytes, sizeof(bytes)) > 0)
			;
		break;
	case 5:
		while (read(end->other, bytes, sizeof(bytes)) > 0)
			;
		break;
	case 6:
		shutdown(end->other, SHUT_WR);
		break;
	default:
		if (end->other >= 0 && next_random(seed) % 4 == 0) {
			close(end->other);
			end->other = -1;
		}
	}
}

/*
 * Nothing changes any more: after what was told too late has been told, the
 * loop tells exactly what poll does, and all of it in one turn.
 */
static void
ck_as_poll(struct end **ends)
{
	int i, n = 0;

	(void)kn_loop_turn(loop, KIN_NOWAIT);
	for (i = 0; i < PAIRS; i++)
		if (ends[i] != NULL)
			ends[i]->events = 0;
	i = kn_loop_turn(loop, KIN_NOWAIT);
	ck_kin_ok(i);
	for (n = i, i = 0; i < PAIRS; i++) {
		struct pollfd fd;

		if (ends[i] == NULL)
			continue;
		fd = (struct pollfd){ .fd = ends[i]->source.fd,
				      .events = (short)ends[i]->source.events };
		ck_assert_int_ge(poll(&fd, 1, 0), 0);
		ck_assert_msg((uint32_t)fd.revents == ends[i]->events,
			      "end %d: poll says %x, the loop %x", i,
			      fd.revents, ends[i]->events);
		n -= fd.revents != 0;
	}
	ck_assert_int_eq(n, 0);
}

START_TEST(random_steps_as_poll)
{
	struct end *ends[PAIRS] = { NULL };
	uint32_t seed = (uint32_t)(_i / ENGINES) * 7919 + 1;
	int i, k;

	signal(SIGPIPE, SIG_IGN);
	set_up(_i % ENGINES);
	for (i = 0; i < 500; i++) {
		for (k = (int)(next_random(&seed) % 8); k >= 0; k--)
			one_step(ends, &seed);
		if (next_random(&seed) % 4 == 0)
			(void)kn_loop_turn(loop, KIN_NOWAIT);
		ck_as_poll(ends);
	}
	for (i = 0; i < PAIRS; i++)
		free_end(ends[i]);
	ck_quiet();
	kn_loop_free(loop);
}
END_TEST

/* ---- every kernel call fails in turn ---- */

static int failures;

static bool
worked(int r, int number)
{
	failures += r < 0;
	ck_assert_msg(r >= 0 || r == number, "%s (%s): %s", failed_call,
		      kin_strerror(r), kin_errmsg());
	return r >= 0;
}

/* What it does with a failure is its own affair; afterwards it works. */
static void
use(const int *a, const int *b, int number)
{
	struct end one = { .source = { a[0], POLLIN, told, &one, NULL } };
	struct end two = { .source = { b[0], POLLIN, told, &two, NULL } };

	if (!worked(kn_loop_new(&loop), number))
		return;
	while (!worked(kn_loop_add(loop, &one.source), number))
		;
	while (!worked(kn_loop_add(loop, &two.source), number))
		;
	while (one.calls == 0)
		(void)worked(kn_loop_turn(loop, KIT_PATIENCE), number);
	while (!worked(kn_loop_change(loop, &two.source, POLLOUT), number))
		;
	while (two.calls == 0)
		(void)worked(kn_loop_turn(loop, KIT_PATIENCE), number);
	while (!worked(kn_loop_change(loop, &two.source, POLLIN), number))
		;
	(void)worked(kn_loop_turn(loop, KIT_PATIENCE), number);
	kn_loop_remove(loop, &two.source);
	one.calls = two.calls = 0;
	while (one.calls == 0)
		(void)worked(kn_loop_turn(loop, KIT_PATIENCE), number);
	ck_assert_int_eq(two.calls, 0);
	kn_loop_free(loop);
}

START_TEST(any_kernel_call_may_fail)
{
	static const int numbers[] = { -ENOMEM, -EMFILE, -EPERM };
	int number = numbers[_i / ENGINES], k, a[2], b[2];
	bool struck = true;

	if (_i % ENGINES == EPOLL)
		setenv("KIN_IO", "epoll", 1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
	ck_assert_int_eq(write(a[1], "x", 1), 1);
	for (k = 1; struck; k++) {
		struct left before = left_now();

		arm(k, number);
		use(a, b, number);
		struck = disarm();
		ck_same(&before, "a loop's life", k);
	}
	ck_assert_int_ge(k, 8);
	ck_assert_int_ge(failures, _i % ENGINES == EPOLL ? 5 : 1);
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("loop sources");
	TCase *tc = kit_case(suite, "sources");

	tcase_add_loop_test(tc, readable_by_level, 0, ENGINES);
	tcase_add_loop_test(tc, writable_by_level, 0, ENGINES);
	tcase_add_loop_test(tc, half_closed_is_quiet, 0, ENGINES);
	tcase_add_loop_test(tc, a_process_ends, 0, ENGINES);
	tcase_add_loop_test(tc, what_cannot_be_watched, 0, ENGINES);
	tcase_add_loop_test(tc, removed_is_let_go, 0, ENGINES);
	tcase_add_loop_test(tc, freed_in_a_callback, 0, ENGINES);
	tcase_add_loop_test(tc, a_number_comes_again, 0, ENGINES);
	tcase_add_loop_test(tc, changed_in_a_callback, 0, ENGINES);
	tcase_add_loop_test(tc, added_in_a_callback, 0, ENGINES);
	tcase_add_loop_test(tc, many_at_once, 0, ENGINES);

	tc = kit_case(suite, "world");
	tcase_add_loop_test(tc, random_steps_as_poll, 0, 8 * ENGINES);
	tcase_add_loop_test(tc, any_kernel_call_may_fail, 0, 3 * ENGINES);
	return kit_run(suite);
}
