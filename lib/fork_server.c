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

/* To a client that waits for just this, and so reads what fills the socket. */
static void
tell_waiting(struct server *s, const struct kn_tell *t, int pidfd)
{
	struct pollfd fds[] = {
		{ .fd = s->socket, .events = POLLOUT },
		{ .fd = s->client, .events = POLLIN },
	};

	while (tell(s, t, pidfd) == -EAGAIN)
		if (kn_os_poll(fds, 2, KIN_FOREVER) < 0 || fds[1].revents != 0)
			return;
}

static void
greet(struct server *s, int r)
{
	struct kn_tell t = { .what = KN_TELL_HELLO, .number = r };
	struct kn_sentence last;

	if (r < 0) {
		kn_sentence_save(&last);
		memcpy(t.said, last.text, sizeof(t.said) - 1);
	}
	(void)tell(s, &t, -1);
}

/* The ends that the client has room for; true: some it has not. */
static bool
tell_ends(struct server *s)
{
	struct child **at = &s->children, *c;

	while ((c = *at) != NULL) {
		if (c->over && s->socket >= 0 &&
		    tell(s, &c->end, -1) == -EAGAIN)
			return true;
		if (c->over) {
			*at = c->next;
			free(c);
		} else {
			at = &c->next;
		}
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
	kn_os_signals_default();
	kn_hand_take(line);
}

/* Told of the child, or of why there is none; or there is nobody to tell. */
static void
start(struct server *s, uint64_t serial, int line)
{
	struct kn_tell t = { .serial = serial, .what = KN_TELL_STARTED };
	struct child *c = calloc(1, sizeof(*c));
	int pidfd = -1;

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
	tell_waiting(s, &t, pidfd);
	kn_os_close(pidfd);
}

static void
collect(struct server *s)
{
	struct rusage usage;
	siginfo_t info;
	struct child *c;

	while (kn_os_wait_any(&info, &usage) > 0) {
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
}

/* ---- asking ---- */

/* false: the client has let go. */
static bool
serve(struct server *s)
{
	int fds[KN_SOCKET_FDS];
	struct kn_ask ask;
	uint32_t nfds = 0, i;
	bool lost = false;
	ssize_t n;

	n = kn_os_recvmsg(s->socket, &ask, sizeof(ask), fds, &nfds, &lost);
	if (n == -EAGAIN)
		return true;
	if (n == sizeof(ask) && ask.mark == KN_ASK_MARK && nfds == 1)
		start(s, ask.serial, fds[0]);
	for (i = 0; i < nfds; i++)
		kn_os_close(fds[i]);
	if (n == sizeof(ask) && lost) {
		struct kn_tell t = { .serial = ask.serial,
				     .what = KN_TELL_STARTED,
				     .number = -EMFILE };

		tell_waiting(s, &t, -1);
	}
	return n > 0;
}

static int
run(struct server *s)
{
	bool waiting = false;

	for (;;) {
		struct pollfd fds[] = {
			{ .fd = s->ends, .events = POLLIN },
			{ .fd = s->client, .events = POLLIN },
			{ .fd = s->socket, .events = POLLIN },
		};
		int r;

		if (waiting)
			fds[2].events |= POLLOUT;
		r = kn_os_poll(fds, 3, KIN_FOREVER);
		if (r < 0)
			return r;
		if (fds[1].revents != 0)
			return 0;	/* the children's lifelines are its */
		if (fds[0].revents != 0) {
			kn_os_signal_read(s->ends);
			collect(s);
		}
		if (fds[2].revents & (POLLIN | POLLHUP | POLLERR) &&
		    !serve(s)) {
			kn_os_close(s->socket);
			s->socket = -1;
		}
		waiting = tell_ends(s);
		if (s->socket < 0 && s->children == NULL)
			return 0;
	}
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
	greet(&s, r < 0 ? r : 0);
	return r < 0 ? r : run(&s);
}
KIN_ENTRY(kn_fork_server);
