/* SPDX-License-Identifier: MIT */
/*
 * frame_send.c - whole messages, sent
 *
 *      caller's memory ──sendmsg──▶ kernel
 *             ╰─▶ [kept: fra│frame+fds│frame│frame] ──flush──╯
 *
 * A frame with descriptors is a sendmsg of its own that begins with its head,
 * also when it was kept: else the kernel would hand them over somewhere else.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/stream.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/socket.h"

#define KEPT_BUFFER	65536u		/* more is given back when empty */

/* ---- one frame, from the caller's memory ---- */

static void
write_head(unsigned char *p, const struct kn_frame *head, uint64_t len,
	   uint32_t nfds)
{
	uint32_t mark = htole32(KN_FRAME_MARK), id = htole32(head->id);
	uint16_t type = htole16(head->type), flags = htole16(head->flags);
	uint64_t object = htole64(head->object);

	len = htole64(len);
	nfds = htole32(nfds);
	memcpy(p, &mark, 4);
	memcpy(p + 4, &type, 2);
	memcpy(p + 6, &flags, 2);
	memcpy(p + 8, &len, 8);
	memcpy(p + 16, &id, 4);
	memcpy(p + 20, &nfds, 4);
	memcpy(p + 24, &object, 8);
}

/* All parts behind the head. */
static void
gather(struct kn_sending *g, const struct iovec *body, unsigned n)
{
	unsigned char *to = g->head + KN_FRAME_HEAD;
	unsigned i;

	for (i = 0; i < n; i++) {
		if (body[i].iov_len > 0)
			memcpy(to, body[i].iov_base, body[i].iov_len);
		to += body[i].iov_len;
	}
	memcpy(to, g->tail, sizeof(g->tail));
	to += sizeof(g->tail);
	g->v[0] = (struct iovec){ g->head, (size_t)(to - g->head) };
	g->n = 1;
}

static void
line_up(struct kn_sending *g, const struct iovec *body, unsigned n)
{
	unsigned i;

	g->v[0] = (struct iovec){ g->head, KN_FRAME_HEAD };
	g->n = 1;
	for (i = 0; i < n; i++)
		if (body[i].iov_len > 0)
			g->v[g->n++] = body[i];
	g->v[g->n++] = (struct iovec){ g->tail, sizeof(g->tail) };
}

void
kn_sending_begin(struct kn_sending *g, const struct kn_frame *head,
		 const struct iovec *body, unsigned n, const int *fds,
		 uint32_t nfds)
{
	uint64_t tail, len = 0;
	unsigned i;

	kn_assert(n <= KN_PARTS);
	kn_assert(nfds <= KN_FRAME_FDS);
	for (i = 0; i < n; i++)
		len += body[i].iov_len;
	write_head(g->head, head, len, nfds);
	tail = htole64(len ^ KN_FRAME_TAIL);
	memcpy(g->tail, &tail, sizeof(tail));
	if (len <= KN_SMALL)
		gather(g, body, n);
	else
		line_up(g, body, n);
	g->at = 0;
	g->fds = fds;
	g->nfds = nfds;
	g->begun = false;
}

static void
advance(struct kn_sending *g, size_t n)
{
	g->begun = true;
	g->nfds = 0;
	for (; g->at < g->n; g->at++) {
		struct iovec *v = &g->v[g->at];

		if (n < v->iov_len) {
			v->iov_base = (char *)v->iov_base + n;
			v->iov_len -= n;
			return;
		}
		n -= v->iov_len;
	}
}

