/* SPDX-License-Identifier: MIT */
/*
 * test_fault.c - every kernel call fails in turn, and nothing is left
 *
 * The first, the second, the third kernel call of an operation fails, until
 * there is none left to fail and the operation has worked.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/os.h"
#include "tests/kit.h"

/* ---- the hook ---- */

static struct {
	pid_t pid;			/* whose calls fail; 0 = whose do not */
	pid_t spared;			/* if pid is 0: all but this one's */
	int left;			/* to the one that fails */
	int number;			/* what it fails with */
	char call[32];			/* which it was; "" = not reached */
} fault;

static int
fail_kth(const char *call)
{
	pid_t self = getpid();

	if (fault.pid != 0 ? self != fault.pid : self == fault.spared)
		return 0;
	if (--fault.left != 0)
		return 0;
	snprintf(fault.call, sizeof(fault.call), "%s", call);
	return fault.number;
}

static void
arm(int k, int number)
{
	fault.pid = getpid();
	fault.left = k;
	fault.number = number;
	fault.call[0] = '\0';
	kn_os_hook = fail_kth;
}

static bool
disarm(void)
{
	kn_os_hook = NULL;
	return fault.call[0] != '\0';
}

/* ---- what is there ---- */

struct state {
	int descriptors, mappings, names, children;
};

static int
entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* Shared ones, whatever of, and private ones of shared memory. */
static int
count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4096];
	int n = 0;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps) != NULL)
		n += strstr(line, "s 0") != NULL ||
		     strstr(line, "/memfd:") != NULL ||
		     strstr(line, "/dev/shm/") != NULL;
	fclose(maps);
	return n;
}

static int
has_child(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static struct state
look(void)
{
	int names = entries(kit_names());

	return (struct state){
		.descriptors = entries("/proc/self/fd"),
		.mappings = count_mappings(),
		.names = names > 2 ? names - 2 : 0,
		.children = has_child(),
	};
}

static void
ck_same(const struct state *before, const char *op, int k)
{
	struct state now = look();

	ck_assert_msg(memcmp(before, &now, sizeof(now)) == 0,
		      "%s, call %d (%s) failed: left are %d descriptors, %d "
		      "mappings, %d names, %d children", op, k, fault.call,
		      now.descriptors - before->descriptors,
		      now.mappings - before->mappings,
		      now.names - before->names,
		      now.children - before->children);
}

/* ---- operations ---- */

static kin_segment *there;	/* a named one, "there" */
static kin_queue *queue;
static char untouched;
#define UNTOUCHED	((void *)&untouched)

/*
 * One that makes a thing.  What it gave is used, to see that it is whole, and
 * undone.
 */
struct op {
	const char *name;
	int (*make)(void **ret);
	void (*use)(void *thing);
	void (*undo)(void *thing);
	int numbers[2];			/* plausible failures */
	const char *fatal;		/* calls that it cannot do without */
};

static int
make_anonymous(void **ret)
{
	kin_segment *seg = UNTOUCHED;
	int r = kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						  .bytes = 10000,
						  .label = "anonymous"));

	*ret = seg;
	return r;
}

/* Large enough that the machine is asked whether it has so much. */
static int
make_large(void **ret)
{
	kin_segment *seg = UNTOUCHED;
	int r = kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						  .bytes = 64 << 20));

	*ret = seg;
	return r;
}

static int
make_named(void **ret)
{
	kin_segment *seg = UNTOUCHED;
	int r = kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						  .bytes = 10000,
						  .name = "new"));

	*ret = seg;
	return r;
}

static int
make_attached(void **ret)
{
	kin_segment *seg = UNTOUCHED;
	int r = kin_segment_attach(&seg, kin_segment_fd(there));

	*ret = seg;
	return r;
}

static int
make_opened(void **ret)
{
	kin_segment *seg = UNTOUCHED;
	int r = kin_segment_open(&seg, "there");

	*ret = seg;
	return r;
}

