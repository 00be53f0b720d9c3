/* SPDX-License-Identifier: MIT */
/*
 * test_frame.c - frames over a raw socket: pieces, descriptors, rubbish
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/frame.h"
#include "shm/socket.h"
#include "tests/fault.h"

static struct kn_stream *stream;
static int raw;				/* the other end */

static void
open_stream(void)
{
	int fds[2];

	ck_assert_int_eq(kn_os_socketpair(fds), 0);
	raw = fds[0];
	ck_kin_ok(kn_stream_new(&stream, fds[1]));
}

static void
close_stream(void)
{
	kn_stream_free(stream);
	close(raw);
}

/* ---- frames by hand ---- */

struct made {
	unsigned char bytes[512];
	size_t len;
};

static void
put(struct made *m, uint64_t n, unsigned bytes)
{
	for (; bytes > 0; bytes--, n >>= 8)
		m->bytes[m->len++] = (unsigned char)n;
}

static void
add_frame(struct made *m, uint16_t type, const char *body, uint32_t nfds)
{
	size_t len = strlen(body);

	put(m, 0x016e696b, 4);
	put(m, type, 2);
	put(m, 0x8001, 2);
	put(m, len, 8);
	put(m, 77, 4);
	put(m, nfds, 4);
	put(m, 0x1122334455667788, 8);
	memcpy(m->bytes + m->len, body, len);
	m->len += len;
	put(m, len ^ 0x6c6961746e696b00, 8);
}

static void
send_raw(const void *bytes, size_t len, uint32_t nfds)
{
	struct iovec v = { (void *)(uintptr_t)bytes, len };
	int fds[KN_SOCKET_FDS];
	uint32_t i;

	for (i = 0; i < nfds; i++)
		fds[i] = raw;
	ck_assert_int_eq(kn_os_sendmsg(raw, &v, 1, fds, nfds), (ssize_t)len);
}

/* Reads until there is a frame, or nothing. */
static int
next(struct kn_frame *f)
{
	int r;

	while ((r = kn_stream_next(stream, f)) == 0)
		if ((r = kn_stream_read(stream)) <= 0)
			return r;
	return r;
}

static void
ck_frame(uint16_t type, const char *body, uint32_t nfds)
{
	struct kn_frame f;

	ck_assert_msg(next(&f) == 1, "%s", kin_errmsg());
	ck_assert_uint_eq(f.type, type);
	ck_assert_uint_eq(f.flags, 0x8001);
	ck_assert_uint_eq(f.id, 77);
	ck_assert_uint_eq(f.object, 0x1122334455667788);
	ck_assert_uint_eq(f.nfds, nfds);
	ck_assert_uint_eq(f.len, strlen(body));
	ck_assert_mem_eq(f.body, body, f.len);
	kn_stream_drop(stream);
}

START_TEST(the_bytes_are_as_written_down)
{
	struct kn_frame head = { .type = 3, .flags = 0x8001, .id = 77,
				 .object = 0x1122334455667788 };
	struct iovec body[2] = { { "ab", 2 }, { "c", 1 } };
	struct made want = { .len = 0 };
	unsigned char got[512];

	open_stream();
	add_frame(&want, 3, "abc", 0);
	ck_assert_int_eq(kn_stream_send(stream, &head, body, 2, NULL, 0,
					KN_KEEP), 1);
	ck_assert_int_eq(recv(raw, got, sizeof(got), 0), (ssize_t)want.len);
	ck_assert_mem_eq(got, want.bytes, want.len);
	close_stream();
}
END_TEST

START_TEST(frames_may_come_in_pieces_of_any_size)
{
	struct made m = { .len = 0 };
	struct kn_frame f;
	size_t at, piece = (size_t)_i + 1, n;

	open_stream();
	add_frame(&m, 1, "first", 0);
	add_frame(&m, 2, "", 0);
	add_frame(&m, 3, "third one", 0);
	for (at = 0; at < m.len; at += n) {
		n = m.len - at < piece ? m.len - at : piece;
		send_raw(m.bytes + at, n, 0);
		(void)kn_stream_read(stream);
		if (at + n < 45)
			ck_assert_int_eq(kn_stream_next(stream, &f), 0);
	}
	ck_frame(1, "first", 0);
	ck_frame(2, "", 0);
	ck_frame(3, "third one", 0);
	ck_assert_int_eq(next(&f), 0);
	close(raw);
	ck_kin_fails(-EPIPE, next(&f));
	raw = -1;
	close_stream();
}
END_TEST

