/* SPDX-License-Identifier: MIT */
/*
 * conn_io.c - messages in and out of a connection, by a deadline
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/bundle.h"
#include "lib/conn.h"
#include "shm/error.h"
#include "shm/os.h"

#define PATIENCE	64u		/* calls between looks at the clock */
#define SLURP		256u		/* calls to find the end of what came */
#define PENALTY_MAX	63u
#define COURTESY	1000		/* ms for a receiver to see the end */

static bool
is_end(int r)
{
	return r == -EPIPE || r == -ECONNRESET;
}

/*
 * Nobody receives any more.  Whether they closed or died stands at the end of
 * what they have sent, which is as much as a socket holds.
 */
static int
find_end(kin_conn *c, int r, kin_time deadline)
{
	kin_time soon = kin_in_ms(COURTESY);
	unsigned tries = SLURP;
	int got = 1;

	/* A peer may be there still, and only refuse to receive: then another
	 * thread of ours may be receiving for ever. */
	if (deadline.ns > soon.ns)
		deadline = soon;
	if (kn_conn_begin_recv(c, deadline) == 0) {
		while (c->end == 0 && got == 1 && tries-- > 0)
			got = kn_stream_read(c->stream);
		if (is_end(got))
			(void)kn_conn_decide(c);
		kn_conn_end_recv(c);
	}
	if (__atomic_load_n(&c->end, __ATOMIC_ACQUIRE) != 0)
		return kn_conn_ended(c);
	return kn_fail(r, "conn '%s': nobody receives at the other end",
		       c->label);
}

/* ---- sending ---- */

static int
wait_for(kin_conn *c, struct kn_turn *turn, short events, kin_time deadline)
{
	struct pollfd p = { .fd = kn_stream_fd(c->stream), .events = events };
	int r;

	kn_turn_changing(turn, false);
	r = kn_os_poll(&p, 1, deadline);
	kn_turn_changing(turn, true);
	if (r < 0)
		return kn_fail(r, "conn '%s': waiting", c->label);
	return r > 0 ? 0 : -ETIMEDOUT;
}

/* Others may be so busy at the other end that waiting never has to wait. */
static bool
is_over(kin_time deadline, unsigned *tries)
{
	return ++*tries % PATIENCE == 0 && kin_now().ns >= deadline.ns;
}

/* Until there is room; the sentence for a deadline is the caller's. */
static int
wait_for_room(kin_conn *c, kin_time deadline, unsigned *tries)
{
	if (deadline.ns <= 0 || is_over(deadline, tries))
		return -ETIMEDOUT;
	return wait_for(c, &c->sending, POLLOUT, deadline);
}

static int
flush(kin_conn *c, kin_time deadline)
{
	unsigned tries = 0;
	int r;

	if (kn_stream_kept(c->stream) == 0)
		return 0;
	for (;;) {
		r = kn_stream_flush(c->stream);
		if (r == 1)
			return 0;
		if (r < 0)
			return is_end(r) ? find_end(c, r, deadline) :
			       kn_conn_named(c, r);
		r = wait_for_room(c, deadline, &tries);
		if (r == -ETIMEDOUT)
			return kn_fail(r, "conn '%s': %zu bytes of an earlier "
				       "message are kept still", c->label,
				       kn_stream_kept(c->stream));
		if (r < 0)
			return r;
	}
}

/* No more waiting, for reason r: what has not gone is kept, or is all of it. */
static int
give_up(kin_conn *c, struct kn_sending *g, int r)
{
	int kept;

	if (!g->begun)
		return r != -ETIMEDOUT ? r :
		       kn_fail(r, "conn '%s' had no room until the deadline",
			       c->label);
	kept = kn_sending_keep(c->stream, g);
	if (kept < 0)
		return kn_conn_named(c, kept);
	return kn_fail(-ETIMEDOUT, "conn '%s': the last %zu bytes of the "
		       "message are kept, to go next", c->label,
		       kn_stream_kept(c->stream));
}

/* The turn is ours. */
static int
transmit(kin_conn *c, struct kn_sending *g, kin_time deadline)
{
	unsigned tries = 0;
	int r;

	for (;;) {
		r = kn_sending_push(c->stream, g);
		if (kn_likely(r == 1))
			return 0;
		if (r < 0)
			return is_end(r) ? find_end(c, r, deadline) :
			       kn_conn_named(c, r);
		r = wait_for_room(c, deadline, &tries);
		if (r < 0)
			return give_up(c, g, r);
	}
}

static void
add(uint64_t *count, uint64_t n)
{
	__atomic_store_n(count, *count + n, __ATOMIC_RELAXED);
}