static void
use_segment(void *thing)
{
	kin_segment *seg = thing, *again;
	char *bytes = kin_segment_data(seg);

	bytes[kin_segment_bytes(seg) - 1] = 'x';
	ck_kin_ok(kin_segment_attach(&again, kin_segment_fd(seg)));
	ck_assert_uint_eq(kin_segment_bytes(again), kin_segment_bytes(seg));
	bytes = kin_segment_data(again);
	ck_assert_int_eq(bytes[kin_segment_bytes(again) - 1], 'x');
	kin_segment_close(again);
}

static void
use_named(void *thing)
{
	kin_segment *again;

	use_segment(thing);
	ck_kin_ok(kin_segment_open(&again, "new"));
	kin_segment_close(again);
}

static void
undo_segment(void *thing)
{
	kin_segment_close(thing);
}

static void
undo_named(void *thing)
{
	kin_segment_close(thing);
	ck_kin_ok(kin_segment_unlink("new"));
}

static int
make_queue(void **ret)
{
	kin_queue *q = UNTOUCHED;
	int r = kin_queue_create(&q, NULL);

	*ret = q;
	return r;
}

static int
make_attached_queue(void **ret)
{
	kin_queue *q = UNTOUCHED;
	int r = kin_queue_attach(&q, kin_queue_fd(queue));

	*ret = q;
	return r;
}

static void
use_queue(void *thing)
{
	char c = 0;

	ck_kin_ok(kin_queue_put(thing, "q", 1, KIN_NOWAIT));
	ck_assert_int_eq(kin_queue_len(thing), 1);
	ck_kin_ok(kin_queue_get(thing, &c, 1, KIN_NOWAIT));
	ck_assert_int_eq(c, 'q');
}

static void
undo_queue(void *thing)
{
	kin_queue_close(thing);
}

static int
seven(kin_call *call)
{
	size_t len;
	const char *bytes = kin_call_bytes(call, &len);

	return len == 1 && bytes[0] == 'b' ? 7 : 8;
}

static int
make_process(void **ret)
{
	kin_process *p = UNTOUCHED;
	int r = kin_process_start(&p, seven, "b", 1, NULL);

	*ret = p;
	return r;
}

static void
use_process(void *thing)
{
	struct kin_status status;

	ck_kin_ok(kin_process_join(thing, &status, KIT_PATIENCE));
	ck_assert_uint_eq(status.how, KIN_EXITED);
	ck_assert_int_eq(status.code, 7);
}

static void
undo_process(void *thing)
{
	kin_process_close(thing);
}

static int
make_inspection(void **ret)
{
	kin_inspection *all = UNTOUCHED;
	int r = kin_inspect(&all);

	*ret = all;
	return r;
}

/* What could not be looked at is missing; what is there ends. */
static void
use_inspection(void *thing)
{
	struct kin_seen_segment seg = { 0 };
	struct kin_seen_holder holder;
	struct kin_seen_fact fact;

	while (kin_inspect_next(thing, &seg) > 0) {
		memset(&holder, 0, sizeof(holder));
		memset(&fact, 0, sizeof(fact));
		while (kin_inspect_next_holder(thing, &seg, &holder) > 0)
			ck_assert_int_gt(holder.pid, 0);
		while (kin_inspect_next_fact(thing, &seg, &fact) > 0)
			ck_assert_str_ne(fact.key, "");
	}
	ck_assert_uint_le(kin_inspect_hidden(thing), 1u << 22);
}

static void
undo_inspection(void *thing)
{
	kin_inspect_free(thing);
}