/* Read together, or one by one: each to its own. */
START_TEST(descriptors_belong_to_their_frame)
{
	static const uint32_t fds[] = { 0, 2, 0, 0, 1, 128, 0 };
	struct kn_frame f;
	unsigned i, n = sizeof(fds) / sizeof(fds[0]);
	int before;

	open_stream();
	before = kit_descriptors();
	for (i = 0; i < n; i++) {
		struct made m = { .len = 0 };

		add_frame(&m, (uint16_t)i, "body", fds[i]);
		send_raw(m.bytes, m.len, fds[i]);
		if (_i == 1)
			(void)kn_stream_read(stream);
	}
	for (i = 0; i < n; i++)
		ck_frame((uint16_t)i, "body", fds[i]);
	ck_assert_int_eq(next(&f), 0);
	ck_assert_int_eq(kit_descriptors(), before);
	close_stream();
}
END_TEST

START_TEST(taken_descriptors_are_the_takers)
{
	struct made m = { .len = 0 };
	struct kn_frame f;
	unsigned char *body;
	int before, fds[2], own;

	open_stream();
	before = kit_descriptors();
	add_frame(&m, 1, "x", 2);
	send_raw(m.bytes, m.len, 2);
	send_raw(m.bytes, m.len, 2);
	ck_assert_int_eq(next(&f), 1);
	own = f.fds[1];
	f.fds[1] = -1;
	kn_stream_drop(stream);
	ck_assert_int_eq(next(&f), 1);
	ck_kin_ok(kn_stream_keep(stream, &body, fds));
	ck_assert_int_eq(kit_descriptors(), before + 3);
	ck_assert_int_eq(body[0], 'x');
	free(body);
	close(own);
	close(fds[0]);
	close(fds[1]);
	ck_assert_int_eq(kit_descriptors(), before);
	close_stream();
}
END_TEST

/* ---- what is kept ---- */

START_TEST(what_was_kept_goes_in_order_with_its_descriptors)
{
	struct kn_frame head = { .flags = 0x8001, .id = 77,
				 .object = 0x1122334455667788 }, f;
	int before, fds[3] = { 0, 0, 0 }, other;
	struct kn_stream *from;
	struct iovec body = { "kept", 4 };

	open_stream();
	before = kit_descriptors();
	other = kn_os_dup(raw);
	ck_kin_ok(kn_stream_new(&from, other));
	for (head.type = 0; head.type < 20; head.type++)
		ck_assert_int_eq(kn_stream_send(from, &head, &body, 1, fds,
						head.type % 4, KN_LATER), 0);
	ck_assert_uint_eq(kn_stream_kept(from), 20 * 44);
	ck_assert_int_eq(next(&f), 0);
	ck_assert_int_eq(kn_stream_flush(from), 1);
	for (head.type = 0; head.type < 20; head.type++)
		ck_frame(head.type, "kept", head.type % 4);
	/* Or never goes: nothing is left. */
	ck_assert_int_eq(kn_stream_send(from, &head, &body, 1, fds, 3,
					KN_LATER), 0);
	kn_stream_free(from);
	ck_assert_int_eq(kit_descriptors(), before);
	close_stream();
}
END_TEST

START_TEST(nothing_or_all_of_it)
{
	struct kn_frame head = { .type = 1 }, f;
	static char large[3 << 20];
	struct iovec body = { large, 100 }, big = { large, sizeof(large) };
	struct kn_stream *from;
	int n = 0, i, r;

	open_stream();
	ck_kin_ok(kn_stream_new(&from, kn_os_dup(raw)));
	while ((r = kn_stream_send(from, &head, &body, 1, NULL, 0,
				   KN_NOTHING_OR_KEEP)) == 1)
		n++;
	ck_assert_int_eq(r, -EAGAIN);
	ck_assert_uint_eq(kn_stream_kept(from), 0);
	for (i = 0; i < n; i++) {
		ck_fast(next(&f) == 1 && f.len == 100);
		kn_stream_drop(stream);
	}
	/* Part of this one goes. */
	ck_assert_int_eq(kn_stream_send(from, &head, &big, 1, NULL, 0,
					KN_NOTHING_OR_KEEP), 0);
	ck_assert_uint_gt(kn_stream_kept(from), 0);
	ck_assert_int_eq(kn_stream_send(from, &head, &body, 1, NULL, 0,
					KN_NOTHING_OR_KEEP), -EAGAIN);
	while (kn_stream_flush(from) == 0)
		ck_fast(next(&f) == 0);
	ck_assert_int_eq(next(&f), 1);
	ck_assert_uint_eq(f.len, sizeof(large));
	kn_stream_free(from);
	close_stream();
}
END_TEST

/* ---- rubbish ---- */

