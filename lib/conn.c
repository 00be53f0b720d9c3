/* SPDX-License-Identifier: MIT */
/*
 * conn.c - kin_conn: a connection, from its making to its end
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conn.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"
#include "shm/socket.h"

#define MAX_DEFAULT	(1ull << 30)

int
kn_conn_named(const kin_conn *c, int r)
{
	char why[200];

	snprintf(why, sizeof(why), "%s", kin_errmsg());
	return kn_fail(r, "conn '%s': %s", c->label, why);
}

/* ---- all of them ---- */

/*
 * A fork finds each descriptor of a connection in the list: it is entered in
 * one step with the making of it, and leaves in one with its closing.
 */
static kin_conn *conns;			/* under kn_self_lock */

static void
enlist_locked(kin_conn *c)
{
	c->next = conns;
	c->from = &conns;
	if (conns != NULL)
		conns->from = &c->next;
	conns = c;
}

static void
unlist_locked(kin_conn *c)
{
	if (c->from == NULL)
		return;
	*c->from = c->next;
	if (c->next != NULL)
		c->next->from = c->from;
	c->from = NULL;
}

/* What a thread of the parent's was just changing is let lie. */
static void
leave_locked(kin_conn *c)
{
	kn_stream_forget(c->stream, c->sending.changing);
	if (c->receiving.changing)
		kn_stream_lose(c->stream);
	kn_stream_close(c->stream);
	c->left = true;
	c->generation = 0;		/* no process's: see renew */
}

void
kn_conns_leave(void)
{
	kin_conn *c;

	kn_self_lock();
	while ((c = conns) != NULL) {
		unlist_locked(c);
		leave_locked(c);
	}
	kn_self_unlock();
}

/* ---- making ---- */

static int
check_opts(struct kin_conn_opts *opts, const struct kin_conn_opts *user)
{
	int r = kn_opts_copy(opts, sizeof(*opts), user);

	if (r < 0)
		return r;
	if (opts->flags != 0)
		return kn_fail(-EINVAL, "conn: flags %#x", opts->flags);
	if (opts->label == NULL)
		opts->label = "conn";
	if (strlen(opts->label) >= KN_CONN_LABEL)
		return kn_fail(-EINVAL, "conn: label of %zu bytes; %u at most",
			       strlen(opts->label), KN_CONN_LABEL - 1);
	if (opts->max_bytes == 0)
		opts->max_bytes = MAX_DEFAULT;
	return 0;
}

/*
 * A handle on fd, which becomes its own, also if this fails.  The generation
 * is given because learning it may take the lock.
 */
static int
make_locked(kin_conn **ret_c, int fd, uint32_t generation,
	    const struct kin_conn_opts *opts)
{
	kin_conn *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL) {
		kn_os_close(fd);
		return kn_fail(-ENOMEM, "conn handle");
	}
	r = kn_stream_new(&c->stream, fd);
	if (r < 0) {
		free(c);
		return r;
	}
	pthread_mutex_init(&c->sending.mutex, NULL);
	pthread_mutex_init(&c->receiving.mutex, NULL);
	memcpy(c->label, opts->label, strlen(opts->label) + 1);
	c->generation = generation;
	c->max_bytes = opts->max_bytes;
	c->max_copy_bytes = opts->max_copy_bytes;
	c->is_unix = true;
	kn_stream_limit(c->stream, c->max_bytes);
	enlist_locked(c);
	*ret_c = c;
	return 0;
}

static void
free_locked(kin_conn *c)
{
	unlist_locked(c);
	kn_stream_free(c->stream);
	free(c);
}

static int
make_two_locked(kin_conn **ret_a, kin_conn **ret_b, uint32_t generation,
		const struct kin_conn_opts *opts)
{
	kin_conn *a, *b;
	int fds[2], r;

	r = kn_os_socketpair(fds);
	if (r < 0)
		return kn_fail(r, "conn '%s': its sockets", opts->label);
	r = make_locked(&a, fds[0], generation, opts);
	if (r < 0) {
		kn_os_close(fds[1]);
		return r;
	}
	r = make_locked(&b, fds[1], generation, opts);
	if (r < 0) {
		free_locked(a);
		return r;
	}
	*ret_a = a;
	*ret_b = b;
	return 0;
}

int
kin_pipe(kin_conn **ret_a, kin_conn **ret_b, const struct kin_conn_opts *user)
{
	uint32_t generation = kn_self_generation();
	struct kin_conn_opts opts;
	int r;

	kn_assert(ret_a != NULL && ret_b != NULL);
	r = check_opts(&opts, user);
	if (r < 0)
		return r;
	kn_self_lock();
	r = make_two_locked(ret_a, ret_b, generation, &opts);
	kn_self_unlock();
	return r;
}

