/* SPDX-License-Identifier: MIT */
/*
 * key.c - a value as the key of a dictionary
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "manager/key.h"
#include "shm/error.h"

/* A string with a head that is longer than it need be. */
static int
shorten(struct kn_key *key, const struct kn_head *head, size_t len)
{
	size_t n = (size_t)head->v.n;

	key->made = malloc(len + n);
	if (key->made == NULL)
		return kn_fail(-ENOMEM, "a key of %zu bytes", n);
	memcpy(key->made, key->room, len);
	if (n > 0)
		memcpy(key->made + len, head->data, n);
	key->p = key->made;
	key->len = len + n;
	return 0;
}

static int
read_bytes(struct kn_key *key, const struct kn_head *head,
	   struct kn_span value)
{
	size_t len;

	if (head->v.n > KN_KEY_MAX)
		return kn_fail(-EMSGSIZE, "a key of %" PRIu64 " bytes; %u at "
			       "most", head->v.n, KN_KEY_MAX);
	len = kn_write_head(key->room, head->type, (uint32_t)head->v.n);
	if (len + head->v.n != value.len)
		return shorten(key, head, len);
	key->p = value.p;
	key->len = value.len;
	return 0;
}

int
kn_key_read(struct kn_key *key, struct kn_span value)
{
	struct kn_head head = kn_span_head(value);

	key->made = NULL;
	switch (head.type) {
	case KIN_TYPE_STR:
	case KIN_TYPE_BIN:
		return read_bytes(key, &head, value);
	case KIN_TYPE_INT:
		key->len = head.negative ? kn_write_int(key->room, head.v.i)
					 : kn_write_uint(key->room, head.v.u);
		key->p = key->room;
		return 0;
	case KIN_TYPE_BOOL:
		key->p = value.p;
		key->len = value.len;
		return 0;
	default:
		return kn_fail(-EINVAL, "a key is a string, bytes, an integer "
			       "or a bool, not %s", kn_type_a(head.type));
	}
}

void
kn_key_clear(struct kn_key *key)
{
	free(key->made);
}
