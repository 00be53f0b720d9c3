/* SPDX-License-Identifier: MIT */
/*
 * test_manager_hostile.c - clients that speak the wire by hand, and badly
 *
 * Whatever one says, the server serves the others, and nothing of it is left.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/served.h"

#include "manager/message.h"

#define T	KIT_PATIENCE

static kin_manager *m;
static kin_dict *d;

static void
begin(int engine)
{
	m = serve(engine);
	ck_kin_ok(kin_dict_create(&d, m, NULL, T));
	ck_kin_ok(kin_dict_set(d, KIN_V("k"), KIN_V(1), T));
}

/* Ours goes on, and nobody else is there. */
static void
end(void)
{
	int64_t n;

	ck_kin_ok(kin_dict_get(d, KIN_V("k"), KIN_TAKE(&n), T));
	await_sessions(m, 1);
	ck_assert_uint_eq(counts(m).objects, 1);
	kin_dict_close(d);
	unserve(m);
}

/* ---- a socket, and what goes over it ---- */

static int
knock(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s",
		 strchr(kin_manager_address(m), '/'));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

/* What does not go out, since it was ended meanwhile, does not matter. */
static void
say(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;
	ssize_t n;

	for (; len > 0; at += n, len -= (size_t)n) {
		n = send(fd, at, len, MSG_NOSIGNAL);
		if (n < 0)
			return;
	}
}

struct head {
	uint32_t mark;
	uint16_t type, flags;
	uint64_t length;
	uint32_t id, nfds;
	uint64_t object;
};
_Static_assert(sizeof(struct head) == KN_FRAME_HEAD, "head");

static struct head
head_of(uint16_t type, uint32_t id, uint64_t object, uint64_t len)
{
	return (struct head){
		.mark = htole32(KN_FRAME_MARK), .type = htole16(type),
		.length = htole64(len), .id = htole32(id),
		.object = htole64(object),
	};
}

static void
say_frame(int fd, uint16_t type, uint32_t id, uint64_t object,
	  const void *body, size_t len)
{
	struct head head = head_of(type, id, object, len);
	uint64_t tail = htole64(len ^ KN_FRAME_TAIL);
	unsigned char *all = malloc(sizeof(head) + len + sizeof(tail));

	memcpy(all, &head, sizeof(head));
	memcpy(all + sizeof(head), body, len);
	memcpy(all + sizeof(head) + len, &tail, sizeof(tail));
	say(fd, all, sizeof(head) + len + sizeof(tail));
	free(all);
}

#define say_call(fd, id, object, text)					\
	say_frame(fd, KN_CALL, id, object, "" text, sizeof(text) - 1)
#define say_hello(fd)							\
	say_frame(fd, KN_HELLO, 0, 0, "\x92\xabkin-manager\x01", 14)

static bool
hear(int fd, void *to, size_t len)
{
	char *at = to;
	ssize_t n;

	for (; len > 0; at += n, len -= (size_t)n) {
		n = recv(fd, at, len, 0);
		ck_assert_msg(n >= 0 || errno != EAGAIN, "no answer");
		if (n <= 0)
			return false;
	}
	return true;
}

/* The type of the next frame; 0: there is none, for it has ended. */
static uint16_t
hear_frame(int fd, unsigned char *body, size_t cap, struct head *ret)
{
	uint64_t tail;

	if (!hear(fd, ret, sizeof(*ret)))
		return 0;
	ck_assert_uint_eq(le32toh(ret->mark), KN_FRAME_MARK);
	ck_assert_uint_le(le64toh(ret->length), cap);
	ck_assert(hear(fd, body, le64toh(ret->length)));
	ck_assert(hear(fd, &tail, sizeof(tail)));
	ck_assert_uint_eq(le64toh(tail), le64toh(ret->length) ^ KN_FRAME_TAIL);
	return le16toh(ret->type);
}

/* Whatever is heard before the end. */
static void
ck_ended(int fd)
{
	unsigned char body[4096];
	struct head head;

	while (hear_frame(fd, body, sizeof(body), &head) != 0)
		continue;
	close(fd);
}