/* A connected stream socket?  And is it a Unix one? */
static int
check_socket(int fd, bool *ret_is_unix)
{
	int type = 0, domain = 0, r;

	r = kn_os_sockopt(fd, SOL_SOCKET, SO_TYPE, &type);
	if (r == 0)
		r = kn_os_sockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain);
	if (r == 0 && type != SOCK_STREAM)
		r = -ENOTSOCK;
	if (r == 0)
		r = kn_os_has_peer(fd);
	*ret_is_unix = domain == AF_UNIX;
	if (r == -ENOTSOCK || r == -ENOTCONN)
		return kn_fail(-EINVAL, "conn: descriptor %d is no connected "
			       "stream socket", fd);
	return r < 0 ? kn_fail(r, "conn: descriptor %d", fd) : 0;
}

static int
attach_locked(kin_conn **ret_c, int fd, uint32_t generation,
	      const struct kin_conn_opts *opts)
{
	int own = kn_os_dup(fd);

	if (own < 0)
		return kn_fail(own, "conn: descriptor %d", fd);
	return make_locked(ret_c, own, generation, opts);
}

int
kin_conn_attach(kin_conn **ret_c, int fd, const struct kin_conn_opts *user)
{
	uint32_t generation = kn_self_generation();
	struct kin_conn_opts opts;
	bool is_unix = false;
	kin_conn *c;
	int r;

	kn_assert(ret_c != NULL);
	r = check_opts(&opts, user);
	if (r == 0)
		r = check_socket(fd, &is_unix);
	if (r < 0)
		return r;
	kn_self_lock();
	r = attach_locked(&c, fd, generation, &opts);
	kn_self_unlock();
	if (r < 0)
		return r;
	c->is_unix = is_unix;
	if (!is_unix)
		kn_stream_refuse_fds(c->stream);
	*ret_c = c;
	return 0;
}

void
kin_conn_close(kin_conn *c)
{
	if (c == NULL)
		return;
	kn_conn_say_bye(c);
	kn_self_lock();
	free_locked(c);
	kn_self_unlock();
}

/* ---- the end ---- */

int
kn_conn_not_given(const kin_conn *c)
{
	return kn_fail(-ESTALE, "conn '%s' was not given to this process",
		       c->label);
}

/* What ended it is told to every call that comes after. */
int
kn_conn_ended(const kin_conn *c)
{
	int r = __atomic_load_n(&c->end, __ATOMIC_ACQUIRE);

	switch (r) {
	case -EPIPE:
		return kn_fail(r, "conn '%s': the other end was closed",
			       c->label);
	case -ECONNRESET:
		return kn_fail(r, "conn '%s': somebody who used the "
			       "other end died", c->label);
	case -ESTALE:
		return kn_fail(r, "conn '%s': forked while another "
			       "thread was receiving by it", c->label);
	default:
		return kn_fail(r, "conn '%s': what came by it was none "
			       "of kin's, or too long", c->label);
	}
}

static void
set_end(kin_conn *c, int r)
{
	__atomic_store_n(&c->end, r, __ATOMIC_RELEASE);
}

/* Rubbish came.  Nobody is to wait for us to make sense of what follows. */
int
kn_conn_condemn(kin_conn *c, int r)
{
	if (c->end == 0) {
		set_end(c, r);
		(void)kn_os_shutdown(kn_stream_fd(c->stream), SHUT_RDWR);
	}
	return kn_conn_named(c, r);
}

int
kn_conn_decide(kin_conn *c)
{
	if (c->end == 0)
		set_end(c, kn_conn_users(c) <= 0 &&
			!kn_stream_torn(c->stream) ? -EPIPE : -ECONNRESET);
	return kn_conn_ended(c);
}

/* ---- what there is to know ---- */

static uint64_t
read_count(const uint64_t *count)
{
	return __atomic_load_n(count, __ATOMIC_RELAXED);
}

void
kin_conn_count(kin_conn *c, struct kin_conn_counts *ret)
{
	kn_assert(c != NULL && ret != NULL);
	*ret = (struct kin_conn_counts){
		.sent = read_count(&c->counts.sent),
		.sent_bytes = read_count(&c->counts.sent_bytes),
		.received = read_count(&c->counts.received),
		.received_bytes = read_count(&c->counts.received_bytes),
		.copied_bytes = read_count(&c->counts.copied_bytes),
	};
}

int
kin_conn_fd(const kin_conn *c)
{
	kn_assert(c != NULL);
	if (kn_unlikely(c->left))
		return kn_conn_not_given(c);
	return kn_stream_fd(c->stream);
}
