/* SPDX-License-Identifier: MIT */
/*
 * frame.h - whole messages, with their descriptors, on a stream socket
 *
 *      0     4      8           16     20     24          32
 *      ├mark─┼type,─┼─ length ──┼──id──┼─nfds─┼─ object ──┼─ body ... ─┼tail─┤
 *            flags
 *
 * All numbers little-endian.
 *
 *      0   4  mark        "kin\x01": protocol and its version
 *      4   2  type
 *      6   2  flags
 *      8   8  length      of the body
 *      16  4  id          of a request, and of the reply to it
 *      20  4  descriptors that belong to this frame
 *      24  8  object
 *      32     body
 *      +   8  tail        length ^ KN_FRAME_TAIL
 *
 * The tail is there because a stream can have several writers over its life
 * (a forked child, another holder of the same end): one that is killed in the
 * middle of a frame leaves a part of it, and what the next one writes must not
 * be taken for the rest.  No body of known bytes puts the right tail at the
 * right place by chance.
 *
 * Descriptors arrive beside the bytes, attached by the kernel to the end of
 * whatever one recvmsg returns, which may end earlier frames too.  So they are
 * queued in order of arrival, each with the stream position at which it was
 * there; a frame takes as many as it says when it is complete, and any that
 * arrived no later than its end and are left belong to nobody: -EPROTO.  What
 * the kernel could not give us, for want of room for descriptors here, leaves a
 * gap in the queue: the frame that would have had it is lost, and no other.
 *
 * Nothing here waits: read and flush do what can be done at once.  Nothing
 * here is locked.
 */
#ifndef KN_FRAME_H
#define KN_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define KN_FRAME_MARK	0x016e696bu
#define KN_FRAME_HEAD	32u
#define KN_FRAME_TAIL	0x6c6961746e696b00ull	/* "\0kintail" */
#define KN_FRAME_FDS	128u		/* descriptors with one frame */

struct kn_frame {
	uint16_t type, flags;
	uint32_t id;
	uint64_t object;
	uint32_t nfds;
	unsigned char *body;
	size_t len;
	int *fds;
};

struct kn_stream;

/* fd is the stream's own from now on, and closed with it, even on failure. */
int kn_stream_new(struct kn_stream **ret, int fd);
void kn_stream_free(struct kn_stream *s);
int kn_stream_fd(const struct kn_stream *s);

/* The longest body that is received (else 1 GiB); checked before anything is
 * reserved. */
void kn_stream_limit(struct kn_stream *s, uint64_t max_bytes);
/* Refuse frames with descriptors, from now on (-EPROTO). */
void kn_stream_refuse_fds(struct kn_stream *s);

/*
 * ---- receiving ----
 *
 * Read what is there, once: 1 something came; 0 nothing now; -EPIPE the end,
 * between frames; -ECONNRESET the end, in the middle of one (or the kernel's
 * own); -ENOMEM.
 */
int kn_stream_read(struct kn_stream *s);

/*
 * The next whole frame, in place: 1, and *ret is good until kn_stream_read,
 * _next or _drop; 0 more must be read first; -EPROTO, -EMSGSIZE: this stream
 * is done with, and says so from now on.  Asking again without a drop gives the
 * same frame.  -EMFILE, once: descriptors of the next one got lost on arrival,
 * and it is dropped with the rest of them; ask again for the one behind it.
 */
int kn_stream_next(struct kn_stream *s, struct kn_frame *ret);

/*
 * Let go of that frame.  Its descriptors are closed, but for those that were
 * taken (set to -1 in ret->fds by the taker, or all by keep below).
 */
void kn_stream_drop(struct kn_stream *s);

/*
 * Take body and descriptors of that frame out of the stream, and let go of the
 * rest: *ret_body is of malloc, and moved rather than copied if it is large;
 * ret_fds has room for frame.nfds.  -ENOMEM: it stays; not after
 * kn_stream_apart, which does the copying only, for those who want to look
 * before they take.
 */
int kn_stream_keep(struct kn_stream *s, unsigned char **ret_body,
		   int *ret_fds);
int kn_stream_apart(struct kn_stream *s);

/* Bytes that have come and were not let go of; the last are of half a frame. */
size_t kn_stream_waiting(const struct kn_stream *s);
bool kn_stream_torn(const struct kn_stream *s);

/*
 * The types of all whole frames that have come and were not let go of, in
 * order.
 */
void kn_stream_each(struct kn_stream *s, void (*fn)(void *arg, uint16_t type),
		    void *arg);

/*
 * ---- sending ----
 *
 * Send a frame, behind what is still kept: 1 all of it has gone; 0 the rest of
 * it is kept, in memory of the stream's own, and goes by flush.  With
 * KN_NOTHING_OR_KEEP it is -EAGAIN, and nothing happened, if not even its first
 * byte could go now.  head gives type, flags, id, object; its body and fds are
 * not looked at.  fds stay the caller's (they are duped if they must be kept).
 *
 * -EPIPE nobody is there to receive; -ECONNRESET; -EOPNOTSUPP descriptors over
 * something else than a Unix socket; -ENOMEM, -EMFILE for what is to be kept,
 * and nothing happened.  If part of it has gone and the rest can be neither
 * sent nor kept, the sending half is shut down, and this says so from now on.
 */
#define KN_KEEP			0
#define KN_NOTHING_OR_KEEP	1
#define KN_LATER		2	/* only keep it: flush will send it */
int kn_stream_send(struct kn_stream *s, const struct kn_frame *head,
		   const struct iovec *body, unsigned n, const int *fds,
		   uint32_t nfds, int how);

/* 1 all that was kept has gone; 0 not yet; -EPIPE, -ECONNRESET. */
int kn_stream_flush(struct kn_stream *s);

/* Bytes that are kept. */
size_t kn_stream_kept(const struct kn_stream *s);

/* They are another process's to send: forget them.  touched: it was forked in
 * the middle of a change to them, so they are let lie. */
void kn_stream_forget(struct kn_stream *s, bool touched);

/* The same of what has come, always let lie: nobody knows what it is. */
void kn_stream_lose(struct kn_stream *s);

/* No descriptor of it is left here; its memory waits for kn_stream_free. */
void kn_stream_close(struct kn_stream *s);

/*
 * For who waits in between: a frame on its way out of the caller's own memory.
 * Begin, push until it is 1 (0: the socket is full), and if there is no more
 * time, keep the rest.  Only if nothing else is kept.
 */
#define KN_PARTS	6u		/* of one body */
#define KN_SMALL	256u		/* a body that goes in one piece with
					   head and tail: the kernel is faster
					   then */
struct kn_sending {
	unsigned char head[KN_FRAME_HEAD + KN_SMALL + 8];
	unsigned char tail[8];
	struct iovec v[KN_PARTS + 2];
	unsigned at, n;
	const int *fds;
	uint32_t nfds;
	bool begun;			/* some of it has gone */
};
void kn_sending_begin(struct kn_sending *g, const struct kn_frame *head,
		      const struct iovec *body, unsigned n, const int *fds,
		      uint32_t nfds);
int kn_sending_push(struct kn_stream *s, struct kn_sending *g);
int kn_sending_keep(struct kn_stream *s, struct kn_sending *g);

#endif