/* The errno of the next answer, which has that id; 0: it is no error. */
static int
hear_answer(int fd, uint32_t id)
{
	unsigned char body[4096];
	struct head head;
	kin_values *v;
	uint16_t type;
	char *words;
	int number = 0;

	do
		type = hear_frame(fd, body, sizeof(body), &head);
	while (type == KN_HELLO);
	ck_assert_uint_eq(le32toh(head.id), id);
	if (type == KN_REPLY)
		return 0;
	ck_assert_uint_eq(type, KN_ERROR);
	ck_kin_ok(kin_values_parse(&v, body, le64toh(head.length)));
	ck_kin_ok(kin_values_take(v, &number, &words));
	ck_assert_int_gt((int)strlen(words), 0);
	kin_values_free(v);
	free(words);
	return number;
}

/* ---- by hand, and well: so that the rest is bad for its own reasons ---- */

START_TEST(the_wire_can_be_spoken_by_hand)
{
	int fd;

	begin(_i);
	fd = knock();
	say_hello(fd);
	say_call(fd, 7, 0, "\x93\xa6" "create\xa7" "counter\xc0");
	ck_assert_int_eq(hear_answer(fd, 7), 0);
	ck_assert_uint_eq(counts(m).objects, 2);
	say_call(fd, 8, 0, "\x91\xa5" "count");
	ck_assert_int_eq(hear_answer(fd, 8), 0);
	say_call(fd, 9, 0, "\x91\xa5" "fly!!");
	ck_assert_int_eq(hear_answer(fd, 9), -ENOSYS);
	close(fd);
	await_objects(m, 1);
	end();
}
END_TEST

/* ---- hellos ---- */

START_TEST(who_says_nothing_and_goes)
{
	begin(_i);
	close(knock());
	end();
}
END_TEST

START_TEST(hellos_that_are_none)
{
	static const struct {
		const char *body;
		size_t len;
		uint16_t type;
	} bad[] = {
		{ "\x92\xabkin-manager\x02", 14, KN_HELLO },
		{ "\x92\xabkin-manager\x00", 14, KN_HELLO },
		{ "\x92\xabkin-MANAGER\x01", 14, KN_HELLO },
		{ "\x91\xabkin-manager", 13, KN_HELLO },
		{ "\x92\x01\x01", 3, KN_HELLO },
		{ "\x92\xabkin-manager", 13, KN_HELLO },
		{ "\xdd\xff\xff\xff\xff", 5, KN_HELLO },
		{ "", 0, KN_HELLO },
		{ "\x91\xa5" "count", 7, KN_CALL },
		{ "\x92\xabkin-manager\x01", 14, KN_REPLY },
		{ "\x92\xabkin-manager\x01", 14, 0xffff },
	};
	size_t i;
	int fd;

	begin(_i);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = knock();
		say_frame(fd, bad[i].type, 0, 0, bad[i].body, bad[i].len);
		ck_ended(fd);
	}
	end();
}
END_TEST

START_TEST(a_hello_that_is_long)
{
	unsigned char *body = calloc(1, 100000);
	int fd;

	begin(_i);
	memcpy(body, "\x92\xabkin-manager\xdb\x00\x01\x00\x00", 18);
	fd = knock();
	say_frame(fd, KN_HELLO, 0, 0, body, 18 + 65536);
	ck_ended(fd);
	free(body);
	end();
}
END_TEST

START_TEST(what_comes_after_the_hello_is_calls)
{
	static const uint16_t types[] = { 0, KN_HELLO, KN_REPLY, KN_ERROR,
					  99 };
	size_t i;
	int fd;

	begin(_i);
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		fd = knock();
		say_hello(fd);
		say_frame(fd, types[i], 1, 0, "\x91\xa5" "count", 7);
		ck_ended(fd);
	}
	end();
}
END_TEST

/* ---- frames ---- */

START_TEST(frames_cut_at_every_byte)
{
	unsigned char frame[KN_FRAME_HEAD + 7 + 8];
	struct head head = head_of(KN_CALL, 1, 0, 7);
	uint64_t tail = htole64(7 ^ KN_FRAME_TAIL);
	size_t i;
	int fd;

	memcpy(frame, &head, KN_FRAME_HEAD);
	memcpy(frame + KN_FRAME_HEAD, "\x91\xa5" "count", 7);
	memcpy(frame + KN_FRAME_HEAD + 7, &tail, 8);
	begin(_i);
	for (i = 0; i < sizeof(frame); i++) {
		fd = knock();
		say_hello(fd);
		say(fd, frame, i);
		close(fd);
	}
	end();
}
END_TEST

