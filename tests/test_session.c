/* SPDX-License-Identifier: MIT */
/*
 * test_session.c - what a client says without listening, and leaves under way
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/served.h"

#define T	KIT_PATIENCE

static kin_manager *m;

/* ---- last words ---- */

enum { MANY = 1000 };

/* It has left, without a look at the answers, before the server sees one. */
static void
say_and_leave(kin_counter *n)
{
	kin_proxy *p = kin_counter_proxy(n);
	pid_t server = kin_manager_pid(m);
	kin_pending *call;
	int i;

	if (kin_counter_add(n, 1, NULL, T) < 0 || kill(server, SIGSTOP) < 0)
		_exit(1);
	for (i = 1; i < MANY; i++) {
		if (kin_proxy_begin(&call, p, "add", KIN_ARGS(1), T) < 0)
			_exit(2);
		kin_pending_drop(call);
	}
	if (kin_proxy_flush(p, T) < 0)
		_exit(3);
	kin_counter_close(n);
	kin_manager_close(m);
	if (kill(server, SIGCONT) < 0)
		_exit(4);
	pause();
}

START_TEST(what_was_said_before_leaving_is_done)
{
	kin_counter *n;
	int64_t sum;
	pid_t pid;

	m = serve(_i);
	ck_kin_ok(kin_counter_create(&n, m, NULL, T));
	pid = kit_fork();
	if (pid == 0)
		say_and_leave(n);
	do
		ck_kin_ok(kin_counter_get(n, &sum, T));
	while (sum == 0);
	await_sessions(m, 1);
	ck_kin_ok(kin_counter_get(n, &sum, T));
	ck_assert_int_eq(sum, MANY);
	kit_kill(pid);
	kin_counter_close(n);
	unserve(m);
}
END_TEST

/* ---- floods ---- */

static int
knock(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s",
		 strchr(kin_manager_address(m), '/'));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* The most memory that the server has had, in KiB. */
static long
peak(void)
{
	char path[64], line[128];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status",
		 (int)kin_manager_pid(m));
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (kib < 0 && fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "VmHWM: %ld", &kib);
	fclose(f);
	return kib;
}

static void
write_all(int fd, const char *bytes, size_t len)
{
	ssize_t n;

	for (; len > 0; bytes += n, len -= (size_t)n) {
		n = write(fd, bytes, len);
		ck_assert_int_gt(n, 0);
	}
}

/* Calls without an id, which nobody answers: nothing holds who makes them. */
START_TEST(a_flood_takes_no_memory)
{
	static const char hello[] =
	  "kin\1\x10\0\0\0\x0e\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	  "\x92\xabkin-manager\1" "\x0ekintail";
	static const char call[] =
	  "kin\1\x11\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	  "\x91\xa5" "count" "\7kintail";
	enum { ONE = sizeof(call) - 1, BATCH = 1000, BATCHES = 700 };
	char *batch = malloc(ONE * BATCH);
	long before;
	int fd, i;

	m = serve(_i);
	for (i = 0; i < BATCH; i++)
		memcpy(batch + i * ONE, call, ONE);
	before = peak();
	fd = knock();
	write_all(fd, hello, sizeof(hello) - 1);
	for (i = 0; i < BATCHES; i++)
		write_all(fd, batch, ONE * BATCH);
	close(fd);
	free(batch);
	await_sessions(m, 1);
	ck_assert_uint_ge(counts(m).calls, BATCH * BATCHES);
	ck_assert_int_lt(peak() - before, 8192);
	unserve(m);
}
END_TEST

/* ---- nobody reads ---- */

enum { LARGE = 20000, CALLS = 8000 };

static void *
end_call(void *arg)
{
	char *answer;
	long r;

	r = kin_pending_end(arg, KIN_TAKE(&answer), kin_in_ms(30000));
	if (r == 0)
		free(answer);
	return (void *)r;
}

static void
await_sleep(pthread_t *thread, void *call)
{
	ck_assert_int_eq(pthread_create(thread, NULL, end_call, call), 0);
	usleep(20000);		/* so that it is asleep; right without, too */
}

