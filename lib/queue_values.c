/* SPDX-License-Identifier: MIT */
/*
 * queue_values.c - values as messages of a queue
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/bundle.h"
#include "lib/queue.h"
#include "shm/error.h"

#define MOST_ARE	200u	/* bytes at most */

int
kin_queue_put_values(kin_queue *q, struct kin_args args, kin_time deadline)
{
	char what[KIN_LABEL_MAX + 16];
	struct kn_way way = { .what = what, .no_fds = true,
			      .timed = true, .deadline = deadline };
	struct kn_bundle b;
	int r;

	kn_assert(q != NULL);
	snprintf(what, sizeof(what), "queue '%s'", kin_queue_label(q));
	r = kn_bundle_encode(&b, args, &way);
	if (r < 0)
		return r;
	r = kin_queue_put(q, b.bytes, b.len, deadline);
	if (r < 0)
		kn_bundle_drop(&b);
	else
		kn_bundle_sent(&b);
	return r;
}

/* All memory is there before the message leaves the queue. */
int
kin_queue_get_values(kin_queue *q, kin_values **ret_v, kin_time deadline)
{
	unsigned char *bytes, *fitting;
	kin_values *v;
	ssize_t len;
	int r;

	kn_assert(q != NULL);
	kn_assert(ret_v != NULL);
	v = kn_values_new(MOST_ARE, 0);
	if (v == NULL)
		return -ENOMEM;
	bytes = malloc(kin_queue_limit(q));
	if (bytes == NULL) {
		kin_values_free(v);
		return kn_fail(-ENOMEM, "message of %zu bytes",
			       kin_queue_limit(q));
	}
	len = kin_queue_get(q, bytes, kin_queue_limit(q), deadline);
	r = (int)len;
	if (len >= 0) {
		fitting = realloc(bytes, len > 0 ? (size_t)len : 1);
		if (fitting != NULL)
			bytes = fitting;
		r = kn_values_fill(v, bytes, (size_t)len, NULL, 0);
	}
	if (r < 0) {
		free(bytes);
		kin_values_free(v);
		return r;
	}
	*ret_v = v;
	return 0;
}