static void
ck_bad_head(struct head head, uint64_t tail)
{
	int fd = knock();

	say_hello(fd);
	say(fd, &head, sizeof(head));
	say(fd, "\x91\xa5" "count", 7);
	tail = htole64(tail);
	say(fd, &tail, sizeof(tail));
	ck_ended(fd);
}

START_TEST(heads_that_are_none)
{
	struct head good = head_of(KN_CALL, 1, 0, 7), bad;
	uint64_t tail = 7 ^ KN_FRAME_TAIL;

	begin(_i);
	bad = good;
	bad.mark ^= 1;
	ck_bad_head(bad, tail);
	bad = good;
	bad.length = htole64(UINT64_MAX);
	ck_bad_head(bad, tail);
	bad.length = htole64((uint64_t)1 << 40);
	ck_bad_head(bad, tail);
	bad.length = htole64(KN_REQUEST_MAX + 1);
	ck_bad_head(bad, tail);
	bad = good;
	bad.nfds = htole32(1);
	ck_bad_head(bad, tail);
	bad.nfds = htole32(UINT32_MAX);
	ck_bad_head(bad, tail);
	ck_bad_head(good, 7);
	end();
}
END_TEST

/* Descriptors are closed where they arrive: our pipe ends. */
START_TEST(descriptors_are_not_kept)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct head head = head_of(KN_CALL, 1, 0, 7);
	struct iovec v = { &head, sizeof(head) };
	struct msghdr msg = { .msg_iov = &v, .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct pollfd in = { .events = POLLIN };
	int fd, ends[2];

	begin(_i);
	ck_assert_int_eq(pipe(ends), 0);
	fd = knock();
	say_hello(fd);
	head.nfds = htole32(1);
	control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
					 .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.head), &ends[1], sizeof(int));
	ck_assert_int_eq(sendmsg(fd, &msg, 0), sizeof(head));
	close(ends[1]);
	in.fd = ends[0];
	ck_assert_int_eq(poll(&in, 1, 60000), 1);	/* nobody writes */
	ck_ended(fd);
	close(ends[0]);
	end();
}
END_TEST

START_TEST(half_a_frame_and_then_silence)
{
	struct head head = head_of(KN_CALL, 1, 0, 1000);
	int fds[20], i;
	int64_t n;

	begin(_i);
	for (i = 0; i < 20; i++) {
		fds[i] = knock();
		if (i % 2 == 0)
			say_hello(fds[i]);
		say(fds[i], &head, 1 + (size_t)i);
	}
	for (i = 0; i < 500; i++)
		ck_kin_ok(kin_dict_add(d, KIN_V("k"), 1, &n, T));
	for (i = 0; i < 20; i++)
		close(fds[i]);
	end();
}
END_TEST

/* ---- requests ---- */

#define NESTED	10000

START_TEST(requests_that_are_none)
{
	static const struct {
		const char *body;
		size_t len;
		int number;
	} bad[] = {
		{ "", 0, -EPROTO },
		{ "\x90", 1, -EPROTO },
		{ "\x01", 1, -EPROTO },
		{ "\x80", 1, -EPROTO },
		{ "\xc1", 1, -EPROTO },
		{ "\x91\x01", 2, -EPROTO },
		{ "\x91\xc4\x05" "count", 8, -EPROTO },
		{ "\x91\xa5" "coun", 6, -EPROTO },
		{ "\x91\xa5" "count\x01", 8, -EPROTO },
		{ "\xdd\xff\xff\xff\xff", 5, -EPROTO },
		{ "\xdf\xff\xff\xff\xff", 5, -EPROTO },
		{ "\x91\xdb\xff\xff\xff\xff", 6, -EPROTO },
		{ "\x91\xa0", 2, -ENOSYS },
		{ "\x92\xa5" "count\xc0", 8, -EINVAL },
		{ "\x92\xa4open\x01", 7, -EINVAL },
		{ "\x92\xa4open\xa4none", 11, -ENOENT },
		{ "\x93\xa6" "create\x01\xc0", 10, -EINVAL },
		{ "\x93\xa6" "create\xa4" "door\xc0", 14, -ENOSYS },
		{ "\x93\xa6" "create\xa6server\xc0", 16, -ENOSYS },
		{ "\x92\xa7release\x05", 10, -ENOENT },
		{ "\x92\xa7release\xff", 10, -ERANGE },
		{ "\x92\xa5share\x00", 8, -ENOENT },
		{ "\x92\xa5share\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 16,
		  -ENOENT },
		{ "\x93\xa4hold\xcf\0\0\0\1\0\0\0\1\x00", 16, -ENOENT },
	};
	uint32_t i;
	int fd;

	begin(_i);
	fd = knock();
	say_hello(fd);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		say_frame(fd, KN_CALL, i + 1, 0, bad[i].body, bad[i].len);
		ck_assert_msg(hear_answer(fd, i + 1) == bad[i].number,
			      "request %u", i);
	}
	say_call(fd, 1000, 0, "\x91\xa5" "count");
	ck_assert_int_eq(hear_answer(fd, 1000), 0);
	close(fd);
	end();
}
END_TEST