/*
 * The first thread reads for both until it has its answer.  The other must not
 * go on waiting for room: there will be none before somebody reads.
 */
START_TEST(who_waits_for_room_reads_when_nobody_does)
{
	static kin_pending *calls[CALLS];
	pthread_t first, last;
	char *text = malloc(LARGE + 1);
	kin_dict *d;
	void *r;
	int i;

	m = serve(_i);
	memset(text, 'x', LARGE);
	text[LARGE] = '\0';
	ck_kin_ok(kin_dict_create(&d, m, NULL, T));
	ck_kin_ok(kin_dict_set(d, KIN_V("k"), KIN_V(text), T));
	ck_assert_int_eq(kill(kin_manager_pid(m), SIGSTOP), 0);
	for (i = 0; i < CALLS; i++)
		ck_kin_ok(kin_proxy_begin(&calls[i], kin_dict_proxy(d), "get",
					  KIN_ARGS("k"), T));
	await_sleep(&first, calls[0]);
	await_sleep(&last, calls[CALLS - 1]);
	ck_assert_int_eq(kill(kin_manager_pid(m), SIGCONT), 0);
	pthread_join(first, &r);
	ck_assert_ptr_null(r);
	pthread_join(last, &r);
	ck_assert_ptr_null(r);
	for (i = 1; i < CALLS - 1; i++)
		kin_pending_drop(calls[i]);
	free(text);
	kin_dict_close(d);
	unserve(m);
}
END_TEST

/* ---- passed on in vain ---- */

/* What never travelled is under way to nobody. */
START_TEST(what_was_not_sent_is_not_under_way)
{
	kin_conn *a, *b;
	kin_counter *n;
	kin_queue *q;
	int i;

	m = serve(_i);
	ck_kin_ok(kin_counter_create(&n, m, NULL, T));
	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts,
						.bytes = 4096)));
	ck_kin_ok(kin_queue_put_values(q, KIN_ARGS(n), T));
	ck_kin_ok(kin_pipe(&a, &b, NULL));
	kin_conn_close(b);
	for (i = 0; i < 10; i++) {
		while (kin_queue_put_values(q, KIN_ARGS(1), KIN_NOWAIT) == 0)
			continue;
		ck_kin_fails(-ETIMEDOUT, kin_queue_put_values(q, KIN_ARGS(n),
							      KIN_NOWAIT));
		ck_kin_fails(-EPIPE, kin_conn_send_values(a, KIN_ARGS(n), T));
		ck_kin_fails(-EINVAL, kin_conn_send_values(a,
				KIN_ARGS(n, (const char *)NULL), T));
	}
	ck_assert_uint_eq(counts(m).underway, 1);
	kin_counter_close(n);
	await_objects(m, 1);
	kin_conn_close(a);
	kin_queue_close(q);
	unserve(m);
}
END_TEST

/* Its token is spent then: nothing else holds it. */
START_TEST(what_was_claimed_too_late_stays)
{
	kin_conn *a, *b;
	kin_counter *n, *same;
	kin_values *v;

	m = serve(_i);
	ck_kin_ok(kin_counter_create(&n, m, NULL, T));
	ck_kin_ok(kin_pipe(&a, &b, NULL));
	ck_kin_ok(kin_conn_send_values(a, KIN_ARGS(n), T));
	ck_kin_ok(kin_conn_recv_values(b, &v, T));
	ck_kin_ok(kin_values_take(v, &same));
	kin_counter_close(n);
	ck_assert_uint_eq(counts(m).underway, 1);
	ck_assert_int_eq(kill(kin_manager_pid(m), SIGSTOP), 0);
	ck_kin_fails(-ETIMEDOUT, kin_counter_add(same, 1, NULL, kin_in_ms(5)));
	ck_assert_ptr_nonnull(strstr(kin_errmsg(), "not sent"));
	ck_assert_int_eq(kill(kin_manager_pid(m), SIGCONT), 0);
	ck_assert_uint_eq(counts(m).underway, 0);
	ck_assert_uint_eq(counts(m).objects, 1);
	ck_kin_ok(kin_counter_add(same, 1, NULL, T));
	kin_values_free(v);
	await_objects(m, 0);
	kin_conn_close(a);
	kin_conn_close(b);
	unserve(m);
}
END_TEST

