/* SPDX-License-Identifier: MIT */
/*
 * frame.c - whole messages, received
 *
 *      kernel ──▶ [buf: ..│frame│frame│fra]      small ones, read in place
 *             ╰─▶ [big: body of a large one ...] straight into what is kept
 *
 * A large body's memory grows with what has come of it: a peer that announces
 * a gigabyte and sends five bytes has cost us the first chunk and no more.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/stream.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/socket.h"

#define BUFFER		65536u		/* to read into */
#define LARGE		16384u		/* a body that gets its own memory */
#define ROOM		4096u		/* too little to read into */
#define MAX_DEFAULT	(1ull << 30)
#define MAX_MAX		(1ull << 62)	/* so that sums do not overflow */
#define TAIL		8u
#define AROUND		(KN_FRAME_HEAD + TAIL)

int
kn_stream_new(struct kn_stream **ret, int fd)
{
	struct kn_stream *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		kn_os_close(fd);
		return kn_fail(-ENOMEM, "stream");
	}
	s->fd = fd;
	s->in.max = MAX_DEFAULT;
	*ret = s;
	return 0;
}

void
kn_stream_close(struct kn_stream *s)
{
	uint32_t i;

	for (i = 0; i < s->in.nfds; i++)
		kn_os_close(s->in.fds[i]);
	s->in.nfds = 0;
	kn_stream_forget(s, false);
	kn_os_close(s->fd);
	s->fd = -1;
}

void
kn_stream_free(struct kn_stream *s)
{
	if (s == NULL)
		return;
	kn_stream_close(s);
	free(s->in.fds);
	free(s->in.fds_at);
	free(s->in.buf);
	free(s->in.big);
	free(s);
}

void
kn_stream_lose(struct kn_stream *s)
{
	s->in = (struct kn_incoming){
		.max = s->in.max, .no_fds = s->in.no_fds,
	};
}

int
kn_stream_fd(const struct kn_stream *s)
{
	return s->fd;
}

void
kn_stream_limit(struct kn_stream *s, uint64_t max_bytes)
{
	s->in.max = max_bytes < MAX_MAX ? max_bytes : MAX_MAX;
}

void
kn_stream_refuse_fds(struct kn_stream *s)
{
	s->in.no_fds = true;
}

/* ---- reading ---- */

/* What is in the buffer, seen from where the front frame begins. */
static size_t
in_buffer(const struct kn_incoming *in)
{
	return in->end - in->at;
}

/* Of the front frame, whose head is known: body and tail. */
static size_t
rest_bytes(const struct kn_incoming *in)
{
	return in->front.len + TAIL;
}

/* Apart, and not all there yet: what comes next is of it. */
static bool
is_growing(const struct kn_incoming *in)
{
	return in->big != NULL && in->got < rest_bytes(in);
}

/* The front frame's body moves out of the buffer, into memory that grows. */
static int
start_large(struct kn_incoming *in)
{
	size_t have = in_buffer(in) - KN_FRAME_HEAD;
	size_t room = have * 2 > BUFFER ? have * 2 : BUFFER;

	if (room > rest_bytes(in))
		room = rest_bytes(in);
	in->big = malloc(room);
	if (in->big == NULL)
		return kn_fail(-ENOMEM, "message of %zu bytes", in->front.len);
	memcpy(in->big, in->buf + in->at + KN_FRAME_HEAD, have);
	in->room = room;
	in->got = have;
	in->at = in->end = 0;
	return 0;
}

static int
grow_large(struct kn_incoming *in)
{
	size_t need = rest_bytes(in);
	size_t room = in->room < need / 2 ? in->room * 2 : need;
	unsigned char *more = realloc(in->big, room);

	if (more == NULL)
		return kn_fail(-ENOMEM, "message of %zu bytes", in->front.len);
	in->big = more;
	in->room = room;
	return 0;
}

