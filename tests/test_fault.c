/* SPDX-License-Identifier: MIT */
/*
 * test_fault.c - every kernel call fails in turn, and nothing is left
 *
 * The first, the second, the third kernel call of an operation fails, until
 * there is none left to fail and the operation has worked.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fault.h"

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
	const char *text;
	int r = kin_call_take(call, &text);

	if (r < 0)
		return r;
	r = kin_call_return(call, 49);
	if (r < 0)
		return r;
	return strcmp(text, "b") == 0 ? 7 : 8;
}

static int
make_process(void **ret)
{
	kin_process *p = UNTOUCHED;
	int r = kin_process_start(&p, seven, KIN_ARGS("b"), NULL);

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
	  { -EAGAIN, -ENOMEM }, " mmap pipe socketpair fork pidfd_open write " },
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
	struct left before = left_now();
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
			      "sentence", op->name, k, failed_call);
		ck_assert_ptr_eq(thing, UNTOUCHED);
		/* The number is passed up; only /proc's absence is a word. */
		if (op != &ops[INSPECT])
			ck_assert_msg(r == number, "%s, call %d (%s): %s",
				      op->name, k, failed_call,
				      kin_strerror(r));
		ck_same(&before, op->name, k);
		ck_kin_ok(op->make(&thing));
	} else {
		ck_assert_msg(!struck || !cannot_do_without(op, failed_call),
			      "%s did not notice that %s failed", op->name,
			      failed_call);
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
	struct left before = left_now();
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

int
main(void)
{
	Suite *suite = suite_create("fault");
	TCase *tc = kit_case(suite, "every call in turn");

	tcase_add_loop_test(tc, any_kernel_call_may_fail, 0, OPS * 2);
	tcase_add_loop_test(tc, a_first_put_that_fails_puts_nothing, 0, 2);
	return kit_run(suite);
}