static const struct op ops[] = {
	{ "create anonymous", make_anonymous, use_segment, undo_segment,
	  { -ENOMEM, -EMFILE }, " memfd_create fallocate seal fstat mmap " },
	{ "create large", make_large, use_segment, undo_segment,
	  { -ENOSPC, -ENFILE }, " memfd_create fallocate seal fstat mmap " },
	{ "create named", make_named, use_named, undo_named,
	  { -ENOMEM, -EMFILE }, " fallocate fstat mmap link " },
	{ "attach", make_attached, use_segment, undo_segment,
	  { -ENOMEM, -EMFILE }, " fstat pread dup mmap " },
	{ "open", make_opened, use_segment, undo_segment,
	  { -ENOMEM, -EMFILE }, " open fstat pread dup mmap " },
	{ "queue create", make_queue, use_queue, undo_queue,
	  { -ENOMEM, -EMFILE },
	  " memfd_create fallocate seal fstat mmap lock madvise " },
	{ "queue attach", make_attached_queue, use_queue, undo_queue,
	  { -ENOMEM, -EMFILE }, " fstat pread dup mmap lock madvise " },
	{ "process start", make_process, use_process, undo_process,
	  { -EAGAIN, -ENOMEM }, " mmap pipe fork pidfd_open write " },
	{ "inspect", make_inspection, use_inspection, undo_inspection,
	  { -ENOMEM, -EMFILE }, "" },
};
enum { OPS = sizeof(ops) / sizeof(ops[0]), INSPECT = OPS - 1 };

static bool
cannot_do_without(const struct op *op, const char *call)
{
	char word[40];

	snprintf(word, sizeof(word), " %s ", call);
	return strstr(op->fatal, word) != NULL;
}

/* The k-th call fails.  False: there was no k-th. */
static bool
round_of(const struct op *op, int k, int number, int *failed)
{
	struct state before = look();
	void *thing;
	bool struck;
	int r;

	kit_forget();
	arm(k, number);
	r = op->make(&thing);
	struck = disarm();
	if (r < 0) {
		(*failed)++;
		ck_assert_msg(struck, "%s: %s: %s", op->name, kin_strerror(r),
			      kin_errmsg());
		ck_assert_msg(!kit_forgotten(), "%s, call %d (%s): no "
			      "sentence", op->name, k, fault.call);
		ck_assert_ptr_eq(thing, UNTOUCHED);
		/* The number is passed up; only /proc's absence is a word. */
		if (op != &ops[INSPECT])
			ck_assert_msg(r == number, "%s, call %d (%s): %s",
				      op->name, k, fault.call,
				      kin_strerror(r));
		ck_same(&before, op->name, k);
		ck_kin_ok(op->make(&thing));
	} else {
		ck_assert_msg(!struck || !cannot_do_without(op, fault.call),
			      "%s did not notice that %s failed", op->name,
			      fault.call);
		ck_assert_msg(kit_forgotten(), "%s worked, and says: %s",
			      op->name, kin_errmsg());
	}
	op->use(thing);
	op->undo(thing);
	ck_same(&before, op->name, k);
	return struck;
}

static void
set_up(void)
{
	ck_kin_ok(kin_segment_create(&there, KIN_OPTS(kin_segment_opts,
						      .bytes = 10000,
						      .name = "there")));
	ck_kin_ok(kin_queue_create(&queue, KIN_OPTS(kin_queue_opts,
						    .label = "there")));
}

static void
tear_down(void)
{
	kin_queue_close(queue);
	kin_segment_close(there);
	ck_kin_ok(kin_segment_unlink("there"));
}

/*
 * Each call; of an inspection, which makes some for each descriptor of each
 * process here, most of the first and then fewer and fewer.
 */
START_TEST(any_kernel_call_may_fail)
{
	const struct op *op = &ops[_i / 2];
	int k = 1, rounds = 0, failed = 0;

	set_up();
	while (round_of(op, k, op->numbers[_i % 2], &failed)) {
		k += 1 + (op == &ops[INSPECT] ? k / 32 : 0);
		rounds++;
	}
	/* The calls go through the door, and their failures are noticed. */
	ck_assert_int_ge(rounds, 4);
	ck_assert_int_ge(failed, 2);
	tear_down();
}
END_TEST

/* ---- a queue's first use after a fork ---- */

#define PUT	10		/* what became of it; 0 = not as promised */
#define NOT_PUT	20
#define THROUGH	30		/* there was no k-th call */