/* A buffer that is full although nothing in it was asked for is enlarged. */
static int
make_room(struct kn_incoming *in)
{
	size_t cap = in->cap == 0 ? BUFFER : in->cap * 2;
	unsigned char *more;

	if (in->at == in->end)
		in->at = in->end = 0;
	if (in->cap - in->end >= ROOM)
		return 0;
	if (in->at > 0) {
		memmove(in->buf, in->buf + in->at, in_buffer(in));
		in->end -= in->at;
		in->at = 0;
	}
	if (in->cap - in->end >= ROOM)
		return 0;
	more = realloc(in->buf, cap);
	if (more == NULL)
		return kn_fail(-ENOMEM, "buffer of %zu bytes", cap);
	in->buf = more;
	in->cap = cap;
	return 0;
}

/*
 * Before they come: those that are there cannot be put back.  One more is for
 * the gap where others got lost.
 */
static int
make_room_for_fds(struct kn_incoming *in)
{
	uint32_t cap = in->nfds + KN_SOCKET_FDS + 1;
	uint64_t *at;
	int *fds;

	if (in->no_fds || in->fds_cap >= cap)
		return 0;
	fds = realloc(in->fds, cap * sizeof(*fds));
	if (fds != NULL)
		in->fds = fds;
	at = realloc(in->fds_at, cap * sizeof(*at));
	if (at != NULL)
		in->fds_at = at;
	if (fds == NULL || at == NULL)
		return kn_fail(-ENOMEM, "room for descriptors");
	in->fds_cap = cap;
	return 0;
}

/* Where to read to: the rest of a large body, or the buffer. */
static int
place_to_read(struct kn_incoming *in, unsigned char **ret, size_t *ret_len)
{
	int r = 0;

	/* Whole but for its check, it is followed by others in the buffer. */
	if (in->headed && !in->whole && in->front.len > LARGE &&
	    (in->big == NULL || is_growing(in))) {
		if (in->big == NULL)
			r = start_large(in);
		if (r == 0 && in->got == in->room)
			r = grow_large(in);
		if (r < 0)
			return r;
		*ret = in->big + in->got;
		*ret_len = in->room - in->got;
		return 0;
	}
	r = make_room(in);
	if (r < 0)
		return r;
	*ret = in->buf + in->end;
	*ret_len = in->cap - in->end;
	return 0;
}

static uint64_t
body_length(const unsigned char *head)
{
	uint64_t len;

	memcpy(&len, head + 8, sizeof(len));
	return le64toh(len);
}

/* The first byte in the buffer that is of no whole frame. */
static size_t
end_of_whole(const struct kn_incoming *in)
{
	size_t at = in->at;
	uint64_t len;

	while (in->end - at >= AROUND) {
		len = body_length(in->buf + at);
		if (len > in->end - at - AROUND)
			break;
		at += AROUND + (size_t)len;
	}
	return at;
}

bool
kn_stream_torn(const struct kn_stream *s)
{
	const struct kn_incoming *in = &s->in;

	return is_growing(in) || end_of_whole(in) != in->end;
}

static int
ended(const struct kn_stream *s, ssize_t n)
{
	switch (n) {
	case -EAGAIN:
		return 0;
	case 0:
		return kn_stream_torn(s) ?
		       kn_fail(-ECONNRESET, "it has ended in the middle of a "
			       "message") : kn_fail(-EPIPE, "it has ended");
	case -ECONNRESET:
	case -ETIMEDOUT:	/* TCP's own: not a deadline of ours */
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		return kn_fail(-ECONNRESET, "the connection was reset");
	default:
		return kn_fail((int)n, "receiving");
	}
}

/* What the next frames are made of. */
static void
came(struct kn_incoming *in, const unsigned char *to, size_t n, uint32_t nfds)
{
	uint32_t i;

	if (to == in->buf + in->end)
		in->end += n;
	else
		in->got += n;
	in->came += n;
	for (i = 0; i < nfds; i++)
		in->fds_at[in->nfds + i] = in->came;
	in->nfds += nfds;
}

/* Right behind what came: some that should have come with it did not. */
static void
leave_gap(struct kn_incoming *in)
{
	in->fds[in->nfds] = -1;
	in->fds_at[in->nfds++] = in->came;
}

