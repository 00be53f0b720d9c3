/* SPDX-License-Identifier: MIT */
/*
 * family.h - who this process is, and who has started it
 */
#ifndef KN_FAMILY_H
#define KN_FAMILY_H

#include <kin/process.h>

#include "shm/peer.h"

/* Who starts a child: of the start, and left in the slip for the child. */
struct kn_starter {
	struct kn_peer peer;		/* pid 0: there is none */
	char name[16];
	uint32_t log_level;
	uint32_t zero;
};

/* This process as a starter. */
void kn_family_starter(struct kn_starter *ret);

/* In the child of a start: its own name, and whom it has been started by. */
void kn_family_begin(const char *name, const struct kn_starter *starter);

/* A join with self or parent. */
int kn_family_join(kin_process *p, struct kin_status *ret_status,
		   kin_time deadline);

#endif