/* What the kernel says when it is asked to send. */
static int
refused(struct kn_stream *s, ssize_t n, uint32_t nfds)
{
	switch (n) {
	case -EAGAIN:
		return 0;
	case -EPIPE:
	case -ENOTCONN:
		s->out.broken = -EPIPE;
		return kn_fail(-EPIPE, "nobody is there to receive");
	case -ECONNRESET:
	case -ETIMEDOUT:	/* TCP's own: not a deadline of ours */
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		s->out.broken = -ECONNRESET;
		return kn_fail(-ECONNRESET, "the connection was reset");
	case -EINVAL:
		if (nfds > 0)
			return kn_fail(-EOPNOTSUPP, "descriptors travel over "
				       "Unix sockets only");
		break;
	}
	return kn_fail((int)n, "sending");
}

/* A part has gone, and the rest never will: so that nobody waits for it. */
static int
tear(struct kn_stream *s, int r)
{
	s->out.broken = r;
	(void)kn_os_shutdown(s->fd, SHUT_WR);
	return r;
}

static int
is_broken(struct kn_stream *s)
{
	return kn_fail(s->out.broken, "sending failed before");
}

int
kn_sending_push(struct kn_stream *s, struct kn_sending *g)
{
	ssize_t n;
	int r;

	if (s->out.broken != 0)
		return is_broken(s);
	while (g->at < g->n) {
		n = kn_os_sendmsg(s->fd, g->v + g->at, g->n - g->at, g->fds,
				  g->nfds);
		if (n > 0) {
			advance(g, (size_t)n);
			continue;
		}
		r = refused(s, n, g->nfds);
		return r < 0 && g->begun ? tear(s, r) : r;
	}
	return 1;
}

/* ---- what is kept ---- */

size_t
kn_stream_kept(const struct kn_stream *s)
{
	return s->out.end - s->out.at;
}

static int
make_room(struct kn_outgoing *out, size_t len)
{
	size_t cap = out->cap == 0 ? 1024 : out->cap;
	unsigned char *more;

	if (out->cap - out->end >= len)
		return 0;
	/* Only if it is worth it: each byte is moved once or twice. */
	if (out->at >= out->cap / 2 && out->at > 0) {
		memmove(out->buf, out->buf + out->at, out->end - out->at);
		out->end -= out->at;
		out->at = 0;
	}
	while (cap - out->end < len)
		if (__builtin_mul_overflow(cap, 2, &cap))
			return kn_fail(-ENOMEM, "%zu bytes to keep", len);
	if (cap == out->cap)
		return 0;
	more = realloc(out->buf, cap);
	if (more == NULL)
		return kn_fail(-ENOMEM, "%zu bytes to keep", len);
	out->buf = more;
	out->cap = cap;
	return 0;
}

static void
close_all(const int *fds, uint32_t n)
{
	while (n > 0)
		kn_os_close(fds[--n]);
}

static int
dup_all(int *to, const int *fds, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		to[i] = kn_os_dup(fds[i]);
		if (to[i] < 0) {
			close_all(to, i);
			return kn_fail(to[i], "descriptor %d", fds[i]);
		}
	}
	return 0;
}

/* Descriptors of the frame of len bytes that is appended next. */
static int
keep_fds(struct kn_outgoing *out, const int *fds, uint32_t n, size_t len)
{
	uint64_t at = out->gone + (out->end - out->at);
	uint32_t cap = out->kept_cap == 0 ? 4 : out->kept_cap * 2;
	struct kn_kept_fds *more;
	int *own, r;

	if (out->nkept == out->kept_cap) {
		more = realloc(out->kept, cap * sizeof(*more));
		if (more == NULL)
			return kn_fail(-ENOMEM, "descriptors to keep");
		out->kept = more;
		out->kept_cap = cap;
	}
	own = malloc(n * sizeof(*own));
	if (own == NULL)
		return kn_fail(-ENOMEM, "descriptors to keep");
	r = dup_all(own, fds, n);
	if (r < 0) {
		free(own);
		return r;
	}
	out->kept[out->nkept++] = (struct kn_kept_fds){
		.at = at, .end = at + len, .fds = own, .n = n,
	};
	return 0;
}

