/* SPDX-License-Identifier: MIT */
/*
 * fork_server.c - a clean process that forks for another: the process itself
 *
 * One thread, and nothing in it waits but poll.  It collects its children and
 * tells how they ended, as soon as the client reads; until then it remembers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fork_server.h"
#include "lib/hand.h"
#include "lib/load.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/os_spawn.h"
#include "shm/socket.h"

#define AGAIN_MS	10

struct child {
	uint64_t serial;
	struct kn_tell end;		/* once over */
	bool over;
	pid_t pid;
	struct child *next;
};

struct server {
	kin_call *call;
	int socket;			/* to the client; -1: it has let go */
	int client;			/* its pidfd */
	int ends;			/* SIGCHLD, as a descriptor */
	bool again;			/* something failed that may not fail
					   a moment later */
	struct child *children;
};

/* ---- telling ---- */

static int
tell(struct server *s, const struct kn_tell *t, int pidfd)
{
	struct iovec v = { (void *)(uintptr_t)t, sizeof(*t) };
	ssize_t n;

	n = kn_os_sendmsg(s->socket, &v, 1, &pidfd, pidfd >= 0);
	return n < 0 ? (int)n : 0;
}

/*
 * To a client that waits for just this, and so reads what fills the socket.
 * What cannot be told is told to have failed.
 */
static int
tell_waiting(struct server *s, struct kn_tell *t, int pidfd)
{
	struct pollfd fds[] = {
		{ .fd = s->socket, .events = POLLOUT },
		{ .fd = s->client, .events = POLLIN },
	};
	int r;

	while ((r = tell(s, t, pidfd)) == -EAGAIN) {
		r = kn_os_poll(fds, 2, KIN_FOREVER);
		if (r < 0 || fds[1].revents != 0)
			return r < 0 ? r : -EPIPE;
	}
	if (r < 0 && pidfd >= 0) {
		t->number = r;
		return tell_waiting(s, t, -1);
	}
	return r;
}

static int
greet(struct server *s, int r)
{
	struct kn_tell t = { .what = KN_TELL_HELLO, .number = r };
	struct kn_sentence last;

	if (r < 0) {
		kn_sentence_save(&last);
		memcpy(t.said, last.text, sizeof(t.said) - 1);
	}
	return tell(s, &t, -1);
}

/* The ends that the client has room for; true: some it has not. */
static bool
tell_ends(struct server *s)
{
	struct child **at = &s->children, *c;
	int r;

	while ((c = *at) != NULL) {
		if (!c->over) {
			at = &c->next;
			continue;
		}
		r = s->socket >= 0 ? tell(s, &c->end, -1) : 0;
		if (r == -EAGAIN)
			return true;
		if (r < 0 && r != -EPIPE && r != -ECONNRESET) {
			s->again = true;
			return false;
		}
		*at = c->next;
		free(c);
	}
	return false;
}

/* ---- children ---- */

static void __attribute__((noreturn))
become_child(struct server *s, int line)
{
	kn_os_close(s->socket);
	kn_os_close(s->client);
	kn_os_close(s->ends);
	kin_values_free(s->call->values);
	kn_os_signal_unblock(SIGCHLD);
	kn_hand_take(line);
}

/* The client is told of the child, or of why there is none. */
static int
start(struct server *s, uint64_t serial, int line)
{
	struct kn_tell t = { .serial = serial, .what = KN_TELL_STARTED };
	struct child *c = calloc(1, sizeof(*c));
	int pidfd = -1, r;

	t.number = -ENOMEM;
	if (c != NULL) {
		t.number = t.pid = kn_os_fork();
		if (t.pid == 0)
			become_child(s, line);
	}
	if (t.number > 0) {
		c->serial = serial;
		c->pid = t.pid;
		c->next = s->children;
		s->children = c;
		t.number = pidfd = kn_os_pidfd(t.pid);
	} else {
		free(c);
	}
	if (t.number > 0)
		t.number = 0;
	r = tell_waiting(s, &t, pidfd);
	kn_os_close(pidfd);
	return r;
}

static void
collect(struct server *s)
{
	struct rusage usage;
	siginfo_t info;
	struct child *c;
	int r;

	while ((r = kn_os_wait_any(&info, &usage)) > 0) {
		for (c = s->children; c != NULL; c = c->next)
			if (c->pid == info.si_pid && !c->over)
				break;
		if (c == NULL)
			continue;	/* of what was prepared */
		c->over = true;
		c->end = (struct kn_tell){
			.serial = c->serial, .what = KN_TELL_ENDED,
			.number = info.si_code, .pid = info.si_pid,
			.status = info.si_status,
		};
		c->end.usage = usage;
	}
	s->again |= r < 0 && r != -ECHILD;
}

