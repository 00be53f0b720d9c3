/* SPDX-License-Identifier: MIT */
/*
 * fork_client.c - a fork server, as its client knows it
 *
 * Its life: from its start, through its uses, to its end; and starts by it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/context.h"
#include "lib/fork_client.h"
#include "lib/fork_link.h"
#include "lib/hand.h"
#include "lib/image.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"
#include "shm/socket.h"

/* A server that has forked is about to say so; it is not waited for longer
   when its child is gone and nobody said when to stop waiting. */
#define PROMPT		kin_in_ms(1000)


static struct kn_server *servers;	/* by kn_self_lock */
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;

static void
init_locks(struct kn_server *s)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&s->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->moved, &attr);
	pthread_condattr_destroy(&attr);
}

/* It is our parent's.  Who held the locks there is not here. */
static void
in_child(void)
{
	struct kn_server *s;

	pthread_mutex_init(&starting, NULL);
	for (s = servers; s != NULL; s = s->next) {
		init_locks(s);
		kn_os_close(s->socket);
		s->socket = -1;
		s->dead = true;
		s->reading = false;
		s->served = NULL;
	}
	servers = NULL;
}

__attribute__((constructor)) static void
watch_forks(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

/* ---- its life ---- */

static void
list(struct kn_server *s)
{
	kn_self_lock();
	s->next = servers;
	servers = s;
	kn_self_unlock();
}

static void
unlist(struct kn_server *s)
{
	struct kn_server **at;

	kn_self_lock();
	for (at = &servers; *at != NULL; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	kn_self_unlock();
}

static void
await_end(int pidfd)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };

	(void)kn_os_poll(&end, 1, KIN_FOREVER);
}

static void
kill_server(struct kn_server *s)
{
	struct kn_sentence sentence;

	kn_sentence_save(&sentence);
	if (s->process != NULL && s->generation == kn_self_generation() &&
	    kin_process_signal(s->process, SIGKILL) == 0)
		await_end(kin_process_fd(s->process));
	kin_process_close(s->process);	/* which collects it */
	s->process = NULL;
	kn_sentence_restore(&sentence);
}

/* At our end: they are told by their clients' handles, which stay. */
void
kn_servers_end(void)
{
	struct kn_server *s;

	do {
		kn_self_lock();
		for (s = servers; s != NULL; s = s->next)
			if (s->process != NULL)
				break;
		if (s != NULL)
			s->users++;
		kn_self_unlock();
		if (s != NULL) {
			kill_server(s);
			kn_server_drop(s);
		}
	} while (s != NULL);
}