/* It takes a place anew; if it cannot, the message is not put. */
static int
put_first(int k, int number)
{
	struct state before = look();
	bool struck;
	int r;

	kit_forget();
	arm(k, number);
	r = kin_queue_put(queue, "x", 1, KIN_NOWAIT);
	struck = disarm();
	if (r == 0)
		return struck ? PUT : THROUGH;
	if (!struck || r != number || kit_forgotten())
		return 0;
	ck_same(&before, "first put", k);
	if (kin_queue_put(queue, "x", 1, KIN_NOWAIT) < 0)
		return 0;
	kin_queue_close(queue);
	return NOT_PUT;
}

static int
end_of(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

START_TEST(a_first_put_that_fails_puts_nothing)
{
	int number = _i == 0 ? -ENOMEM : -EMFILE;
	int k, end = 0, not_put = 0;

	for (k = 1; end != THROUGH; k++) {
		char c = 0;
		pid_t pid;

		ck_kin_ok(kin_queue_create(&queue, NULL));
		pid = kit_fork();
		if (pid == 0)
			_exit(put_first(k, number));
		end = end_of(pid);
		ck_assert_msg(end == PUT || end == NOT_PUT || end == THROUGH,
			      "call %d: %d", k, end);
		not_put += end == NOT_PUT;
		/* Once, however it went: by the first or by the second. */
		ck_assert_int_eq(kin_queue_len(queue), 1);
		ck_kin_ok(kin_queue_get(queue, &c, 1, KIN_NOWAIT));
		ck_assert_int_eq(c, 'x');
		kin_queue_close(queue);
	}
	ck_assert_int_ge(not_put, 3);
}
END_TEST

/* ---- a child's own calls ---- */

static int
start_with_faults_in_the_child(kin_process **ret_p, int k)
{
	int r;

	arm(k, -EIO);
	fault.pid = 0;
	fault.spared = getpid();
	r = kin_process_start(ret_p, seven, "b", 1, NULL);
	kn_os_hook = NULL;
	return r;
}

/*
 * Before its entry runs, a child makes kernel calls too.  If one fails, the
 * entry must not run, and the parent must learn of an end: from start or from
 * join, and never hang.
 */
START_TEST(a_child_whose_calls_fail_ends)
{
	struct state before = look();
	int k;

	for (k = 1; k < 20; k++) {
		struct kin_status status = { 0 };
		kin_process *p = UNTOUCHED;
		int r = start_with_faults_in_the_child(&p, k);

		if (r < 0) {
			ck_assert_ptr_eq(p, UNTOUCHED);
			ck_same(&before, "process start", k);
			continue;
		}
		ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
		kin_process_close(p);
		ck_same(&before, "process start", k);
		if (status.how == KIN_EXITED && status.code == 7)
			break;
		/* No value of an entry's, which did not run. */
		ck_assert_uint_eq(status.how, KIN_SIGNALLED);
		ck_assert_int_eq(status.signal, SIGKILL);
	}
	ck_assert_int_gt(k, 1);		/* it has a call that can fail */
	ck_assert_int_lt(k, 20);
}
END_TEST

/* In the child, all fails; the parent does not go on before its end. */
static int
tell_the_dead(const char *call)
{
	siginfo_t info;

	if (getpid() != fault.spared)
		return -EIO;
	if (strcmp(call, "futex_wake") == 0)
		(void)waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
	return 0;
}

static int
start_one_that_dies_at_once(void)
{
	struct kin_status status;
	kin_process *p;
	int r;

	fault.spared = getpid();
	kn_os_hook = tell_the_dead;
	r = kin_process_start(&p, seven, "b", 1, NULL);
	kn_os_hook = NULL;
	if (r < 0)
		return has_child() ? 1 : 0;
	if (kin_process_join(p, &status, KIT_PATIENCE) < 0 ||
	    status.how != KIN_SIGNALLED || status.signal != SIGKILL)
		return 2;
	kin_process_close(p);
	return has_child() ? 3 : 0;
}

/* Whatever kills it before its entry runs. */
START_TEST(a_child_that_dies_at_once_does_not_take_its_parent_along)
{
	pid_t pid = kit_fork();

	if (pid == 0)
		_exit(start_one_that_dies_at_once());
	kit_reap(pid, 0);
}
END_TEST

START_TEST(a_join_that_cannot_wait_may_be_tried_again)
{
	struct kin_status status;
	kin_process *p;

	ck_kin_ok(kin_process_start(&p, seven, "b", 1, NULL));
	arm(1, -ENOMEM);
	ck_kin_fails(-ENOMEM, kin_process_join(p, &status, KIT_PATIENCE));
	ck_assert(disarm());
	ck_kin_ok(kin_process_join(p, &status, KIT_PATIENCE));
	ck_assert_int_eq(status.code, 7);
	kin_process_close(p);
}
END_TEST

/* ---- futexes ---- */

static const char *refused;	/* the call that this kernel does not know */
static int refused_with;
static int refusals;
static kin_time patience;

/* A call that goes on for ever after its deadline is ended here. */
static int
refuse(const char *call)
{
	if (strcmp(call, refused) != 0)
		return 0;
	refusals++;
	if (patience.ns != 0 && kin_now().ns >= patience.ns) {
		kn_os_hook = NULL;
		ck_abort_msg("still at it a minute after its deadline, after "
			     "%d calls of %s", refusals, call);
	}
	return refused_with;
}

static void
refuse_call(const char *call, int number)
{
	refused = call;
	refused_with = number;
	refusals = 0;
	kn_os_hook = refuse;
}

static kin_queue *
narrow_queue(void)
{
	kin_queue *q;

	/* Who never spins, sleeps; and a ring this small is often full. */
	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 1,
						.spin_ns = KIN_SPIN_NEVER)));
	return q;
}