START_TEST(values_nested_ten_thousand_deep)
{
	unsigned char body[NESTED + 1];
	int fd, number;

	begin(_i);
	memset(body, 0x91, NESTED);
	body[NESTED] = 0xc0;
	fd = knock();
	say_hello(fd);
	say_frame(fd, KN_CALL, 1, 0, body, sizeof(body));
	number = hear_answer(fd, 1);
	ck_assert(number == -EPROTO || number == -EMSGSIZE);
	close(fd);
	end();
}
END_TEST

/* Ids of objects are not secret, but one must hold to let go. */
START_TEST(made_up_objects)
{
	uint64_t object;
	uint32_t i;
	int fd;

	begin(_i);
	fd = knock();
	say_hello(fd);
	for (i = 1; i < 200; i++) {
		object = (uint64_t)(i % 9) << 32 | (i % 23) << (i % 30);
		say_frame(fd, KN_CALL, i, object, "\x91\xa6whatis", 8);
		ck_assert_int_lt(hear_answer(fd, i), 0);
	}
	for (i = 0; i < 20; i++) {
		unsigned char release[] = "\x92\xa7release\xcf\0\0\0\0\0\0\0\0";

		release[13] = (unsigned char)(i / 5);
		release[17] = (unsigned char)(i % 5);
		say_frame(fd, KN_CALL, 500 + i, 0, release, 18);
		ck_assert_int_eq(hear_answer(fd, 500 + i), -ENOENT);
	}
	close(fd);
	end();
}
END_TEST

/* ---- floods ---- */

/* Bytes of memory that the server really has. */
static uint64_t
memory_of_server(void)
{
	unsigned long size, resident;
	char path[40];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm",
		 (int)kin_manager_pid(m));
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%lu %lu", &size, &resident), 2);
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/*
 * Send as much of this as is taken while we make so many calls, and never
 * read: how much memory the server had at most.
 */