/* ---- asking ---- */

/* -EPIPE: the client has let go, or cannot be told what it waits for. */
static int
serve(struct server *s)
{
	int fds[KN_SOCKET_FDS], r = 0;
	struct kn_ask ask;
	uint32_t nfds = 0, i;
	bool lost = false;
	ssize_t n;

	n = kn_os_recvmsg(s->socket, &ask, sizeof(ask), fds, &nfds, &lost);
	if (n == 0 || n == -ECONNRESET)
		return -EPIPE;
	s->again |= n < 0 && n != -EAGAIN;
	if (n == sizeof(ask) && ask.mark == KN_ASK_MARK && nfds == 1)
		r = start(s, ask.serial, fds[0]);
	for (i = 0; i < nfds; i++)
		kn_os_close(fds[i]);
	if (n == sizeof(ask) && lost) {
		struct kn_tell t = { .serial = ask.serial,
				     .what = KN_TELL_STARTED,
				     .number = -EMFILE };

		r = tell_waiting(s, &t, -1);
	}
	return r < 0 ? -EPIPE : 0;
}

/* One turn; waiting: for room in the socket, too. */
static int
turn(struct server *s, bool waiting)
{
	struct pollfd fds[] = {
		{ .fd = s->ends, .events = POLLIN },
		{ .fd = s->client, .events = POLLIN },
		{ .fd = s->socket, .events = POLLIN },
	};
	bool again = s->again;
	int r;

	if (waiting)
		fds[2].events |= POLLOUT;
	r = kn_os_poll(fds, 3, again ? kin_in_ms(AGAIN_MS) : KIN_FOREVER);
	if (r < 0)
		return r;
	if (fds[1].revents != 0)
		return -EPIPE;		/* the children's lifelines are its */
	s->again = false;
	if (fds[0].revents != 0)
		kn_os_signal_read(s->ends);
	if (fds[0].revents != 0 || again)
		collect(s);
	if ((fds[2].revents & ~POLLOUT) != 0 && serve(s) < 0) {
		kn_os_close(s->socket);
		s->socket = -1;
	}
	return 0;
}

static int
run(struct server *s)
{
	bool waiting = false;
	int r;

	do {
		r = turn(s, waiting);
		waiting = r == 0 && tell_ends(s);
	} while (r == 0 && (s->socket >= 0 || s->children != NULL));
	return r == -EPIPE ? 0 : r;
}

/* ---- beginning ---- */

/* Paths, each with its zero. */
static int
load_all(const char *at, size_t len)
{
	const char *end = at + len;
	int r = 0;

	for (; at < end && r == 0; at += strlen(at) + 1)
		r = kn_library_load(at);
	return r;
}

static int
prepare(const char *name)
{
	kin_call call = { .name = name, .file = -1 };
	const struct kin_entry *entry;
	int r, threads;

	if (name[0] == '\0')
		return 0;
	entry = kn_entry_named(name);
	if (entry == NULL)
		return kn_fail(-ENOENT, "entry '%s' is in no image that is "
			       "loaded in the fork server", name);
	r = kin_values_pack(&call.values, KIN_ARGS());
	if (r == 0) {
		r = entry->fn(&call);
		kin_values_free(call.values);
	}
	if (r < 0)
		return r;
	threads = kn_os_threads();
	return threads > 1 ? kn_fail(-EBUSY, "entry '%s' left %d threads in "
				     "the fork server", name, threads - 1) : 0;
}

int
kn_fork_server(kin_call *call)
{
	struct server s = { .call = call };
	const void *libraries;
	const char *name;
	size_t len;
	int r;

	r = kin_call_take(call, KIN_FD(&s.socket), KIN_FD(&s.client),
			  KIN_BIN(&libraries, &len), &name);
	if (r < 0)
		return r;
	r = load_all(libraries, len);
	if (r == 0)
		r = prepare(name);
	if (r == 0)
		r = s.ends = kn_os_signal_fd(SIGCHLD);
	if (greet(&s, r < 0 ? r : 0) < 0 || r < 0)
		return r < 0 ? r : -EPIPE;
	return run(&s);
}
KIN_ENTRY(kn_fork_server);