/* *ret_sent: it has gone, or what is left of it will. */
static int
send_one(kin_conn *c, uint16_t type, struct iovec body, const int *fds,
	 uint32_t nfds, kin_time deadline, bool *ret_sent)
{
	struct kn_frame head = { .type = type };
	struct kn_sending g;
	int r;

	*ret_sent = false;
	r = kn_conn_begin_send(c, deadline);
	if (kn_unlikely(r < 0))
		return r;
	r = flush(c, deadline);
	if (kn_likely(r == 0)) {
		kn_sending_begin(&g, &head, &body, 1, fds, nfds);
		r = transmit(c, &g, deadline);
		*ret_sent = r == 0 || (r == -ETIMEDOUT && g.begun);
	}
	if (*ret_sent) {
		add(&c->counts.sent, 1);
		add(&c->counts.sent_bytes, body.iov_len);
	}
	kn_conn_end_send(c);
	return r;
}

int
kin_conn_send(kin_conn *c, const void *msg, size_t len, kin_time deadline)
{
	struct iovec body = { .iov_len = len };
	bool sent;

	kn_assert(c != NULL);
	kn_assert(msg != NULL || len == 0);
	memcpy(&body.iov_base, &msg, sizeof(msg));	/* it lacks a const */
	return send_one(c, KN_CONN_BYTES, body, NULL, 0, deadline, &sent);
}

int
kin_conn_flush(kin_conn *c, kin_time deadline)
{
	int r;

	kn_assert(c != NULL);
	r = kn_conn_begin_send(c, deadline);
	if (r < 0)
		return r;
	r = flush(c, deadline);
	kn_conn_end_send(c);
	return r;
}

int
kin_conn_send_values(kin_conn *c, struct kin_args args, kin_time deadline)
{
	struct kn_bundle bundle = { 0 };
	struct kn_way way = { .instead = "a Unix socket" };
	struct iovec body;
	char what[KN_CONN_LABEL + 16];
	bool sent;
	int r;

	kn_assert(c != NULL);
	snprintf(what, sizeof(what), "conn '%s'", c->label);
	way.what = what;
	way.max_copy_bytes = c->max_copy_bytes;
	way.no_fds = !c->is_unix;
	way.timed = true;
	way.deadline = deadline;
	r = kn_bundle_encode(&bundle, args, &way);
	if (r < 0)
		return r;
	body = (struct iovec){ bundle.bytes, bundle.len };
	r = send_one(c, KN_CONN_VALUES, body, bundle.fds, bundle.nfds,
		     deadline, &sent);
	if (sent) {
		__atomic_add_fetch(&c->counts.copied_bytes, bundle.copied,
				   __ATOMIC_RELAXED);
		kn_bundle_sent(&bundle);
	} else {
		kn_bundle_drop(&bundle);
	}
	return r;
}

/* ---- receiving ---- */

/*
 * To try before polling saves a call if something is there, and costs one if
 * not: so after each try in vain the next ones are left out, twice as many as
 * before.
 */
static bool
is_worth_a_try(kin_conn *c)
{
	if (c->skip == 0)
		return true;
	c->skip--;
	return false;
}

static void
learn(kin_conn *c, bool worth)
{
	c->penalty = worth ? 0 : 2 * c->penalty + 1;
	if (c->penalty > PENALTY_MAX)
		c->penalty = PENALTY_MAX;
	c->skip = c->penalty;
}

static int
nothing_came(kin_conn *c)
{
	size_t waiting = kn_stream_waiting(c->stream);

	if (waiting > 0)
		return kn_fail(-ETIMEDOUT, "conn '%s': of a message only %zu "
			       "bytes came until the deadline", c->label,
			       waiting);
	return kn_fail(-ETIMEDOUT, "conn '%s': no message came until the "
		       "deadline", c->label);
}

/* 1: more has come. */
static int
read_some(kin_conn *c)
{
	int r = kn_stream_read(c->stream);

	if (r >= 0)
		return r;
	return is_end(r) ? kn_conn_decide(c) : kn_conn_named(c, r);
}

/* More bytes, from the kernel. */
static int
fetch(kin_conn *c, kin_time deadline, unsigned *tries)
{
	int r;

	if (c->end != 0)
		return kn_conn_ended(c);
	if (is_over(deadline, tries))
		return nothing_came(c);
	if (is_worth_a_try(c)) {
		r = read_some(c);
		learn(c, r != 0);
		if (r != 0)
			return r;
	}
	r = wait_for(c, &c->receiving, POLLIN, deadline);
	if (r < 0)
		return r == -ETIMEDOUT ? nothing_came(c) : r;
	return read_some(c);
}

/* Hello and bye; or else nothing that we know. */
static int
heed(kin_conn *c, const struct kn_frame *f)
{
	if ((f->type != KN_CONN_HELLO && f->type != KN_CONN_BYE) ||
	    f->len != 0 || f->nfds != 0)
		return kn_conn_condemn(c, kn_fail(-EPROTO, "a message came of "
						  "a type that there is not"));
	c->users += f->type == KN_CONN_HELLO ? 1 : -1;
	kn_stream_drop(c->stream);
	return 0;
}