static uint64_t
flood(const void *bytes, size_t len, int calls)
{
	uint64_t most = 0, now;
	int fd = knock(), i;
	int64_t n;
	ssize_t r = 0;
	size_t at = 0;

	say_hello(fd);
	for (i = 0; i < calls; ) {
		r = send(fd, (const char *)bytes + at, len - at,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (r > 0) {
			at = (at + (size_t)r) % len;
			if (at != 0)
				continue;
		}
		ck_assert(r > 0 || errno == EAGAIN);
		ck_kin_ok(kin_dict_add(d, KIN_V("k"), 1, &n, T));
		i++;
		now = memory_of_server();
		most = now > most ? now : most;
	}
	close(fd);
	return most;
}

/* So many of the same request; in *ret_len bytes, to be freed. */
static char *
many(uint32_t id, uint64_t object, const char *body, size_t len, int n,
     size_t *ret_len)
{
	struct head head = head_of(KN_CALL, id, object, len);
	uint64_t tail = htole64(len ^ KN_FRAME_TAIL);
	size_t one = sizeof(head) + len + sizeof(tail);
	char *all = malloc(one * (size_t)n), *at = all;

	ck_assert_ptr_nonnull(all);
	for (; n > 0; n--, at += one) {
		memcpy(at, &head, sizeof(head));
		memcpy(at + sizeof(head), body, len);
		memcpy(at + sizeof(head) + len, &tail, sizeof(tail));
	}
	*ret_len = (size_t)(at - all);
	return all;
}

/* The id of the object of that name, which has three letters. */
static uint64_t
id_of(const char *name)
{
	char body[] = "\x92\xa4open\xa3...";
	unsigned char answer[100];
	struct head head;
	kin_values *v;
	uint64_t id;
	int fd = knock();

	memcpy(body + 7, name, 3);
	say_hello(fd);
	say_frame(fd, KN_CALL, 1, 0, body, 10);
	while (hear_frame(fd, answer, sizeof(answer), &head) == KN_HELLO)
		continue;
	ck_kin_ok(kin_values_parse(&v, answer, le64toh(head.length)));
	ck_kin_ok(kin_values_take(v, &id, KIN_ANY));
	kin_values_free(v);
	close(fd);
	return id;
}

#define FLOOD	100000
#define BOUND	((uint64_t)64 << 20)

/* A hundred thousand answers of a megabyte each, which nobody takes. */
START_TEST(who_never_reads_costs_little)
{
	char *text = calloc(1, (1 << 20) + 1), *requests;
	uint64_t before, most;
	kin_dict *big;
	size_t len;

	begin(_i);
	memset(text, 'x', 1 << 20);
	ck_kin_ok(kin_dict_create(&big, m, "big", T));
	ck_kin_ok(kin_dict_set(big, KIN_V("k"), KIN_V(text), T));
	free(text);
	before = memory_of_server();
	requests = many(1, id_of("big"), "\x92\xa3get\xa1k", 7, FLOOD, &len);
	most = flood(requests, len, 300);
	ck_assert_msg(most < before + BOUND, "%" PRIu64 " MiB, %" PRIu64
		      " before", most >> 20, before >> 20);
	free(requests);
	ck_kin_ok(kin_manager_unlink(m, "big", T));
	kin_dict_close(big);
	await_objects(m, 1);
	end();
}
END_TEST

/* Requests without answers, faster than they are served. */
START_TEST(who_never_stops_costs_little)
{
	uint64_t before, most;
	char *requests;
	size_t len;

	begin(_i);
	before = memory_of_server();
	requests = many(0, 0, "\x91\xa5" "count", 7, FLOOD, &len);
	most = flood(requests, len, 300);
	ck_assert_msg(most < before + BOUND, "%" PRIu64 " MiB, %" PRIu64
		      " before", most >> 20, before >> 20);
	free(requests);
	end();
}
END_TEST

#define CROWD	500

START_TEST(five_hundred_at_once)
{
	struct rlimit files;
	int *fds = calloc(CROWD, sizeof(*fds));
	uint32_t i;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = files.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	begin(_i);
	for (i = 0; i < CROWD; i++) {
		fds[i] = knock();
		say_hello(fds[i]);
		say_call(fds[i], i + 1, 0, "\x93\xa6" "create\xa4" "list\xc0");
	}
	for (i = 0; i < CROWD; i++)
		ck_assert_int_eq(hear_answer(fds[i], i + 1), 0);
	ck_assert_uint_eq(counts(m).sessions, CROWD + 1);
	ck_assert_uint_eq(counts(m).objects, CROWD + 1);
	for (i = 0; i < CROWD; i++)
		close(fds[i]);
	free(fds);
	await_objects(m, 1);
	end();
}
END_TEST

/* ---- */

static Suite *
make_suite(void)
{
	Suite *s = suite_create("manager hostile");
	TCase *tc = kit_case(s, "hello");

	add_both(tc, the_wire_can_be_spoken_by_hand);
	add_both(tc, who_says_nothing_and_goes);
	add_both(tc, hellos_that_are_none);
	add_both(tc, a_hello_that_is_long);
	add_both(tc, what_comes_after_the_hello_is_calls);
	tc = kit_case(s, "frames");
	add_both(tc, frames_cut_at_every_byte);
	add_both(tc, heads_that_are_none);
	add_both(tc, descriptors_are_not_kept);
	add_both(tc, half_a_frame_and_then_silence);
	tc = kit_case(s, "requests");
	add_both(tc, requests_that_are_none);
	add_both(tc, values_nested_ten_thousand_deep);
	add_both(tc, made_up_objects);
	tc = kit_case(s, "floods");
	add_both(tc, who_never_reads_costs_little);
	add_both(tc, who_never_stops_costs_little);
	add_both(tc, five_hundred_at_once);
	return s;
}

int
main(void)
{
	return kit_run(make_suite());
}
