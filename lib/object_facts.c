/* SPDX-License-Identifier: MIT */
/*
 * object_facts.c - what there is to know of an object that stands alone
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/object.h"
#include "shm/os.h"

#define OWN_MOST	65536u		/* bytes that are copied */

static bool
copy_mark(struct kn_object_look *look)
{
	const struct kn_object_kind *kind = look->kind;
	const struct kn_header *h = look->header;
	struct kn_mark *mark = &look->mark;
	uint64_t own;

	if (h->body_bytes < sizeof(*mark) ||
	    kn_os_read_at(look->fd, mark, sizeof(*mark), look->body) !=
	    (ssize_t)sizeof(*mark) || mark->there.v >> 32 != KN_OBJECT_MARK)
		return false;
	own = kind->own_bytes(mark, h->members, h->threads);
	if (own == 0 || own > h->body_bytes - sizeof(*mark) ||
	    mark->bytes > h->body_bytes)
		return false;
	look->own_bytes = own < OWN_MOST ? (size_t)own : OWN_MOST;
	return true;
}

static void
look_closer(struct kn_object_look *look, void *own, struct kn_listener *to)
{
	if (kn_os_read_at(look->fd, own, look->own_bytes,
			  look->body + sizeof(look->mark)) !=
	    (ssize_t)look->own_bytes)
		return;
	look->own = own;
	if (look->kind->facts != NULL)
		look->kind->facts(look, to);
}

void
kn_object_facts(int fd, const struct kn_header *header, struct kn_listener *to)
{
	struct kn_object_look look = {
		.fd = fd,
		.header = header,
		.kind = kn_object_kind_find(header->kind),
		.body = KN_PAGE + kn_control_bytes(header->members,
						   header->threads),
	};
	void *own;

	if (header->members != 0 &&
	    kn_control_look(&look.control, fd, header) < 0)
		return;
	if (!copy_mark(&look)) {
		kn_say(to, KN_TROUBLE, "%s: its layout contradicts itself",
		       look.kind->kind.name);
		goto out;
	}
	own = malloc(look.own_bytes);
	if (own == NULL)
		to->r = -ENOMEM;
	else
		look_closer(&look, own, to);
	free(own);
	if (header->members != 0)
		kn_control_say(&look.control, to);
out:
	kn_control_look_end(&look.control);
}
