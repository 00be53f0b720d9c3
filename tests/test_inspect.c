/* SPDX-License-Identifier: MIT */
/*
 * test_inspect.c - what is there is seen, as it is, whatever is in it
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/os.h"
#include "tests/kit.h"

#define EVIL		100		/* spoilt queues looked at at once */
#define ROUNDS		30
#define FACTS_MOST	1100u		/* of any segment: members and some */

static kin_inspection *all;

static void
look(void)
{
	kin_inspect_free(all);
	all = NULL;
	ck_kin_ok(kin_inspect(&all));
}

static void
done(void)
{
	kin_inspect_free(all);
	all = NULL;
}

/* The one behind fd, in the last picture. */
static bool
find(int fd, struct kin_seen_segment *ret)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	memset(ret, 0, sizeof(*ret));
	while (kin_inspect_next(all, ret) > 0)
		if (ret->device == st.st_dev && ret->inode == st.st_ino)
			return true;
	return false;
}

static bool
find_name(const char *name, struct kin_seen_segment *ret)
{
	memset(ret, 0, sizeof(*ret));
	while (kin_inspect_next(all, ret) > 0)
		if (strcmp(ret->name, name) == 0)
			return true;
	return false;
}

static bool
find_holder(const struct kin_seen_segment *seg, pid_t pid,
	    struct kin_seen_holder *ret)
{
	memset(ret, 0, sizeof(*ret));
	while (kin_inspect_next_holder(all, seg, ret) > 0)
		if (ret->pid == pid)
			return true;
	return false;
}

/* The first fact of that key whose value contains part. */
static bool
has_fact(const struct kin_seen_segment *seg, const char *key, const char *part)
{
	struct kin_seen_fact fact = { 0 };

	while (kin_inspect_next_fact(all, seg, &fact) > 0)
		if (strcmp(fact.key, key) == 0 &&
		    strstr(fact.value, part) != NULL)
			return true;
	return false;
}

static void
ck_safe(const char *text, size_t cap)
{
	size_t i, len = strnlen(text, cap);

	ck_assert_uint_lt(len, cap);
	for (i = 0; i < len; i++)
		ck_assert_msg((unsigned char)text[i] >= ' ' && text[i] != 0x7f,
			      "control character in '%s'", text);
}

/* Everything in the picture ends, and is safe to print. */
static void
ck_picture(void)
{
	struct kin_seen_segment seg = { 0 };

	while (kin_inspect_next(all, &seg) > 0) {
		struct kin_seen_holder holder = { 0 };
		struct kin_seen_fact fact = { 0 };
		uint32_t holders = 0;

		ck_safe(seg.kind, sizeof(seg.kind));
		ck_safe(seg.label, sizeof(seg.label));
		ck_safe(seg.name, sizeof(seg.name));
		ck_safe(seg.trouble, sizeof(seg.trouble));
		while (kin_inspect_next_holder(all, &seg, &holder) > 0) {
			ck_safe(holder.command, sizeof(holder.command));
			holders++;
		}
		ck_assert_uint_eq(holders, seg.holders);
		while (kin_inspect_next_fact(all, &seg, &fact) > 0) {
			ck_safe(fact.key, sizeof(fact.key));
			ck_safe(fact.value, sizeof(fact.value));
		}
		ck_assert_uint_lt(fact.index, FACTS_MOST);
	}
}

static kin_queue *
new_queue(const char *label)
{
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = 4096,
						.members = 8,
						.label = label)));
	return q;
}

/* ---- segments and holders ---- */

START_TEST(an_anonymous_segment_is_seen)
{
	struct kin_seen_segment seg;
	struct kin_seen_holder holder;
	kin_segment *made;

	ck_kin_ok(kin_segment_create(&made, KIN_OPTS(kin_segment_opts,
						     .bytes = 10000,
						     .label = "plans")));
	look();
	ck_assert(find(kin_segment_fd(made), &seg));
	ck_assert_str_eq(seg.kind, "segment");
	ck_assert_str_eq(seg.label, "plans");
	ck_assert_str_eq(seg.name, "");
	ck_assert_str_eq(seg.trouble, "");
	ck_assert_uint_eq(seg.bytes, 4 * 4096);
	ck_assert_uint_eq(seg.flags, KIN_SEEN_SEALED);
	ck_assert_uint_eq(seg.uid, geteuid());
	ck_assert_int_eq(seg.creator, getpid());
	ck_assert(find_holder(&seg, getpid(), &holder));
	ck_assert_uint_eq(holder.mapped, 1);
	ck_assert_uint_eq(holder.descriptors, 1);
	ck_assert(has_fact(&seg, "body", "10000"));
	ck_picture();
	done();
	kin_segment_close(made);
}
END_TEST