/* Another library may know more types than we do. */
START_TEST(a_proxy_of_no_known_type_is_not_taken)
{
	static const char bytes[] = "\x91\xc7\x1a\4\2\0\0\0\0\0\0\0\0"
		"\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0" "/";
	kin_proxy *p = NULL;
	kin_values *v;

	ck_kin_ok(kin_values_parse(&v, bytes, sizeof(bytes) - 1));
	ck_kin_fails(-EPROTO, kin_values_take(v, &p));
	ck_assert_ptr_null(p);
	kin_values_free(v);
}
END_TEST

/* ---- connecting ---- */

START_TEST(a_directory_open_to_others_is_not_trusted)
{
	kin_manager *other = NULL;
	char dir[256];

	m = serve(_i);
	snprintf(dir, sizeof(dir), "%s", strchr(kin_manager_address(m), '/'));
	*strrchr(dir, '/') = '\0';
	ck_assert_int_eq(chmod(dir, 0770), 0);
	ck_kin_fails(-EACCES, kin_manager_connect(&other,
						  kin_manager_address(m), T));
	ck_assert_ptr_null(other);
	ck_assert_int_eq(chmod(dir, 0700), 0);
	ck_kin_ok(kin_manager_connect(&other, kin_manager_address(m), T));
	kin_manager_close(other);
	unserve(m);
}
END_TEST

/* ---- forks ---- */

static void *
get_it(void *counter)
{
	int64_t n;

	return (void *)(long)kin_counter_get(counter, &n, T);
}

/* In a child: one thread connects, the other waits for it; so we fork. */
static void
fork_in_the_middle(kin_counter *n)
{
	pthread_t one, two;
	pid_t pid;

	alarm(30);
	pthread_create(&one, NULL, get_it, n);
	pthread_create(&two, NULL, get_it, n);
	usleep(50000);		/* so that they are at it; right without, too */
	pid = fork();
	if (pid == 0) {
		alarm(10);
		kin_counter_close(n);
		kin_manager_close(m);
		_exit(0);
	}
	kit_reap(pid, 0);
	kill(kin_manager_pid(m), SIGCONT);
	pthread_join(one, NULL);
	pthread_join(two, NULL);
	_exit(0);
}

START_TEST(a_close_after_a_fork_waits_for_nobody)
{
	kin_counter *n;
	pid_t pid;

	m = serve(_i);
	ck_kin_ok(kin_counter_create(&n, m, NULL, T));
	ck_assert_int_eq(kill(kin_manager_pid(m), SIGSTOP), 0);
	pid = kit_fork();
	if (pid == 0)
		fork_in_the_middle(n);
	kit_reap(pid, 0);
	ck_assert_int_eq(kill(kin_manager_pid(m), SIGCONT), 0);
	kin_counter_close(n);
	unserve(m);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("session");
	TCase *tc = kit_case(suite, "last words");

	add_both(tc, what_was_said_before_leaving_is_done);
	tc = kit_case(suite, "floods");
	add_both(tc, a_flood_takes_no_memory);
	add_both(tc, who_waits_for_room_reads_when_nobody_does);
	tc = kit_case(suite, "passing on");
	add_both(tc, what_was_not_sent_is_not_under_way);
	add_both(tc, what_was_claimed_too_late_stays);
	tcase_add_test(tc, a_proxy_of_no_known_type_is_not_taken);
	tc = kit_case(suite, "connecting");
	add_both(tc, a_directory_open_to_others_is_not_trusted);
	tc = kit_case(suite, "forks");
	add_both(tc, a_close_after_a_fork_waits_for_nobody);
	return kit_run(suite);
}
