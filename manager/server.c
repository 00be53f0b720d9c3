/* SPDX-License-Identifier: MIT */
/*
 * server.c - the server: one thread, one loop, sessions and objects
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/process.h"
#include "manager/address.h"
#include "manager/message.h"
#include "manager/server.h"
#include "manager/type.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/socket.h"

#define ACCEPT_TURN	16		/* clients, before others have theirs */
#define RETRY_MS	100		/* without descriptors for a client */

/* ---- clients come ---- */

/* The directory is closed to others; should that have been undone, this is. */
static bool
is_ours(int fd)
{
	struct ucred peer;

	return kn_os_peer_cred(fd, &peer) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static void
on_client(void *arg, uint32_t events)
{
	struct kn_server *server = arg;
	int fd, i;

	(void)events;
	for (i = 0; i < ACCEPT_TURN; i++) {
		fd = kn_os_accept(server->listener.fd);
		if (fd == -EAGAIN)
			return;
		if (fd < 0)
			break;
		if (is_ours(fd))
			(void)kn_session_open(server, fd);
		else
			kn_os_close(fd);
	}
	if (i == ACCEPT_TURN)
		return;
	/* It stays ready, though there is nothing to be done about it. */
	(void)kn_loop_change(server->loop, &server->listener, 0);
	(void)kn_timer_start(server->loop, &server->retry,
			     kin_in_ms(RETRY_MS));
}

static void
on_retry(void *arg)
{
	struct kn_server *server = arg;

	(void)kn_loop_change(server->loop, &server->listener, POLLIN);
}

/* ---- and go ---- */

void
kn_server_consider(struct kn_server *server)
{
	if (!server->owned && server->nsessions == 0)
		server->stopping = true;
}

void
kn_server_expire(struct kn_server *server)
{
	int64_t next = kn_tokens_expire(&server->store, kin_now().ns);

	if (next != INT64_MAX)
		(void)kn_timer_start(server->loop, &server->expiry,
				     (kin_time){ next });
}

static void
on_expiry(void *arg)
{
	kn_server_expire(arg);
}

/* Whoever started it has gone: so does its socket's file, which it has named. */
static void
on_orphaned(void *arg, uint32_t events)
{
	struct kn_server *server = arg;

	(void)events;
	server->stopping = true;
}

/* By the loop in place of SIGKILL, so that it can end in order. */
static int
watch_lifeline(struct kn_server *server)
{
	int fd, line, r;

	kn_start_ends(&fd, &line);
	server->lifeline = (struct kn_source){ fd, 0, on_orphaned, server,
					       NULL };
	r = kn_loop_add(server->loop, &server->lifeline);
	return r < 0 ? r : kn_os_live_on_hangup(fd);
}

/* ---- one server ---- */

static int
begin(struct kn_server *server, int listener, const char *address,
      uint64_t max_bytes)
{
	int r;

	memset(server, 0, sizeof(*server));
	server->address = address;
	server->max_bytes = max_bytes != 0 ? max_bytes : KN_REQUEST_MAX;
	server->owned = true;
	server->root = (struct kn_object){ .type = &kn_root_type };
	server->listener = (struct kn_source){ listener, POLLIN, on_client,
					       server, NULL };
	server->retry = (struct kn_timer){ .fn = on_retry, .arg = server };
	server->expiry = (struct kn_timer){ .fn = on_expiry, .arg = server };
	r = kn_loop_new(&server->loop);
	if (r < 0)
		return r;
	r = kn_store_init(&server->store, address);
	if (r < 0) {
		kn_loop_free(server->loop);
		return r;
	}
	r = kn_loop_add(server->loop, &server->listener);
	return r < 0 ? r : watch_lifeline(server);
}

static void
end(struct kn_server *server)
{
	/* Nobody new; then everybody hears that it was the end. */
	kn_address_remove(server->address);
	kn_loop_remove(server->loop, &server->listener);
	kn_loop_remove(server->loop, &server->lifeline);
	while (server->sessions != NULL)
		kn_session_close(server->sessions);
	kn_timer_stop(server->loop, &server->retry);
	kn_timer_stop(server->loop, &server->expiry);
	kn_store_free(&server->store);
	kn_loop_free(server->loop);
}

/*
 * The child of whoever started the server has all that its parent had, and
 * would keep it alive: other ends of connections, memory of segments.
 */
static void
forget_parent(const kin_call *call)
{
	kn_process_strip(call);
	kn_os_signals_default();
}

int
kn_serve(kin_call *call)
{
	struct kn_server server;
	const char *address;
	uint64_t max_bytes;
	int listener, r;

	r = kin_call_take(call, KIN_FD(&listener), &address, &max_bytes);
	if (r < 0)
		return r;
	forget_parent(call);
	r = begin(&server, listener, address, max_bytes);
	if (r < 0)
		return r;
	while (r >= 0 && !server.stopping)
		r = kn_loop_turn(server.loop, KIN_FOREVER);
	end(&server);
	return r < 0 ? r : 0;
}