static int
spoil(struct kn_incoming *in, int r, const char *why)
{
	in->spoilt = r;
	in->why = why;
	return kn_fail(r, "%s", why);
}

int
kn_stream_read(struct kn_stream *s)
{
	struct kn_incoming *in = &s->in;
	unsigned char *to = NULL;
	uint32_t nfds = 0;
	size_t room = 0;
	bool lost;
	ssize_t n;
	int r;

	r = make_room_for_fds(in);
	if (r == 0)
		r = place_to_read(in, &to, &room);
	if (r < 0)
		return r;
	n = kn_os_recvmsg(s->fd, to, room,
			  in->no_fds ? NULL : in->fds + in->nfds, &nfds, &lost);
	if (n <= 0)
		return ended(s, n);
	came(in, to, (size_t)n, nfds);
	if (lost && in->no_fds)
		(void)spoil(in, -EPROTO, "descriptors came where none may");
	else if (lost)
		leave_gap(in);
	return 1;
}

/* ---- the next one ---- */

static int
read_head(struct kn_incoming *in)
{
	const unsigned char *p = in->buf + in->at;
	struct kn_frame *f = &in->front;
	uint64_t len = body_length(p);
	uint32_t mark;

	memcpy(&mark, p, 4);
	memcpy(&f->type, p + 4, 2);
	memcpy(&f->flags, p + 6, 2);
	memcpy(&f->id, p + 16, 4);
	memcpy(&f->nfds, p + 20, 4);
	memcpy(&f->object, p + 24, 8);
	f->type = le16toh(f->type);
	f->flags = le16toh(f->flags);
	f->id = le32toh(f->id);
	f->nfds = le32toh(f->nfds);
	f->object = le64toh(f->object);
	if (le32toh(mark) != KN_FRAME_MARK)
		return spoil(in, -EPROTO, "what came is no message of kin's");
	if (f->nfds > KN_FRAME_FDS || (f->nfds > 0 && in->no_fds))
		return spoil(in, -EPROTO, "a message came with more "
			     "descriptors than it may have");
	if (len > in->max || len > SIZE_MAX - AROUND)
		return spoil(in, -EMSGSIZE, "a message came that is longer "
			     "than allowed");
	f->len = (size_t)len;
	in->headed = true;
	return 0;
}

/* What came so far belongs to the front frame, or to nobody. */
static int
more_is_needed(struct kn_incoming *in)
{
	if (in->nfds > (in->headed ? in->front.nfds : KN_FRAME_FDS))
		return spoil(in, -EPROTO, "descriptors came that belong to no "
			     "message");
	return 0;
}

/*
 * All that were there when its last byte was are its own.  -EMFILE: with a gap
 * among them; then it has no more of them than have come.
 */
static int
claim_fds(struct kn_incoming *in)
{
	uint64_t end = in->start + AROUND + in->front.len;
	bool gap = false;
	uint32_t n;

	for (n = 0; n < in->nfds && in->fds_at[n] <= end; n++)
		gap = gap || in->fds[n] < 0;
	if (n > in->front.nfds)
		return spoil(in, -EPROTO, "descriptors came that belong to no "
			     "message");
	if (gap) {
		in->front.nfds = n;
		return -EMFILE;
	}
	if (n < in->front.nfds)
		return spoil(in, -EPROTO, "a message came without its "
			     "descriptors");
	return 0;
}

static int
check_tail(struct kn_incoming *in, const unsigned char *at)
{
	uint64_t tail;

	memcpy(&tail, at, sizeof(tail));
	if (le64toh(tail) != (in->front.len ^ KN_FRAME_TAIL))
		return spoil(in, -EPROTO, "a message came that somebody had "
			     "torn");
	return 0;
}