static void
end(struct kn_server *s)
{
	kill_server(s);
	unlist(s);
	kn_os_close(s->socket);
	pthread_cond_destroy(&s->moved);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

void
kn_server_drop(struct kn_server *s)
{
	bool last;

	if (s == NULL)
		return;
	kn_self_lock();
	last = --s->users == 0;
	kn_self_unlock();
	if (last)
		end(s);
}

/* Paths of libraries, each with its zero; that of prepare's among them. */
static int
list_libraries(const kin_context *c, char **ret, size_t *ret_len)
{
	const struct kin_entry *entry = NULL;
	struct kn_image image = { .path = "" };
	size_t len = 0, i;
	char *at;

	if (c->prepare != NULL)
		entry = kn_entry_of(c->prepare);
	if (entry != NULL)
		(void)kn_image_of(entry, &image);
	for (i = 0; c->libraries != NULL && c->libraries[i] != NULL; i++)
		len += strlen(c->libraries[i]) + 1;
	len += strlen(image.path) + 1;
	at = *ret = malloc(len);
	if (at == NULL)
		return kn_fail(-ENOMEM, "fork server");
	for (i = 0; c->libraries != NULL && c->libraries[i] != NULL; i++)
		at = stpcpy(at, c->libraries[i]) + 1;
	if (image.path[0] != '\0')
		at = stpcpy(at, image.path) + 1;
	*ret_len = (size_t)(at - *ret);
	return 0;
}

static int
spawn(struct kn_server *s, const kin_context *c, int socket, int client)
{
	const char *prepare = "";
	char *libraries;
	size_t len = 0;
	int r;

	if (c->prepare != NULL)
		prepare = kn_entry_name(c->prepare);
	if (prepare == NULL)
		return kn_fail(-EINVAL, "fork server: .prepare is no "
			       "KIN_ENTRY");
	r = list_libraries(c, &libraries, &len);
	if (r < 0)
		return r;
	r = kin_process_start(&s->process, kn_fork_server,
	    KIN_ARGS(KIN_FD(socket), KIN_FD(client),
		     KIN_BIN(libraries, len), prepare),
	    KIN_OPTS(kin_process_opts, .name = "kin-forkserver",
		     .context = kin_context_spawn()));
	free(libraries);
	if (r == 0)
		kn_process_apart(s->process);
	return r;
}

static int
open_and_spawn(struct kn_server *s, const kin_context *c)
{
	int ends[2], client, r;

	client = kn_os_pidfd(getpid());
	if (client < 0)
		return kn_fail(client, "fork server: our own descriptor");
	r = kn_os_socketpair(ends);
	if (r < 0) {
		kn_fail(r, "fork server: its socket");
	} else {
		s->socket = ends[0];
		r = spawn(s, c, ends[1], client);
		kn_os_close(ends[1]);
	}
	kn_os_close(client);
	return r;
}

/* Why it has ended before it could say anything; or we could not hear it. */
static int
fail_to_begin(struct kn_server *s)
{
	struct kin_status status;
	char words[80];
	int r;

	r = kin_process_result(s->process, KIN_TAKE(), PROMPT);
	if (r == -ETIMEDOUT)
		return kn_fail(-EIO, "the fork server cannot be heard");
	if (r < 0 && r != -EOWNERDEAD && r != -ENODATA)
		return r;
	r = kin_process_join(s->process, &status, KIN_NOWAIT);
	return kn_fail(-EOWNERDEAD, "the fork server ended before its first "
		       "start: %s", r < 0 ? "" :
		       kin_status_words(&status, words, sizeof(words)));
}

static int
greeting(struct kn_server *s)
{
	char said[sizeof(s->hello.start.said)];
	int r = kn_link_await(s, &s->hello.started, KIN_FOREVER);

	if (r < 0)
		return kn_fail(r, "waiting for the fork server");
	if (!s->hello.started)
		return fail_to_begin(s);
	memcpy(said, s->hello.start.said, sizeof(said));
	said[sizeof(said) - 1] = '\0';
	r = s->hello.start.number;
	return r < 0 ? kn_fail(r, "the fork server: %s", said) : 0;
}

static int
new_server(struct kn_server **ret, const kin_context *c)
{
	struct kn_server *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return kn_fail(-ENOMEM, "fork server");
	init_locks(s);
	s->socket = -1;
	s->hello.pidfd = -1;
	s->users = 1;
	s->generation = kn_self_generation();
	list(s);
	r = open_and_spawn(s, c);
	if (r == 0)
		r = greeting(s);
	if (r < 0) {
		end(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* Said to be dead, or a parent's. */
static bool
is_gone(struct kn_server *s)
{
	bool dead;

	if (s->generation != kn_self_generation())
		return true;
	pthread_mutex_lock(&s->mutex);
	if (!s->reading)
		kn_link_read(s);
	dead = s->dead;
	pthread_mutex_unlock(&s->mutex);
	return dead;
}

/* c's, with one user more. */
static int
use_server(struct kn_server **ret, kin_context *c)
{
	int r = 0, state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&starting);
	if (c->server != NULL && is_gone(c->server)) {
		kn_server_drop(c->server);
		c->server = NULL;
	}
	if (c->server == NULL)
		r = new_server(&c->server, c);
	if (r == 0) {
		kn_self_lock();
		c->server->users++;
		kn_self_unlock();
		*ret = c->server;
	}
	pthread_mutex_unlock(&starting);
	pthread_setcancelstate(state, &state);
	return r;
}

/* ---- a start ---- */

static void
serve(struct kn_server *s, struct kn_served *served)
{
	int state;

	served->server = s;
	served->pidfd = -1;
	served->started = served->ended = false;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&s->mutex);
	served->serial = ++s->serials;
	served->next = s->served;
	s->served = served;
	pthread_mutex_unlock(&s->mutex);
	pthread_setcancelstate(state, &state);
}

void
kn_served_forget(struct kn_served *served)
{
	struct kn_server *s = served->server;
	struct kn_served **at;
	int state;

	if (s == NULL)
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&s->mutex);
	for (at = &s->served; *at != NULL; at = &(*at)->next)
		if (*at == served) {
			*at = served->next;
			break;
		}
	pthread_mutex_unlock(&s->mutex);
	pthread_setcancelstate(state, &state);
	served->server = NULL;
	kn_server_drop(s);
}

/* It reads soon, or it has ended. */
static int
send_ask(struct kn_server *s, uint64_t serial, int line)
{
	struct kn_ask ask = { serial, KN_ASK_MARK };
	struct iovec v = { &ask, sizeof(ask) };
	struct pollfd fd = { .fd = s->socket, .events = POLLOUT };
	ssize_t n;
	int r = 1;

	do {
		n = kn_os_sendmsg(s->socket, &v, 1, &line, 1);
		if (n == -EAGAIN)
			r = kn_os_poll(&fd, 1, KIN_FOREVER);
	} while (n == -EAGAIN && r > 0);
	return r < 0 ? r : n < 0 ? (int)n : 0;
}

/* -EPIPE: the server has ended, and p, if it exists, will never begin. */
static int
ask(struct kn_server *s, kin_process *p, int line)
{
	struct kn_served *served = &p->served;
	int r;

	r = send_ask(s, served->serial, line);
	if (r == -EPIPE || r == -ECONNRESET)
		return -EPIPE;
	if (r == 0)
		r = kn_link_await(s, &served->started, KIN_FOREVER);
	if (r < 0)
		return kn_fail(r, "process '%s': asking the fork server",
			       p->name);
	if (!served->started)
		return -EPIPE;
	if (served->start.number < 0)
		return kn_fail(served->start.number, "process '%s': the fork "
			       "server could not", p->name);
	p->pid = served->start.pid;
	p->pidfd = served->pidfd;
	served->pidfd = -1;
	return p->pidfd < 0 ? kn_fail(-EPROTO, "process '%s': the fork server "
				      "gave no descriptor", p->name) : 0;
}

static int
hand_and_ask(struct kn_server *s, kin_process *p, struct kn_start *how)
{
	struct kn_ends ends;
	int r;

	r = kn_start_ends_open(p, &ends);
	if (r < 0)
		return r;
	r = kn_hand_give(p, how, &ends, true);
	if (r == 0)
		r = ask(s, p, ends.line);
	kn_start_ends_close(&ends);
	if (p->slip != NULL)
		kn_start_tell(p->slip, r == 0 ? KN_GO : KN_GO_NOT);
	return r;
}

/* Nothing of the attempt is left. */
static void
undo(kin_process *p)
{
	kn_start_cut(p);
	kn_os_close(p->served.pidfd);
	kn_served_forget(&p->served);
	if (p->slip != NULL)
		kn_os_unmap(p->slip, KN_SLIP_BYTES);
	p->slip = NULL;
}

/*
 * A server may have been killed at any time, and even now: then a new one is
 * asked.  One that dies of what it is asked is not asked for ever.
 */
int
kn_start_server(kin_process *p, struct kn_start *how, kin_context *c)
{
	struct kn_server *s = NULL;
	int tries, r = -EPIPE;

	kn_start_flush(true);
	for (tries = 0; tries < 3 && r == -EPIPE; tries++) {
		r = use_server(&s, c);
		if (r < 0)
			return r;
		serve(s, &p->served);
		r = hand_and_ask(s, p, how);
		if (r < 0)
			undo(p);
	}
	return r == -EPIPE ? kn_fail(-EOWNERDEAD, "process '%s': the fork "
				     "server ends when it is asked", p->name)
			   : r;
}

/* ---- an end ---- */

/*
 * Without its server whoever inherited it collects it, and then the kernel
 * tells how it ended: which is waited for a moment, and not by one who holds
 * a mutex.
 */
int
kn_served_await(struct kn_served *s, int pidfd, kin_time deadline)
{
	struct pollfd collected = { .fd = pidfd };
	kin_time prompt = PROMPT;
	int r;

	r = kn_link_await(s->server, &s->ended,
		  deadline.ns > prompt.ns ? deadline : prompt);
	if (r == 0 && kn_served_end(s) == NULL)
		(void)kn_os_poll(&collected, 1, PROMPT);
	return r;
}

const struct kn_tell *
kn_served_end(struct kn_served *s)
{
	bool ended;

	pthread_mutex_lock(&s->server->mutex);
	ended = s->ended;
	pthread_mutex_unlock(&s->server->mutex);
	return ended ? &s->end : NULL;
}