static bool
is_message(const struct kn_frame *f)
{
	return f->type == KN_CONN_VALUES ||
	       (f->type == KN_CONN_BYTES && f->nfds == 0);
}

/* The next message, whole and in place.  The turn is ours. */
static int
arrive(kin_conn *c, struct kn_frame *ret, kin_time deadline)
{
	unsigned tries = 0;
	int r;

	for (;;) {
		r = kn_stream_next(c->stream, ret);
		if (r == 1 && kn_likely(is_message(ret)))
			return 0;
		if (r == 1)
			r = heed(c, ret);
		else if (r == -EMFILE)
			r = kn_conn_named(c, r);	/* our want, not theirs */
		else if (r < 0)
			r = kn_conn_condemn(c, r);
		else
			r = fetch(c, deadline, &tries);
		if (r < 0)
			return r;
	}
}

/* It, if it is of that type.  If 0, the turn is ours. */
static int
begin_message(kin_conn *c, uint16_t type, struct kn_frame *ret,
	      kin_time deadline)
{
	int r;

	r = kn_conn_begin_recv(c, deadline);
	if (kn_unlikely(r < 0))
		return r;
	r = arrive(c, ret, deadline);
	if (kn_likely(r == 0) && kn_unlikely(ret->type != type))
		r = kn_fail(-EINVAL, "conn '%s': the next message is one of %s",
			    c->label, type == KN_CONN_BYTES ? "values" :
			    "bytes");
	if (kn_unlikely(r < 0))
		kn_conn_end_recv(c);
	return r;
}

static void
count_received(kin_conn *c, size_t len)
{
	add(&c->counts.received, 1);
	add(&c->counts.received_bytes, len);
}

ssize_t
kin_conn_recv(kin_conn *c, void *buf, size_t cap, kin_time deadline)
{
	struct kn_frame f;
	ssize_t r;

	kn_assert(c != NULL);
	kn_assert(buf != NULL || cap == 0);
	r = begin_message(c, KN_CONN_BYTES, &f, deadline);
	if (kn_unlikely(r < 0))
		return r;
	if (kn_likely(f.len <= cap)) {
		if (f.len > 0)
			memcpy(buf, f.body, f.len);
		kn_stream_drop(c->stream);
		count_received(c, f.len);
		r = (ssize_t)f.len;
	} else {
		r = kn_fail(-EMSGSIZE, "conn '%s': message of %zu bytes, "
			    "buffer of %zu", c->label, f.len, cap);
	}
	kn_conn_end_recv(c);
	return r;
}

ssize_t
kin_conn_take(kin_conn *c, void **ret_msg, kin_time deadline)
{
	unsigned char *body;
	struct kn_frame f;
	int r;

	kn_assert(c != NULL && ret_msg != NULL);
	r = begin_message(c, KN_CONN_BYTES, &f, deadline);
	if (r < 0)
		return r;
	r = kn_stream_keep(c->stream, &body, NULL);
	if (r == 0) {
		count_received(c, f.len);
		*ret_msg = body;
	}
	kn_conn_end_recv(c);
	return r < 0 ? kn_conn_named(c, r) : (ssize_t)f.len;
}

int
kin_conn_wait(kin_conn *c, kin_time deadline)
{
	struct kn_frame f;
	int r;

	kn_assert(c != NULL);
	r = kn_conn_begin_recv(c, deadline);
	if (r < 0)
		return r;
	r = arrive(c, &f, deadline);
	kn_conn_end_recv(c);
	return r;
}

/* Looked at before it is taken: for want of memory it stays. */
static int
take_values(kin_conn *c, kin_values **ret_v, const struct kn_frame *f)
{
	int fds[KN_FRAME_FDS], r;
	struct kn_frame apart;
	unsigned char *body;

	r = kn_stream_apart(c->stream);
	if (r < 0)
		return kn_conn_named(c, r);
	(void)kn_stream_next(c->stream, &apart);	/* it has moved */
	r = kn_values_of(ret_v, apart.body, f->len, apart.fds, f->nfds);
	if (r == 0)
		(void)kn_stream_keep(c->stream, &body, fds);
	else if (r != -ENOMEM)
		kn_stream_drop(c->stream);
	return r;
}

int
kin_conn_recv_values(kin_conn *c, kin_values **ret_v, kin_time deadline)
{
	struct kn_frame f;
	int r;

	kn_assert(c != NULL && ret_v != NULL);
	r = begin_message(c, KN_CONN_VALUES, &f, deadline);
	if (r < 0)
		return r;
	r = take_values(c, ret_v, &f);
	if (r == 0)
		count_received(c, f.len);
	kn_conn_end_recv(c);
	return r;
}