START_TEST(the_life_page_makes_no_second_holder)
{
	struct kin_seen_holder holder = { 0 };
	struct kin_seen_segment seg;
	kin_queue *q = new_queue("jobs");
	int mine = 0;

	look();
	ck_assert(find(kin_queue_fd(q), &seg));
	ck_assert_str_eq(seg.kind, "queue");
	ck_assert_str_eq(seg.label, "jobs");
	while (kin_inspect_next_holder(all, &seg, &holder) > 0)
		mine += holder.pid == getpid();
	ck_assert_int_eq(mine, 1);
	ck_assert(find_holder(&seg, getpid(), &holder));
	ck_assert_uint_eq(holder.descriptors, 1);
	done();
	kin_queue_close(q);
}
END_TEST

START_TEST(a_child_that_holds_is_a_holder_until_it_ends)
{
	struct kin_seen_segment seg;
	struct kin_seen_holder holder;
	kin_queue *q = new_queue("jobs");
	pid_t pid = kit_fork();

	if (pid == 0)
		for (;;)
			pause();
	look();
	ck_assert(find(kin_queue_fd(q), &seg));
	ck_assert_uint_ge(seg.holders, 2);
	ck_assert(find_holder(&seg, pid, &holder));
	ck_assert_uint_eq(holder.mapped, 1);
	ck_assert_uint_eq(holder.descriptors, 1);
	kit_kill(pid);
	look();
	ck_assert(find(kin_queue_fd(q), &seg));
	ck_assert(!find_holder(&seg, pid, &holder));
	done();
	kin_queue_close(q);
}
END_TEST

/* Another who looks may hold it for a moment longer. */
START_TEST(what_is_closed_is_gone)
{
	struct kin_seen_segment seg = { 0 };
	struct kin_seen_holder holder;
	kin_queue *q = new_queue("short-lived");
	uint64_t inode;

	look();
	ck_assert(find(kin_queue_fd(q), &seg));
	inode = seg.inode;
	kin_queue_close(q);
	look();
	memset(&seg, 0, sizeof(seg));
	while (kin_inspect_next(all, &seg) > 0)
		ck_assert(seg.inode != inode ||
			  strcmp(seg.label, "short-lived") != 0 ||
			  !find_holder(&seg, getpid(), &holder));
	done();
}
END_TEST

START_TEST(every_descriptor_is_counted)
{
	struct kin_seen_segment seg;
	struct kin_seen_holder holder;
	kin_queue *q = new_queue("jobs");
	int i, fds[300];

	for (i = 0; i < 300; i++)
		fds[i] = dup(kin_queue_fd(q));
	look();
	ck_assert(find(kin_queue_fd(q), &seg));
	ck_assert(find_holder(&seg, getpid(), &holder));
	ck_assert_uint_eq(holder.descriptors, 301);
	for (i = 0; i < 300; i++)
		close(fds[i]);
	done();
	kin_queue_close(q);
}
END_TEST

START_TEST(what_is_only_mapped_is_seen)
{
	struct kin_seen_segment seg = { 0 };
	struct kin_seen_holder holder;
	kin_queue *q = new_queue("mapped");
	struct stat st;
	void *at;

	ck_assert_int_eq(fstat(kin_queue_fd(q), &st), 0);
	at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, kin_queue_fd(q), 0);
	ck_assert_ptr_ne(at, MAP_FAILED);
	kin_queue_close(q);
	look();
	while (kin_inspect_next(all, &seg) > 0)
		if (seg.inode == st.st_ino && seg.device == st.st_dev)
			break;
	ck_assert_str_eq(seg.label, "mapped");
	ck_assert(find_holder(&seg, getpid(), &holder));
	ck_assert_uint_eq(holder.mapped, 1);
	ck_assert_uint_eq(holder.descriptors, 0);
	/* Root may open it; others are told that they may not. */
	if (strcmp(seg.kind, "queue") == 0)
		ck_assert_str_eq(seg.trouble, "");
	else
		ck_assert_str_eq(seg.trouble, "cannot be opened");
	done();
	munmap(at, 4096);
}
END_TEST

