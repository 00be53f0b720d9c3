/* SPDX-License-Identifier: MIT */
/*
 * loops.c - a loop for a test, on either engine, and things to watch
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/loops.h"

struct kn_loop *loop;

void
set_up(int engine)
{
	if (engine == EPOLL)
		setenv("KIN_IO", "epoll", 1);
	else
		unsetenv("KIN_IO");
	ck_kin_ok(kn_loop_new(&loop));
}

void
told(void *arg, uint32_t events)
{
	struct end *end = arg;
	char bytes[256];

	end->calls++;
	end->events = events;
	if (end->drains && (events & POLLIN))
		(void)!read(end->source.fd, bytes, sizeof(bytes));
	if (end->then != NULL)
		end->then(end);
}

struct end *
new_end(const int fds[2], uint32_t events)
{
	struct end *end = calloc(1, sizeof(*end));

	ck_assert_ptr_nonnull(end);
	end->other = fds[1];
	end->source.fd = fds[0];
	end->source.events = events;
	end->source.fn = told;
	end->source.arg = end;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	ck_kin_ok(kn_loop_add(loop, &end->source));
	return end;
}

struct end *
socket_end(uint32_t events)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	return new_end(fds, events);
}

struct end *
pipe_end(void)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	return new_end(fds, POLLIN);
}

void
feed(struct end *end)
{
	ck_assert_int_eq(write(end->other, "x", 1), 1);
}

void
free_end(struct end *end)
{
	if (end == NULL)
		return;
	kn_loop_remove(loop, &end->source);
	close(end->source.fd);
	if (end->other >= 0)
		close(end->other);
	memset(end, 0x55, sizeof(*end));
	free(end);
}

/* A turn that finds nothing. */
void
ck_quiet(void)
{
	ck_assert_int_eq(kn_loop_turn(loop, KIN_NOWAIT), 0);
	ck_assert_int_eq(kn_loop_turn(loop, kin_in_ms(2)), 0);
}

/* Turns until the end was called once more. */
void
ck_called(struct end *end)
{
	int before = end->calls;
	kin_time deadline = KIT_PATIENCE;

	while (end->calls == before) {
		int r = kn_loop_turn(loop, deadline);

		ck_kin_ok(r);
		ck_assert_int_gt(r, 0);
	}
}
