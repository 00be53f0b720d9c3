/* SPDX-License-Identifier: MIT */
/*
 * row_conn.c - there and back over a connection
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench.h"
#include "ways.h"

#define WARM	200			/* trips before the clock runs */
#define ROUND	32			/* trips between looks at the clock */
#define SMALL	WAY_BYTES
#define LARGE	65536u

/* One way of a message of that length; each waits: 0, or -errno. */
struct line {
	int (*send)(struct duo *duo, int who, const void *msg, size_t len);
	int (*recv)(struct duo *duo, int who, void *msg, size_t len);
};

static int
conn_send(struct duo *duo, int who, const void *msg, size_t len)
{
	return kin_conn_send(duo->ends[who], msg, len, duo->deadline);
}

static int
conn_recv(struct duo *duo, int who, void *msg, size_t len)
{
	ssize_t n = kin_conn_recv(duo->ends[who], msg, len, duo->deadline);

	return n < 0 ? (int)n : n == (ssize_t)len ? 0 : -EPROTO;
}

/* A stream may take, and give, less than it was asked for. */
static int
sock_send(struct duo *duo, int who, const void *msg, size_t len)
{
	const unsigned char *at = msg;
	ssize_t n;

	for (; len > 0; at += n, len -= (size_t)n) {
		n = send(duo->socks[who], at, len, MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
	}
	return 0;
}

static int
sock_recv(struct duo *duo, int who, void *msg, size_t len)
{
	unsigned char *at = msg;
	ssize_t n;

	for (; len > 0; at += n, len -= (size_t)n) {
		n = recv(duo->socks[who], at, len, 0);
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
	}
	return 0;
}

#define LINE_KIN	((struct line){ conn_send, conn_recv })
#define LINE_SOCK	((struct line){ sock_send, sock_recv })

WAY_INLINE int
trips(struct duo *duo, struct line line, uint64_t *msg, size_t len, uint64_t n)
{
	uint64_t i;
	int r = 0;

	for (i = 0; i < n && r == 0; i++) {
		way_write(msg, i);
		r = line.send(duo, 0, msg, len);
		if (r == 0)
			r = line.recv(duo, 0, msg, len);
		if (r == 0 && msg[0] != WAY_SUM(i))
			r = -EPROTO;
	}
	return r;
}

WAY_INLINE int
ping(struct duo *duo, struct line line, uint64_t *msg, size_t len)
{
	uint64_t rounds = 0;
	int64_t begin, now;
	int r = trips(duo, line, msg, len, WARM);

	begin = now = kin_now().ns;
	while (r == 0 && now - begin < (int64_t)(duo->seconds * 1e9)) {
		r = trips(duo, line, msg, len, ROUND);
		now = kin_now().ns;
		rounds++;
	}
	msg[0] = WAY_LAST;
	if (r == 0)
		r = line.send(duo, 0, msg, len);
	duo->board->figure = (double)(now - begin) / ((double)rounds * ROUND);
	return r;
}

WAY_INLINE int
pong(struct duo *duo, struct line line, uint64_t *msg, size_t len)
{
	int r;

	for (;;) {
		r = line.recv(duo, 1, msg, len);
		if (r < 0 || msg[0] == WAY_LAST)
			return r;
		msg[0] = way_read(msg);
		r = line.send(duo, 1, msg, len);
		if (r < 0)
			return r;
	}
}

WAY_INLINE int
talk(struct duo *duo, int who, struct line line, size_t len)
{
	uint64_t *msg = calloc(1, len);
	int r;

	if (msg == NULL)
		return -ENOMEM;
	r = who == 0 ? ping(duo, line, msg, len) : pong(duo, line, msg, len);
	free(msg);
	return r;
}

static int
play_kin(struct duo *duo, int who)
{
	return talk(duo, who, LINE_KIN, SMALL);
}

static int
play_sock(struct duo *duo, int who)
{
	return talk(duo, who, LINE_SOCK, SMALL);
}

static int
play_kin_large(struct duo *duo, int who)
{
	return talk(duo, who, LINE_KIN, LARGE);
}

static int
play_sock_large(struct duo *duo, int who)
{
	return talk(duo, who, LINE_SOCK, LARGE);
}

static int
run(int (*play)(struct duo *duo, int who), bool apart, double seconds,
    double *ret)
{
	struct duo duo = {
		.play = play,
		.seconds = seconds,
		.apart = apart,
	};

	return duo_run(&duo, ret);
}

static int
kin_on_one(double seconds, double *ret)
{
	return run(play_kin, false, seconds, ret);
}

static int
sock_on_one(double seconds, double *ret)
{
	return run(play_sock, false, seconds, ret);
}

static int
kin_large(double seconds, double *ret)
{
	return run(play_kin_large, false, seconds, ret);
}

static int
sock_large(double seconds, double *ret)
{
	return run(play_sock_large, false, seconds, ret);
}

static int
kin_on_two(double seconds, double *ret)
{
	return run(play_kin, true, seconds, ret);
}

static int
sock_on_two(double seconds, double *ret)
{
	return run(play_sock, true, seconds, ret);
}

const struct bench_row bench_conn_one = {
	.name = "connection, both on one CPU",
	.unit = "ns",
	.peer = "bare Unix socket",
	.kin = kin_on_one,
	.bare = sock_on_one,
	.aim = 1.3,
};

const struct bench_row bench_conn_large = {
	.name = "  connection, 64 KiB, one CPU",
	.unit = "ns",
	.peer = "bare Unix socket",
	.kin = kin_large,
	.bare = sock_large,
};

const struct bench_row bench_conn_two = {
	.name = "connection, two CPUs",
	.unit = "ns",
	.peer = "bare Unix socket",
	.kin = kin_on_two,
	.bare = sock_on_two,
	.cpus = 2,
};