START_TEST(many_segments_are_all_seen)
{
	struct kin_seen_segment seg;
	kin_segment *made[500];
	int i;

	for (i = 0; i < 500; i++)
		ck_kin_ok(kin_segment_create(&made[i],
					     KIN_OPTS(kin_segment_opts,
						      .bytes = 1)));
	look();
	for (i = 0; i < 500; i++) {
		ck_assert(find(kin_segment_fd(made[i]), &seg));
		kin_segment_close(made[i]);
	}
	done();
}
END_TEST

START_TEST(success_leaves_the_sentence_alone)
{
	int fd = memfd_create("kin:queue:rubbish", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, "rubbish that is longer than a header is "
			       "rubbish that is longer than a header is "
			       "rubbish that is longer than a header is "
			       "rubbish", 127), 127);
	kit_forget();
	look();
	ck_assert(kit_forgotten());
	done();
	close(fd);
}
END_TEST

/* ---- names ---- */

START_TEST(a_name_is_seen_though_nobody_holds_it)
{
	struct kin_seen_segment seg;
	kin_segment *made;

	ck_kin_ok(kin_segment_create(&made, KIN_OPTS(kin_segment_opts,
						     .bytes = 1,
						     .name = "corpus")));
	look();
	ck_assert(find(kin_segment_fd(made), &seg));
	ck_assert_str_eq(seg.name, "corpus");
	ck_assert_uint_eq(seg.flags, KIN_SEEN_NAMED);
	kin_segment_close(made);

	look();
	ck_assert(find_name("corpus", &seg));
	ck_assert_str_eq(seg.kind, "segment");
	ck_assert_str_eq(seg.trouble, "");
	ck_assert_uint_eq(seg.holders, 0);
	ck_kin_ok(kin_segment_unlink("corpus"));
	look();
	ck_assert(!find_name("corpus", &seg));
	done();
}
END_TEST

START_TEST(an_unlinked_one_is_seen_while_it_is_held)
{
	struct kin_seen_segment seg;
	struct kin_seen_holder holder;
	kin_segment *made;

	ck_kin_ok(kin_segment_create(&made, KIN_OPTS(kin_segment_opts,
						     .bytes = 1,
						     .name = "corpus")));
	ck_kin_ok(kin_segment_unlink("corpus"));
	look();
	ck_assert(find(kin_segment_fd(made), &seg));
	ck_assert_str_eq(seg.name, "");
	ck_assert_str_eq(seg.label, "corpus");
	ck_assert(find_holder(&seg, getpid(), &holder));
	done();
	kin_segment_close(made);
}
END_TEST

START_TEST(strays_among_the_names_are_shown_as_such)
{
	struct kin_seen_segment seg;
	char path[128], pipe[128];
	int fd;

	ck_assert_int_eq(mkdir(kit_names(), 0700), 0);
	snprintf(path, sizeof(path), "%s/stray\x1b[1m", kit_names());
	snprintf(pipe, sizeof(pipe), "%s/pipe", kit_names());
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "what", 4), 4);
	close(fd);
	ck_assert_int_eq(mkfifo(pipe, 0600), 0);
	look();
	ck_assert(find_name("stray?[1m", &seg));
	ck_assert_str_eq(seg.kind, "?");
	ck_assert_str_eq(seg.trouble, "4 bytes are no kin segment");
	ck_assert(find_name("pipe", &seg));
	ck_assert_str_eq(seg.trouble, "is no regular file");
	ck_picture();
	done();
	unlink(path);
	unlink(pipe);
}
END_TEST