static struct made
rubbish(int i)
{
	struct made m = { .len = 0 };

	add_frame(&m, 1, "good", 0);
	add_frame(&m, 2, "bad", i == 5 ? 129 : i == 6 ? 1 : 0);
	switch (i) {
	case 0:			/* mark */
		m.bytes[44 + 3]++;
		break;
	case 1:			/* tail */
		m.bytes[m.len - 8]++;
		break;
	case 2:			/* over the limit */
		m.bytes[44 + 8 + 4] = 1;
		break;
	case 3:			/* overflows */
		memset(m.bytes + 44 + 8, 0xff, 8);
		break;
	case 4:			/* shorter than it is */
		m.bytes[44 + 8] = 1;
		break;
	}
	return m;
}

START_TEST(rubbish_ends_the_stream)
{
	struct made m = rubbish(_i);
	struct kn_frame f;
	int want = _i == 2 || _i == 3 ? -EMSGSIZE : -EPROTO;

	open_stream();
	kn_stream_limit(stream, 1000);
	send_raw(m.bytes, m.len, 0);
	send_raw(m.bytes, m.len, 0);
	ck_frame(1, "good", 0);
	ck_kin_fails(want, next(&f));
	ck_kin_fails(want, next(&f));
	close_stream();
}
END_TEST

/* Descriptors that nobody asked for, in ways that no kin sends them. */
START_TEST(descriptors_of_no_frame_are_closed)
{
	struct made m = { .len = 0 };
	struct kn_frame f;
	int before, i;

	open_stream();
	before = kit_descriptors();
	if (_i == 4)
		kn_stream_refuse_fds(stream);
	switch (_i) {
	case 0:			/* with a frame that has none */
		add_frame(&m, 1, "x", 0);
		send_raw(m.bytes, m.len, 3);
		break;
	case 1:			/* one too many */
	case 4:
		add_frame(&m, 1, "x", 2);
		send_raw(m.bytes, m.len, 3);
		break;
	case 2:			/* with each byte of a long body */
		add_frame(&m, 1, "", 1);
		m.bytes[9] = 0xff;
		send_raw(m.bytes, m.len, 1);
		for (i = 0; i < 200; i++)
			send_raw("", 1, 1);
		break;
	default:		/* with half a head */
		send_raw("kin\1", 4, 100);
		send_raw("", 1, 100);
	}
	ck_kin_fails(-EPROTO, next(&f));
	ck_assert_int_le(kit_descriptors(), before + 300);
	kn_stream_free(stream);
	ck_assert_int_eq(kit_descriptors(), before - 1);
	close(raw);
}
END_TEST

/* More than one call may bring, and more than this process may have. */
START_TEST(descriptors_that_got_lost_are_noticed)
{
	struct rlimit few, old;
	struct made m = { .len = 0 };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(253 * sizeof(int))];
	} control = { .room = "" };
	struct iovec v;
	struct msghdr msg = { .msg_iov = &v, .msg_iovlen = 1,
			      .msg_control = &control };
	int before, i, n = _i == 0 ? 253 : 20;
	struct kn_frame f;

	open_stream();
	before = kit_descriptors();
	add_frame(&m, 1, "x", n > 128 ? 128 : (uint32_t)n);
	v = (struct iovec){ m.bytes, m.len };
	msg.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	for (i = 0; i < n; i++)
		memcpy(CMSG_DATA(&control.head) + (size_t)i * sizeof(int),
		       &raw, sizeof(int));
	ck_assert_int_eq(sendmsg(raw, &msg, 0), (ssize_t)m.len);
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = (rlim_t)before + 5;
	if (_i == 1)
		setrlimit(RLIMIT_NOFILE, &few);
	ck_kin_fails(_i == 0 ? -EPROTO : -EMFILE, next(&f));
	setrlimit(RLIMIT_NOFILE, &old);
	if (_i == 1) {
		ck_assert_int_eq(kit_descriptors(), before);
		ck_assert_int_eq(next(&f), 0);
		send_raw(m.bytes, m.len, 20);
		ck_frame(1, "x", 20);
	}
	kn_stream_free(stream);
	ck_assert_int_eq(kit_descriptors(), before - 1);
	close(raw);
}
END_TEST

/* All of them are read before the first is asked for. */
START_TEST(only_the_frames_that_lost_descriptors_are_lost)
{
	static const uint32_t nfds[] = { 0, 2, 0, 3, 1, 9, 0 };
	struct rlimit none, old;
	int before, i;
	struct kn_frame f;

	open_stream();
	before = kit_descriptors();
	for (i = 0; i < 7; i++) {
		struct made m = { .len = 0 };
		char body[2] = { (char)('a' + i), 0 };

		add_frame(&m, (uint16_t)i, body, nfds[i]);
		send_raw(m.bytes, m.len, nfds[i]);
	}
	/* Each read ends with the descriptors that it brings. */
	ck_assert_int_eq(kn_stream_read(stream), 1);
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	while (kn_stream_read(stream) == 1)
		continue;
	setrlimit(RLIMIT_NOFILE, &old);
	ck_frame(0, "a", 0);
	ck_frame(1, "b", 2);
	ck_frame(2, "c", 0);
	for (i = 3; i < 6; i++)
		ck_kin_fails(-EMFILE, next(&f));
	ck_frame(6, "g", 0);
	ck_assert_int_eq(next(&f), 0);
	ck_assert_int_eq(kit_descriptors(), before);
	close_stream();
}
END_TEST

