/* SPDX-License-Identifier: MIT */
/*
 * stream.h - inside a stream: frame.c receives, frame_send.c sends
 *
 * The two halves have nothing in common but the descriptor, so that one thread
 * may receive while another sends.
 */
#ifndef KN_STREAM_H
#define KN_STREAM_H

#include "lib/frame.h"

struct kn_incoming {
	unsigned char *buf;		/* read, from at to end */
	size_t at, end, cap;
	uint64_t start, came;		/* stream positions: front frame, end */

	struct kn_frame front;		/* the frame at start: */
	bool headed, whole;		/* its head is known; it is all there */
	unsigned char *big;		/* its body and tail, if apart */
	size_t got, room;

	int *fds;			/* in order of arrival, and where;
					   -1: some that got lost */
	uint64_t *fds_at;
	uint32_t nfds, fds_cap;

	uint64_t max;
	bool no_fds;
	int spoilt;			/* done with, and why */
	const char *why;
};

/* A kept frame with descriptors, which have not gone yet. */
struct kn_kept_fds {
	uint64_t at, end;		/* stream positions of the frame */
	int *fds;
	uint32_t n;
};

struct kn_outgoing {
	unsigned char *buf;		/* kept, from at to end */
	size_t at, end, cap;
	uint64_t gone;			/* stream position of at */
	struct kn_kept_fds *kept;
	uint32_t nkept, kept_cap;
	int broken;			/* torn, or nobody is there */
};

struct kn_stream {
	int fd;
	struct kn_incoming in;
	struct kn_outgoing out;
};

#endif