START_TEST(the_facts_of_a_segment_tell_how_it_may_change)
{
	struct kin_seen_segment seen;
	kin_segment *seg;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
	    .bytes = 10000, .max_bytes = 1 << 20,
	    .flags = KIN_SEGMENT_GROWABLE | KIN_SEGMENT_SPARSE)));
	ck_kin_ok(kin_segment_grow(seg, 20001));
	look();
	ck_assert(find(kin_segment_fd(seg), &seen));
	ck_assert_uint_eq(seen.bytes, 4096 + 20001);
	ck_assert(has_fact(&seen, "body", "20001 bytes, of at most 1048576"));
	ck_assert(has_fact(&seen, "sparse", "4096 bytes are there"));
	ck_assert(has_fact(&seen, "sealed", "against truncation"));
	ck_kin_ok(kin_segment_publish(seg));
	look();
	ck_assert(find(kin_segment_fd(seg), &seen));
	ck_assert(has_fact(&seen, "sealed", "published"));
	ck_kin_ok(kin_segment_seal(seg));
	look();
	ck_assert(find(kin_segment_fd(seg), &seen));
	ck_assert(has_fact(&seen, "sealed", "frozen"));
	done();
	kin_segment_close(seg);
}
END_TEST

/* ---- queues ---- */

START_TEST(the_facts_of_a_queue_are_right)
{
	struct kin_seen_segment seg;
	kin_queue *q = new_queue("jobs");
	char buf[64];
	int i;

	for (i = 0; i < 12; i++)
		ck_kin_ok(kin_queue_put(q, "0123456789", 10, KIN_NOWAIT));
	for (i = 0; i < 5; i++)
		ck_kin_ok(kin_queue_get(q, buf, sizeof(buf), KIN_NOWAIT));
	look();
	ck_assert(find(kin_queue_fd(q), &seg));
	ck_assert(has_fact(&seg, "messages", "7 (224 bytes of 4096)"));
	ck_assert(has_fact(&seg, "head", "unit 10, position 10"));
	ck_assert(has_fact(&seg, "tail", "unit 24, position 24"));
	ck_assert(has_fact(&seg, "state", "open"));
	ck_assert(has_fact(&seg, "put latch", "free"));
	ck_assert(has_fact(&seg, "members", "1 of at most 8, deaths so far 0"));
	ck_kin_ok(kin_queue_shutdown(q, KIN_NOWAIT));
	look();
	ck_assert(find(kin_queue_fd(q), &seg));
	ck_assert(has_fact(&seg, "state", "shut down"));
	done();
	kin_queue_close(q);
}
END_TEST