static int
echo(kin_queue *in, kin_queue *out)
{
	unsigned n;
	ssize_t r;
	int w;

	while ((r = kin_queue_get(in, &n, sizeof(n), KIT_PATIENCE)) > 0) {
		w = kin_queue_put(out, &n, sizeof(n), KIT_PATIENCE);
		if (w < 0)
			return 1;
	}
	if (r != -EPIPE || kin_queue_shutdown(out, KIT_PATIENCE) < 0)
		return 2;
	return 0;
}

/*
 * In a sandbox without FUTEX_WAKE_OP, two who wait for each other go on
 * waking each other, and the last of them learns of the end.
 */
START_TEST(queues_do_without_futex_wake_op)
{
	kin_queue *there_q = narrow_queue(), *back = narrow_queue();
	kin_time deadline = KIT_PATIENCE;
	unsigned n = 0, got;
	pid_t pid;

	refuse_call("futex_wake_op", -ENOSYS);
	pid = kit_fork();
	if (pid == 0)
		_exit(echo(there_q, back));
	while (n < 2000 || refusals < 100) {
		ck_assert_int_lt(kin_now().ns, deadline.ns);
		ck_kin_ok(kin_queue_put(there_q, &n, sizeof(n), KIT_PATIENCE));
		ck_assert_int_eq(kin_queue_get(back, &got, sizeof(got),
					       KIT_PATIENCE), sizeof(got));
		ck_assert_uint_eq(got, n);
		n++;
	}
	ck_kin_ok(kin_queue_shutdown(there_q, KIT_PATIENCE));
	ck_assert_int_eq(kin_queue_get(back, &got, sizeof(got), KIT_PATIENCE),
			 -EPIPE);
	kit_reap(pid, 0);
	kn_os_hook = NULL;
	kin_queue_close(back);
	kin_queue_close(there_q);
}
END_TEST

/* One side faster than the other, so that the ring is full or empty. */
START_TEST(a_stream_goes_on_without_futex_wake_op)
{
	enum { MESSAGES = 20000 };
	kin_queue *q = narrow_queue();
	unsigned n, got;
	pid_t pid;

	refuse_call("futex_wake_op", -ENOSYS);
	pid = kit_fork();
	if (pid == 0) {
		for (n = 0; n < MESSAGES; n++)
			if (kin_queue_put(q, &n, sizeof(n), KIT_PATIENCE) < 0)
				_exit(1);
		_exit(0);
	}
	for (n = 0; n < MESSAGES; n++) {
		ck_assert_int_eq(kin_queue_get(q, &got, sizeof(got),
					       KIT_PATIENCE), sizeof(got));
		ck_assert_uint_eq(got, n);
	}
	kit_reap(pid, 0);
	ck_assert_int_eq(kin_queue_len(q), 0);
	kn_os_hook = NULL;
	kin_queue_close(q);
}
END_TEST

