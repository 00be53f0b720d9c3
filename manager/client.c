/* SPDX-License-Identifier: MIT */
/*
 * client.c - this process's connection to a server, shared by all its handles
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manager/client.h"
#include "manager/message.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"

#define REPLY_MAX	(1ull << 40)	/* memory is taken as bytes come */

static struct kn_client *clients;	/* under kn_self_lock */
static uint64_t sessions;

/* ---- the list ---- */

static void
init_waiting(struct kn_client *client)
{
	pthread_condattr_t monotonic;

	pthread_mutex_init(&client->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&client->moved, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

/* Not yet in the list. */
static struct kn_client *
new_client(uint64_t server, const char *address, size_t len)
{
	struct kn_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->refs = 1;
	client->server = server;
	client->max_bytes = KN_REQUEST_MAX;
	memcpy(client->address, address, len);
	client->generation = kn_self_generation();
	client->last = &client->first;
	init_waiting(client);
	return client;
}

static void renew(struct kn_client *client);

static void
free_client(struct kn_client *client)
{
	if (client == NULL)
		return;
	/* What the parent's threads are at must not be waited for. */
	if (client->generation != kn_self_generation())
		renew(client);
	kn_call_forget(client);
	kn_calls_free(client);
	kn_stream_free(client->stream);
	pthread_cond_destroy(&client->moved);
	pthread_mutex_destroy(&client->mutex);
	free(client);
}

/* What the server tells of itself; read without the lock. */
static void
learn(struct kn_client *client, pid_t pid, uint64_t max_bytes)
{
	__atomic_store_n(&client->pid, pid, __ATOMIC_RELAXED);
	__atomic_store_n(&client->max_bytes, max_bytes, __ATOMIC_RELAXED);
}

/* One whose connection is done with is no help, though the server may live. */
static struct kn_client *
known_locked(uint64_t server)
{
	struct kn_client *c;

	for (c = clients; c != NULL; c = c->next)
		if (c->server == server &&
		    __atomic_load_n(&c->broken, __ATOMIC_RELAXED) == 0) {
			__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
			return c;
		}
	return NULL;
}

/*
 * The one that is known already, or candidate, which is known from now on; the
 * other is freed.
 */
static struct kn_client *
settle(struct kn_client *candidate)
{
	struct kn_client *known;

	kn_self_lock();
	known = known_locked(candidate->server);
	if (known == NULL) {
		candidate->next = clients;
		clients = candidate;
	}
	kn_self_unlock();
	if (known == NULL)
		return candidate;
	if (candidate->stream != NULL)	/* it may not be connected yet */
		learn(known, candidate->pid, candidate->max_bytes);
	free_client(candidate);
	return known;
}

struct kn_client *
kn_client_hold(struct kn_client *client)
{
	__atomic_add_fetch(&client->refs, 1, __ATOMIC_RELAXED);
	return client;
}

/* One that is not the last: the last one's way out of the list needs a lock. */
static bool
drop_one_of_many(struct kn_client *client)
{
	uint32_t n = __atomic_load_n(&client->refs, __ATOMIC_RELAXED);

	while (n > 1)
		if (__atomic_compare_exchange_n(&client->refs, &n, n - 1, true,
						__ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

void
kn_client_drop(struct kn_client *client)
{
	struct kn_client **at;
	bool last;

	if (drop_one_of_many(client))
		return;
	kn_self_lock();
	last = __atomic_sub_fetch(&client->refs, 1, __ATOMIC_ACQ_REL) == 0;
	for (at = &clients; last && *at != NULL; at = &(*at)->next)
		if (*at == client) {
			*at = client->next;
			break;
		}
	kn_self_unlock();
	if (last)
		free_client(client);
}

struct kn_client *
kn_client_known(uint64_t server)
{
	struct kn_client *client;

	kn_self_lock();
	client = known_locked(server);
	kn_self_unlock();
	return client;
}

int
kn_client_find(struct kn_client **ret, uint64_t server, const char *address,
	       size_t len)
{
	struct kn_client *client = kn_client_known(server);

	if (client == NULL) {
		if (len >= KN_ADDRESS_MAX || memchr(address, 0, len) != NULL)
			return kn_fail(-EPROTO, "a proxy with an address of "
				       "%zu bytes", len);
		client = new_client(server, address, len);
		if (client == NULL)
			return kn_fail(-ENOMEM, "a manager's client");
		client = settle(client);
	}
	*ret = client;
	return 0;
}

/* ---- connecting ---- */

/* Wait for the server's hello. */
static int
receive_hello(struct kn_stream *stream, struct kn_hello *ret,
	      kin_time deadline)
{
	struct pollfd in = { .fd = kn_stream_fd(stream), .events = POLLIN };
	struct kn_frame frame;
	int r;

	while ((r = kn_stream_next(stream, &frame)) == 0) {
		r = kn_os_poll(&in, 1, deadline);
		if (r == 0)
			return kn_fail(-ETIMEDOUT, "no hello from the server: "
				       "is it stopped?");
		if (r > 0)
			r = kn_stream_read(stream);
		if (r < 0)
			return kn_fail(r == -EPIPE ? -ECONNRESET : r,
				       "the server went away");
	}
	if (r == 1) {
		r = kn_hello_of_server(&frame, ret);
		kn_stream_drop(stream);
	}
	return r;
}

static int
open_stream(struct kn_stream **ret, const char *address,
	    struct kn_hello *hello, kin_time deadline)
{
	struct kn_stream *stream;
	int fd, r;

	fd = kn_address_connect(address, deadline);
	if (fd < 0)
		return fd;
	r = kn_stream_new(&stream, fd);
	if (r < 0)
		return kn_fail(r, "a connection to '%.80s'", address);
	kn_stream_limit(stream, REPLY_MAX);
	kn_stream_refuse_fds(stream);
	r = receive_hello(stream, hello, deadline);
	if (r == 0)
		r = kn_message_send(stream, KN_HELLO, 0, 0,
				    KIN_ARGS(KN_PROTOCOL, KN_VERSION), KN_KEEP);
	if (r < 0) {
		kn_stream_free(stream);
		return r;
	}
	*ret = stream;
	return 0;
}

/* Locked, or not shared yet. */
static void
adopt(struct kn_client *client, struct kn_stream *stream,
      const struct kn_hello *hello)
{
	client->stream = stream;
	learn(client, (pid_t)hello->pid, hello->max_bytes);
	__atomic_store_n(&client->session,
			 __atomic_add_fetch(&sessions, 1, __ATOMIC_RELAXED),
			 __ATOMIC_RELEASE);
}

int
kn_client_connect(struct kn_client **ret, const char *address,
		  kin_time deadline)
{
	struct kn_client *client;
	struct kn_stream *stream;
	struct kn_hello hello;
	int r;

	r = open_stream(&stream, address, &hello, deadline);
	if (r < 0)
		return r;
	client = new_client(hello.server, address, strlen(address));
	if (client == NULL) {
		kn_stream_free(stream);
		return kn_fail(-ENOMEM, "a manager's client");
	}
	adopt(client, stream, &hello);
	*ret = settle(client);
	return 0;
}

/* Locked: the connection is done with, and so is all that waits for it. */
static void
give_up(struct kn_client *client, int r)
{
	/* What is there cannot come back: its objects went with the server. */
	__atomic_store_n(&client->broken, r == -EPIPE ? -ECONNRESET : r,
			 __ATOMIC_RELAXED);
	kn_call_all_broken(client);
}

/* Locked; gives the lock up meanwhile. */
static int
reconnect(struct kn_client *client, kin_time deadline)
{
	struct kn_stream *stream;
	struct kn_hello hello;
	int r;

	client->busy = true;
	pthread_mutex_unlock(&client->mutex);
	r = open_stream(&stream, client->address, &hello, deadline);
	if (r == 0 && hello.server != client->server) {
		kn_stream_free(stream);
		r = kn_fail(-ECONNRESET, "the server at '%.80s' is another "
			    "than before", client->address);
	}
	pthread_mutex_lock(&client->mutex);
	client->busy = false;
	if (client->waiting > 0)
		pthread_cond_broadcast(&client->moved);
	if (r == 0)
		adopt(client, stream, &hello);
	else if (r == -ENOENT || r == -ECONNRESET)
		give_up(client, kn_fail(r = -ECONNRESET, "the server at "
					"'%.80s' has gone", client->address));
	return r;
}

/* ---- the lock ---- */

/*
 * If the fork came while another thread was in here, the connection may be in
 * the middle of a change, and is let lie; all but its descriptor.
 */
static void
leave_to_parent(struct kn_client *client)
{
	bool touched = pthread_mutex_trylock(&client->mutex) != 0;

	if (!touched) {
		kn_stream_free(client->stream);
		kn_call_forget(client);
	} else if (client->stream != NULL) {
		kn_os_close(kn_stream_fd(client->stream));
	}
	client->first = NULL;
	client->last = &client->first;
}

/*
 * In a child: nobody else is here, whatever the mutex says, and the connection
 * is the parent's.  Its pending calls are in the parent.
 */
static void
renew(struct kn_client *client)
{
	kn_self_lock();
	if (client->generation != kn_self_known()) {
		leave_to_parent(client);
		client->stream = NULL;
		client->session = 0;
		client->busy = false;
		client->waiting = 0;
		init_waiting(client);
		__atomic_store_n(&client->generation,
				 kn_self_known(),
				 __ATOMIC_RELEASE);
	}
	kn_self_unlock();
}

uint64_t
kn_client_session(const struct kn_client *client)
{
	if (__atomic_load_n(&client->generation, __ATOMIC_ACQUIRE) !=
	    kn_self_generation())
		return 0;
	return __atomic_load_n(&client->session, __ATOMIC_ACQUIRE);
}

/*
 * A thread that is cancelled in here would keep the lock, or the reader's role;
 * so it is only when it has left.
 */
static __thread int cancel_state;

static void
unlock(struct kn_client *client)
{
	int state = cancel_state;

	pthread_mutex_unlock(&client->mutex);
	pthread_setcancelstate(state, &state);
}

static void
lock(struct kn_client *client)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	cancel_state = state;
	if (__atomic_load_n(&client->generation, __ATOMIC_ACQUIRE) !=
	    kn_self_generation())
		renew(client);
	pthread_mutex_lock(&client->mutex);
}

/* Locked: wait until another thread has done its turn. */
static int
await_other(struct kn_client *client, kin_time deadline)
{
	struct timespec until = {
		.tv_sec = deadline.ns / 1000000000,
		.tv_nsec = deadline.ns % 1000000000,
	};
	int r = 0;

	client->waiting++;
	if (deadline.ns == KIN_FOREVER.ns)
		pthread_cond_wait(&client->moved, &client->mutex);
	else
		r = pthread_cond_timedwait(&client->moved, &client->mutex,
					   &until);
	client->waiting--;
	return r == ETIMEDOUT ? -ETIMEDOUT : 0;
}

int
kn_client_enter(struct kn_client *client, kin_time deadline)
{
	int r = 0;

	lock(client);
	while (r == 0 && client->broken == 0 && client->stream == NULL) {
		if (client->busy)
			r = await_other(client, deadline);
		else
			r = reconnect(client, deadline);
	}
	if (r == 0 && client->broken != 0)
		r = kn_fail(client->broken, "the server at '%.80s' has gone",
			    client->address);
	else if (r == -ETIMEDOUT)
		r = kn_fail(r, "not sent: no connection to '%.80s' until the "
			    "deadline", client->address);
	if (r < 0)
		unlock(client);
	return r;
}

void
kn_client_leave(struct kn_client *client)
{
	unlock(client);
}

/* ---- traffic ---- */

/* Locked: read what has come, and give it to those who wait. */
static void
take_in(struct kn_client *client)
{
	struct kn_frame frame;
	int r, end;

	end = kn_stream_read(client->stream);
	while ((r = kn_stream_next(client->stream, &frame)) == 1) {
		kn_call_answered(client, &frame);
		kn_stream_drop(client->stream);
	}
	if (r < 0)
		give_up(client, r);
	else if (end < 0)
		give_up(client, end);
}

int
kn_client_flush(struct kn_client *client)
{
	int r;

	if (kn_stream_kept(client->stream) == 0)
		return 1;
	r = kn_stream_flush(client->stream);
	/* The answers to what has gone before may still be there to be read. */
	return r < 0 ? 1 : r;
}

/* Locked; gives the lock up meanwhile.  What has come of events. */
static int
sleep_for(struct kn_client *client, short events, kin_time deadline,
	  short *ret_events)
{
	struct pollfd fd = { kn_stream_fd(client->stream), events, 0 };
	int r;

	pthread_mutex_unlock(&client->mutex);
	r = kn_os_poll(&fd, 1, deadline);
	pthread_mutex_lock(&client->mutex);
	*ret_events = fd.revents;
	return r == 0 ? -ETIMEDOUT : r < 0 ? r : 0;
}

int
kn_client_turn(struct kn_client *client, kin_time deadline)
{
	short out = kn_client_flush(client) == 0 ? POLLOUT : 0, events;
	int r;

	/*
	 * The reader may sleep without looking whether anything can go out; and
	 * when it has left, nothing can before somebody reads.
	 */
	if (client->busy)
		return out != 0 ? sleep_for(client, POLLIN | out, deadline,
					    &events)
				: await_other(client, deadline);
	client->busy = true;
	r = sleep_for(client, POLLIN | out, deadline, &events);
	client->busy = false;
	if (r == 0 && (events & ~POLLOUT) != 0)
		take_in(client);
	if (client->waiting > 0)
		pthread_cond_broadcast(&client->moved);
	return r;
}

int
kn_client_await_end(struct kn_client *client, kin_time deadline)
{
	int r = kn_client_enter(client, deadline);

	if (r < 0)
		return r == -ECONNRESET ? 0 : r;
	while (r == 0 && client->broken == 0)
		r = kn_client_turn(client, deadline);
	kn_client_leave(client);
	return r == -ETIMEDOUT ? kn_fail(r, "the server at '%.80s' did not end "
					 "until the deadline", client->address)
			       : r;
}