START_TEST(living_and_dead_members_are_told_apart)
{
	struct kin_seen_segment seg;
	kin_queue *q = new_queue("jobs");
	char part[64];
	pid_t pid = kit_fork();

	if (pid == 0) {
		if (kin_queue_put(q, "", 0, KIN_NOWAIT) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	while (kin_queue_len(q) == 0)
		usleep(1000);
	look();
	ck_assert(find(kin_queue_fd(q), &seg));
	snprintf(part, sizeof(part), "pid %d, alive", (int)pid);
	ck_assert(has_fact(&seg, "member", part));
	kit_kill(pid);
	look();
	ck_assert(find(kin_queue_fd(q), &seg));
	snprintf(part, sizeof(part), "pid %d, dead", (int)pid);
	ck_assert(has_fact(&seg, "member", part));
	snprintf(part, sizeof(part), "pid %d, alive", (int)getpid());
	ck_assert(has_fact(&seg, "member", part));
	done();
	kin_queue_close(q);
}
END_TEST

/* Two processes keep it moving: no count is out of bounds. */
START_TEST(a_busy_queue_is_counted_or_said_to_be_busy)
{
	struct kin_seen_segment seg;
	kin_queue *q = new_queue("busy");
	char buf[16];
	pid_t pid = kit_fork();
	int i;

	if (pid == 0)
		for (;;) {
			if (kin_queue_put(q, "1234", 4, KIN_FOREVER) < 0 ||
			    kin_queue_get(q, buf, sizeof(buf),
					  KIN_FOREVER) < 0)
				_exit(1);
		}
	for (i = 0; i < 50; i++) {
		look();
		ck_assert(find(kin_queue_fd(q), &seg));
		ck_assert_str_eq(seg.trouble, "");
		ck_assert(has_fact(&seg, "messages", "0 (0 bytes") ||
			  has_fact(&seg, "messages", "1 (16 bytes") ||
			  has_fact(&seg, "messages", "too busy"));
	}
	kit_kill(pid);
	done();
	kin_queue_close(q);
}
END_TEST

/* ---- rubbish ---- */

static int
evil_memory(const void *bytes, size_t len)
{
	int fd = memfd_create("kin:queue:evil\x1b[2J", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, 0), (ssize_t)len);
	return fd;
}

START_TEST(foreign_memory_of_our_name_is_in_trouble)
{
	struct kin_seen_segment seg;
	unsigned char bytes[8192];
	uint64_t magic = 0x0a6765736e696b89ull;
	int random, magical, empty;
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(rand() | 1);
	random = evil_memory(bytes, sizeof(bytes));
	memcpy(bytes, &magic, sizeof(magic));
	magical = evil_memory(bytes, sizeof(bytes));
	empty = evil_memory(bytes, 0);
	look();
	ck_assert(find(random, &seg));
	ck_assert_str_eq(seg.kind, "?");
	ck_assert_str_eq(seg.label, "evil?[2J");
	ck_assert_str_eq(seg.trouble, "not a kin segment");
	ck_assert_uint_eq(seg.bytes, sizeof(bytes));
	ck_assert(find(magical, &seg));
	ck_assert_ptr_nonnull(strstr(seg.trouble, "layout"));
	ck_assert(find(empty, &seg));
	ck_assert_str_ne(seg.trouble, "");
	ck_picture();
	done();
	close(random);
	close(magical);
	close(empty);
}
END_TEST

START_TEST(other_memory_is_not_ours)
{
	struct kin_seen_segment seg;
	int fd = memfd_create("kindergarten", MFD_CLOEXEC);

	look();
	ck_assert(!find(fd, &seg));
	done();
	close(fd);
}
END_TEST

/* Change some of the places that are looked at; the ring's bytes are not. */
static void
spoil(unsigned char *bytes, size_t len)
{
	static const struct {
		size_t begin, len;
	} places[] = {
		{ 0, 128 },		/* header */
		{ 4096, 64 },		/* geometry */
		{ 4160, 64 + 8 * 32 },	/* roster */
		{ 4096 + 384, 256 },	/* sides */
	};
	int n = 1 + rand() % 6;

	while (n-- > 0) {
		size_t where = (size_t)rand() % 8;
		size_t at = where < 4 ? places[where].begin +
			    (size_t)rand() % places[where].len :
			    (size_t)rand() % len;

		if (rand() % 2)
			bytes[at] ^= (unsigned char)(1 << rand() % 8);
		else
			memset(bytes + at, rand() % 3 ? rand() : 255,
			       at + 8 <= len ? (size_t)(1 + rand() % 8) : 1);
	}
}

START_TEST(a_spoilt_queue_spoils_nothing)
{
	unsigned char bytes[12288], spoilt[sizeof(bytes)];
	kin_queue *q = new_queue("model");
	int fds[EVIL], i, round;
	struct kin_seen_segment seg;
	ssize_t len;

	ck_kin_ok(kin_queue_put(q, "message", 7, KIN_NOWAIT));
	len = pread(kin_queue_fd(q), bytes, sizeof(bytes), 0);
	ck_assert_int_gt(len, 8192);
	for (round = 0; round < ROUNDS; round++) {
		srand((unsigned)round);
		for (i = 0; i < EVIL; i++) {
			memcpy(spoilt, bytes, (size_t)len);
			spoil(spoilt, (size_t)len);
			fds[i] = evil_memory(spoilt, (size_t)(rand() % 8 ?
					     len : rand() % len));
		}
		look();
		ck_picture();
		for (i = 0; i < EVIL; i++) {
			ck_assert(find(fds[i], &seg));
			close(fds[i]);
		}
		ck_assert(find(kin_queue_fd(q), &seg));
		ck_assert_str_eq(seg.trouble, "");
	}
	done();
	kin_queue_close(q);
}
END_TEST

/* It shrinks and grows and changes while it is looked at. */
START_TEST(a_queue_that_changes_under_us_spoils_nothing)
{
	unsigned char bytes[12288], spoilt[sizeof(bytes)];
	kin_queue *q = new_queue("model");
	ssize_t len = pread(kin_queue_fd(q), bytes, sizeof(bytes), 0);
	int fd = evil_memory(bytes, (size_t)len), i;
	pid_t pid = kit_fork();

	if (pid == 0)
		for (;;) {
			memcpy(spoilt, bytes, (size_t)len);
			spoil(spoilt, (size_t)len);
			if (ftruncate(fd, rand() % len) < 0 ||
			    pwrite(fd, spoilt, (size_t)len, 0) < 0 ||
			    pwrite(fd, bytes, (size_t)len, 0) < 0)
				_exit(1);
		}
	for (i = 0; i < 100; i++) {
		look();
		ck_picture();
	}
	kit_kill(pid);
	done();
	close(fd);
	kin_queue_close(q);
}
END_TEST

/* ---- kernel calls that fail ---- */

static long calls_left;
static int failure;

static int
fail_once(const char *call)
{
	(void)call;
	return calls_left-- == 0 ? failure : 0;
}

START_TEST(any_kernel_call_may_fail)
{
	static const int failures[] = { -EMFILE, -EACCES, -ENOENT, -ENOMEM };
	kin_queue *q = new_queue("jobs");
	kin_segment *named;
	long calls, i;
	int r;

	ck_kin_ok(kin_segment_create(&named, KIN_OPTS(kin_segment_opts,
						      .bytes = 1,
						      .name = "named")));
	kn_os_hook = fail_once;
	calls_left = calls = 1000000;
	look();
	calls -= calls_left;
	for (i = 0; i < 300; i++) {
		calls_left = i < 100 ? i : rand() % calls;
		failure = failures[rand() % 4];
		done();
		r = kin_inspect(&all);
		ck_assert_int_le(r, 0);
		if (r < 0)
			ck_assert_ptr_null(all);
		else
			ck_picture();
	}
	kn_os_hook = NULL;
	done();
	ck_kin_ok(kin_segment_unlink("named"));
	kin_segment_close(named);
	kin_queue_close(q);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("inspect");
	TCase *tc = kit_case(suite, "segments and holders");

	tcase_add_test(tc, an_anonymous_segment_is_seen);
	tcase_add_test(tc, the_life_page_makes_no_second_holder);
	tcase_add_test(tc, a_child_that_holds_is_a_holder_until_it_ends);
	tcase_add_test(tc, what_is_closed_is_gone);
	tcase_add_test(tc, every_descriptor_is_counted);
	tcase_add_test(tc, what_is_only_mapped_is_seen);
	tcase_add_test(tc, many_segments_are_all_seen);
	tcase_add_test(tc, success_leaves_the_sentence_alone);

	tc = kit_case(suite, "names");
	tcase_add_test(tc, a_name_is_seen_though_nobody_holds_it);
	tcase_add_test(tc, an_unlinked_one_is_seen_while_it_is_held);
	tcase_add_test(tc, strays_among_the_names_are_shown_as_such);
	tcase_add_test(tc,
		       the_facts_of_a_segment_tell_how_it_may_change);

	tc = kit_case(suite, "queues");
	tcase_add_test(tc, the_facts_of_a_queue_are_right);
	tcase_add_test(tc, living_and_dead_members_are_told_apart);
	tcase_add_test(tc, a_busy_queue_is_counted_or_said_to_be_busy);

	tc = kit_case(suite, "rubbish");
	tcase_add_test(tc, foreign_memory_of_our_name_is_in_trouble);
	tcase_add_test(tc, other_memory_is_not_ours);
	tcase_add_test(tc, a_spoilt_queue_spoils_nothing);
	tcase_add_test(tc, a_queue_that_changes_under_us_spoils_nothing);

	tc = kit_case(suite, "failing kernel calls");
	tcase_add_test(tc, any_kernel_call_may_fail);
	return kit_run(suite);
}