static const int wait_failures[] = { -ENOMEM, -ENOSYS, -EINTR, -EPERM };

/* Not even if the kernel won't let it sleep. */
START_TEST(a_wait_that_fails_ends_by_its_deadline)
{
	kin_queue *q = narrow_queue();
	char c;

	refuse_call("futex_wait", wait_failures[_i]);
	patience = KIT_PATIENCE;
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, &c, 1, kin_in_ms(20)));
	ck_assert_int_gt(refusals, 0);
	kn_os_hook = NULL;
	while (kin_queue_put(q, "x", 1, KIN_NOWAIT) == 0)
		;
	refuse_call("futex_wait", wait_failures[_i]);
	patience = KIT_PATIENCE;
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, "x", 1, kin_in_ms(20)));
	ck_assert_int_gt(refusals, 0);
	kn_os_hook = NULL;
	kin_queue_close(q);
}
END_TEST

/* However long they were told to spin. */
START_TEST(a_wait_that_spins_ends_by_its_deadline)
{
	static const int64_t hours[] = { 3600000000000, INT64_MAX };
	kin_queue *q;
	char c;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 1,
						.spin_ns = hours[_i])));
	alarm(60);		/* what spins looks at nothing else */
	ck_kin_fails(-ETIMEDOUT, kin_queue_get(q, &c, 1, kin_in_ms(20)));
	while (kin_queue_put(q, "x", 1, KIN_NOWAIT) == 0)
		;
	ck_kin_fails(-ETIMEDOUT, kin_queue_put(q, "x", 1, kin_in_ms(20)));
	alarm(0);
	kin_queue_close(q);
}
END_TEST

/* It costs time, and nothing else. */
START_TEST(messages_come_through_though_no_wait_works)
{
	kin_queue *q = narrow_queue();
	unsigned n, got;
	pid_t pid;

	refuse_call("futex_wait", -ENOMEM);
	pid = kit_fork();
	if (pid == 0) {
		for (n = 0; n < 1000; n++)
			if (kin_queue_put(q, &n, sizeof(n), KIT_PATIENCE) < 0)
				_exit(1);
		_exit(0);
	}
	for (n = 0; n < 1000; n++) {
		ck_assert_int_eq(kin_queue_get(q, &got, sizeof(got),
					       KIT_PATIENCE), sizeof(got));
		ck_assert_uint_eq(got, n);
	}
	kit_reap(pid, 0);
	kn_os_hook = NULL;
	kin_queue_close(q);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fault");
	TCase *tc = kit_case(suite, "every call in turn");

	tcase_add_loop_test(tc, any_kernel_call_may_fail, 0, OPS * 2);
	tcase_add_loop_test(tc, a_first_put_that_fails_puts_nothing, 0, 2);

	tc = kit_case(suite, "a child's calls");
	tcase_add_test(tc, a_child_whose_calls_fail_ends);
	tcase_add_test(tc,
	    a_child_that_dies_at_once_does_not_take_its_parent_along);
	tcase_add_test(tc, a_join_that_cannot_wait_may_be_tried_again);

	tc = kit_case(suite, "futexes");
	tcase_add_test(tc, queues_do_without_futex_wake_op);
	tcase_add_test(tc, a_stream_goes_on_without_futex_wake_op);
	tcase_add_loop_test(tc, a_wait_that_fails_ends_by_its_deadline, 0,
			    sizeof(wait_failures) / sizeof(wait_failures[0]));
	tcase_add_loop_test(tc, a_wait_that_spins_ends_by_its_deadline, 0, 2);
	tcase_add_test(tc, messages_come_through_though_no_wait_works);
	return kit_run(suite);
}