int
kn_sending_keep(struct kn_stream *s, struct kn_sending *g)
{
	struct kn_outgoing *out = &s->out;
	size_t len = 0;
	unsigned i;
	int r;

	for (i = g->at; i < g->n; i++)
		len += g->v[i].iov_len;
	r = make_room(out, len);
	if (r == 0 && g->nfds > 0)
		r = keep_fds(out, g->fds, g->nfds, len);
	if (r < 0)
		return g->begun ? tear(s, r) : r;
	for (i = g->at; i < g->n; i++) {
		memcpy(out->buf + out->end, g->v[i].iov_base, g->v[i].iov_len);
		out->end += g->v[i].iov_len;
	}
	return 0;
}

/* The first kept descriptors have gone. */
static void
drop_first_fds(struct kn_outgoing *out)
{
	close_all(out->kept[0].fds, out->kept[0].n);
	free(out->kept[0].fds);
	out->nkept--;
	memmove(out->kept, out->kept + 1, out->nkept * sizeof(*out->kept));
}

static void
give_back(struct kn_outgoing *out)
{
	out->at = out->end = 0;
	if (out->cap > KEPT_BUFFER) {
		free(out->buf);
		out->buf = NULL;
		out->cap = 0;
	}
}

/* Short of memory, it can be tried again; else nothing behind it ever goes. */
static int
stuck(struct kn_stream *s, ssize_t n, uint32_t nfds)
{
	int r = refused(s, n, nfds);

	return r == 0 || r == -ENOMEM || r == -ENOBUFS || r == -ETOOMANYREFS ?
	       r : tear(s, r);
}

int
kn_stream_flush(struct kn_stream *s)
{
	struct kn_outgoing *out = &s->out;
	struct kn_kept_fds *first;
	struct iovec v;
	bool with;
	ssize_t n;

	if (out->broken != 0)
		return is_broken(s);
	while (out->at < out->end) {
		first = out->nkept > 0 ? out->kept : NULL;
		with = first != NULL && first->at == out->gone;
		v.iov_base = out->buf + out->at;
		v.iov_len = first == NULL ? out->end - out->at :
			    (with ? first->end : first->at) - out->gone;
		n = kn_os_sendmsg(s->fd, &v, 1, with ? first->fds : NULL,
				  with ? first->n : 0);
		if (n <= 0)
			return stuck(s, n, with ? first->n : 0);
		if (with)
			drop_first_fds(out);
		out->at += (size_t)n;
		out->gone += (uint64_t)n;
	}
	give_back(out);
	return 1;
}

void
kn_stream_forget(struct kn_stream *s, bool touched)
{
	struct kn_outgoing *out = &s->out;

	if (!touched) {
		while (out->nkept > 0)
			drop_first_fds(out);
		free(out->kept);
		free(out->buf);
	}
	*out = (struct kn_outgoing){ .broken = out->broken };
}

int
kn_stream_send(struct kn_stream *s, const struct kn_frame *head,
	       const struct iovec *body, unsigned n, const int *fds,
	       uint32_t nfds, int how)
{
	struct kn_sending g;
	int r;

	if (s->out.broken != 0)
		return is_broken(s);
	if (kn_stream_kept(s) > 0 && how == KN_NOTHING_OR_KEEP) {
		r = kn_stream_flush(s);
		if (r <= 0)
			return r < 0 ? r : -EAGAIN;
	}
	kn_sending_begin(&g, head, body, n, fds, nfds);
	if (kn_stream_kept(s) == 0 && how != KN_LATER) {
		r = kn_sending_push(s, &g);
		if (r != 0)
			return r;
		if (!g.begun && how == KN_NOTHING_OR_KEEP)
			return -EAGAIN;
		return kn_sending_keep(s, &g);
	}
	r = kn_sending_keep(s, &g);
	if (r < 0 || how == KN_LATER)
		return r;
	r = kn_stream_flush(s);
	return r < 0 && s->out.broken == 0 ? 0 : r;	/* it is kept */
}