/* Its first bytes bring them, or not; the rest comes later. */
START_TEST(a_large_frame_that_lost_its_descriptors_is_lost_whole)
{
	static unsigned char body[100000];
	struct kn_frame f, head = { .type = 5 };
	struct iovec v = { body, sizeof(body) };
	struct made m = { .len = 0 };
	struct rlimit none, old;
	struct kn_stream *other;
	int before, r;

	open_stream();
	ck_kin_ok(kn_stream_new(&other, dup(raw)));
	add_frame(&m, 1, "next", 1);
	before = kit_descriptors();
	ck_kin_ok(kn_stream_send(other, &head, &v, 1, &raw, 1, KN_KEEP));
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	while ((r = next(&f)) == 0)
		ck_kin_ok(kn_stream_flush(other));
	setrlimit(RLIMIT_NOFILE, &old);
	ck_assert_int_eq(r, -EMFILE);
	ck_assert_int_eq(kit_descriptors(), before);
	send_raw(m.bytes, m.len, 1);
	ck_frame(1, "next", 1);
	kn_stream_free(other);
	close_stream();
}
END_TEST

/* No room here, and nobody to have them: the other end's doing all the same. */
START_TEST(lost_descriptors_of_no_frame_are_rubbish)
{
	struct made m = { .len = 0 };
	struct rlimit none, old;
	struct kn_frame f;

	open_stream();
	add_frame(&m, 1, "x", 0);
	send_raw(m.bytes, m.len, 1);
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &none);
	ck_kin_fails(-EPROTO, next(&f));
	setrlimit(RLIMIT_NOFILE, &old);
	close_stream();
}
END_TEST

static rlim_t
address_space(void)
{
	FILE *statm = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	ck_assert_ptr_nonnull(statm);
	ck_assert_int_eq(fscanf(statm, "%lu", &pages), 1);
	fclose(statm);
	return (rlim_t)pages * 4096;
}

START_TEST(a_length_reserves_nothing)
{
	struct rlimit old, little;
	struct made m = { .len = 0 };
	struct kn_frame f;

	open_stream();
	kn_stream_limit(stream, UINT64_MAX);
	add_frame(&m, 1, "x", 0);
	m.bytes[8 + 6] = 0x10;		/* 2^52 */
	getrlimit(RLIMIT_AS, &old);
	little = old;
	little.rlim_cur = address_space() + (2 << 20);
	/* Sanitizers reserve terabytes for themselves. */
	if (little.rlim_cur < (rlim_t)1 << 40)
		setrlimit(RLIMIT_AS, &little);
	send_raw(m.bytes, m.len, 0);
	ck_assert_int_eq(next(&f), 0);
	send_raw(m.bytes, m.len, 0);
	ck_assert_int_eq(next(&f), 0);
	setrlimit(RLIMIT_AS, &old);
	shutdown(raw, SHUT_WR);
	ck_kin_fails(-ECONNRESET, next(&f));
	close_stream();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tc = kit_case(suite, "frames");

	tcase_add_test(tc, the_bytes_are_as_written_down);
	tcase_add_loop_test(tc, frames_may_come_in_pieces_of_any_size, 0, 60);
	tcase_add_loop_test(tc, descriptors_belong_to_their_frame, 0, 2);
	tcase_add_test(tc, taken_descriptors_are_the_takers);
	tcase_add_test(tc, what_was_kept_goes_in_order_with_its_descriptors);
	tcase_add_test(tc, nothing_or_all_of_it);
	tc = kit_case(suite, "rubbish");
	tcase_add_loop_test(tc, rubbish_ends_the_stream, 0, 7);
	tcase_add_loop_test(tc, descriptors_of_no_frame_are_closed, 0, 5);
	tcase_add_loop_test(tc, descriptors_that_got_lost_are_noticed, 0, 2);
	tcase_add_test(tc, only_the_frames_that_lost_descriptors_are_lost);
	tcase_add_test(tc,
	    a_large_frame_that_lost_its_descriptors_is_lost_whole);
	tcase_add_test(tc, lost_descriptors_of_no_frame_are_rubbish);
	tcase_add_test(tc, a_length_reserves_nothing);
	return kit_run(suite);
}
