/* SPDX-License-Identifier: MIT */
/*
 * fuzz_frame.c - anything as a stream, in pieces, into a connection
 *
 * The input is a row of pieces: one byte whose low 6 bits and shift tell how
 * many bytes go into one sendmsg, and whether a descriptor or two go along;
 * then those bytes.  What is received in between is let go of in one of the
 * ways there are.  Nothing may crash, hang, leak a descriptor, or take memory
 * that was only announced.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kin/kin.h>

#include "shm/os.h"
#include "shm/socket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int truth)
{
	if (!truth)
		abort();
}

/* The lowest number that is free tells what was left open. */
static int
lowest_free(void)
{
	int fd = kn_os_dup(0);

	must(fd >= 0);
	kn_os_close(fd);
	return fd;
}

static int
receive(kin_conn *c, unsigned how)
{
	char buf[100];
	kin_values *v;
	void *msg;
	ssize_t r;

	switch (how) {
	case 0:
		r = kin_conn_recv(c, buf, sizeof(buf), KIN_NOWAIT);
		if (r != -EMSGSIZE)
			break;
		/* fall through */
	case 1:
		r = kin_conn_take(c, &msg, KIN_NOWAIT);
		if (r >= 0)
			free(msg);
		break;
	default:
		r = kin_conn_recv_values(c, &v, KIN_NOWAIT);
		if (r == 0)
			kin_values_free(v);
	}
	return r < 0 ? (int)r : 0;
}

/* All that is there now; of the wrong type is what the next way will take. */
static void
drain(kin_conn *c, unsigned how)
{
	int r, tries = 0;

	do {
		r = receive(c, how);
		if (r == -EINVAL)
			how = how >= 2 ? 1 : 2;
	} while ((r == 0 || r == -EINVAL) && tries++ < 10000);
	must(tries < 10000);
	must(r == -ETIMEDOUT || r == -EPIPE || r == -ECONNRESET ||
	     r == -EPROTO || r == -EMSGSIZE);
}

static size_t
send_piece(int fd, const uint8_t *data, size_t size)
{
	static const int fds[2] = { 0, 0 };
	size_t len = (size_t)(data[0] & 15) << (data[0] >> 4 & 3) * 2;
	struct iovec v;

	size--;
	if (len > size)
		len = size;
	if (len > 0) {
		v.iov_base = (void *)(uintptr_t)(data + 1);
		v.iov_len = len;
		/* Full, or refused already: it goes nowhere. */
		(void)kn_os_sendmsg(fd, &v, 1, fds, data[0] >> 6 & 1 ?
				    1 + (data[0] >> 7) : 0);
	}
	return 1 + len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kin_conn_opts opts = { .size = sizeof(opts) };
	int fds[2], before = lowest_free();
	unsigned how = 0;
	kin_conn *c;
	size_t n;

	opts.max_bytes = 1ull << 40;
	must(kn_os_socketpair(fds) == 0);
	must(kin_conn_attach(&c, fds[1], &opts) == 0);
	kn_os_close(fds[1]);
	while (size > 0) {
		how = data[0] % 3;
		n = send_piece(fds[0], data, size);
		data += n;
		size -= n;
		drain(c, how);
	}
	kn_os_close(fds[0]);
	drain(c, how);
	kin_conn_close(c);
	must(lowest_free() == before);
	return 0;
}
