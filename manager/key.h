/* SPDX-License-Identifier: MIT */
/*
 * key.h - a value as the key of a dictionary
 *
 * A key is kept as msgpack in its shortest form, so that one value is one key,
 * however it was written; and what is answered is the key itself.
 */
#ifndef KN_KEY_H
#define KN_KEY_H

#include "manager/type.h"

#define KN_KEY_MAX	65536u		/* bytes of a string */

struct kn_key {
	const unsigned char *p;		/* in the message, room, or made */
	size_t len;
	unsigned char room[KN_HEAD_MOST];
	unsigned char *made;
};

/*
 * Read one; it points into itself.  Clear it, unless this failed.
 *
 *   -EINVAL    not a string, bytes, an integer or a bool
 *   -EMSGSIZE  over KN_KEY_MAX
 */
int kn_key_read(struct kn_key *key, struct kn_span value);
void kn_key_clear(struct kn_key *key);

#endif