/* 1: the front frame is there, whole; -EMFILE: but for its descriptors. */
static int
assemble(struct kn_incoming *in)
{
	const unsigned char *body;
	int r;

	if (!in->headed) {
		if (in_buffer(in) < KN_FRAME_HEAD)
			return more_is_needed(in);
		r = read_head(in);
		if (r < 0)
			return r;
	}
	if (in->big != NULL ? is_growing(in) :
	    in_buffer(in) < KN_FRAME_HEAD + rest_bytes(in))
		return more_is_needed(in);
	body = in->big != NULL ? in->big : in->buf + in->at + KN_FRAME_HEAD;
	r = check_tail(in, body + in->front.len);
	if (r == 0)
		r = claim_fds(in);
	in->whole = r == 0 || r == -EMFILE;
	return r < 0 ? r : 1;
}

int
kn_stream_next(struct kn_stream *s, struct kn_frame *ret)
{
	struct kn_incoming *in = &s->in;
	int r;

	if (in->spoilt != 0)
		return kn_fail(in->spoilt, "%s", in->why);
	if (!in->whole) {
		r = assemble(in);
		if (r == -EMFILE) {
			kn_stream_drop(s);
			return kn_fail(r, "descriptors of a message got lost "
				       "on arrival: this process has too many "
				       "open");
		}
		if (r <= 0)
			return r;
	}
	/* Anew each time: reading may have moved the buffer. */
	in->front.body = in->big != NULL ? in->big :
			 in->buf + in->at + KN_FRAME_HEAD;
	in->front.fds = in->fds;
	*ret = in->front;
	return 1;
}

/* Its bytes are let go of; on to the next, and what is not taken is closed. */
static void
pass_front(struct kn_incoming *in)
{
	uint32_t i, n = in->front.nfds;

	for (i = 0; i < n; i++)
		kn_os_close(in->fds[i]);
	in->nfds -= n;
	if (n > 0 && in->nfds > 0) {
		memmove(in->fds, in->fds + n, in->nfds * sizeof(*in->fds));
		memmove(in->fds_at, in->fds_at + n,
			in->nfds * sizeof(*in->fds_at));
	}
	in->start += AROUND + in->front.len;
	in->headed = in->whole = false;
	if (in->at == in->end && in->cap > BUFFER) {
		free(in->buf);
		in->buf = NULL;
		in->at = in->end = in->cap = 0;
	}
}

void
kn_stream_drop(struct kn_stream *s)
{
	struct kn_incoming *in = &s->in;

	kn_assert(in->whole);
	if (in->big == NULL)
		in->at += AROUND + in->front.len;
	free(in->big);
	in->big = NULL;
	pass_front(in);
}

int
kn_stream_apart(struct kn_stream *s)
{
	struct kn_incoming *in = &s->in;

	kn_assert(in->whole);
	if (in->big != NULL)
		return 0;
	in->big = malloc(rest_bytes(in));
	if (in->big == NULL)
		return kn_fail(-ENOMEM, "message of %zu bytes", in->front.len);
	memcpy(in->big, in->buf + in->at + KN_FRAME_HEAD, rest_bytes(in));
	in->got = in->room = rest_bytes(in);
	in->at += AROUND + in->front.len;
	return 0;
}

int
kn_stream_keep(struct kn_stream *s, unsigned char **ret_body, int *ret_fds)
{
	struct kn_incoming *in = &s->in;
	uint32_t i;
	int r;

	r = kn_stream_apart(s);
	if (r < 0)
		return r;
	*ret_body = in->big;
	in->big = NULL;
	for (i = 0; i < in->front.nfds; i++) {
		ret_fds[i] = in->fds[i];
		in->fds[i] = -1;
	}
	pass_front(in);
	return 0;
}

size_t
kn_stream_waiting(const struct kn_stream *s)
{
	return in_buffer(&s->in) + (s->in.big != NULL ? s->in.got : 0);
}

void
kn_stream_each(struct kn_stream *s, void (*fn)(void *arg, uint16_t type),
	       void *arg)
{
	struct kn_incoming *in = &s->in;
	size_t at = in->at, end = end_of_whole(in);
	uint16_t type;

	if (in->big != NULL && in->whole)
		fn(arg, in->front.type);
	for (; at < end; at += AROUND + (size_t)body_length(in->buf + at)) {
		memcpy(&type, in->buf + at + 4, sizeof(type));
		fn(arg, le16toh(type));
	}
}
