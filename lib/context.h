/* SPDX-License-Identifier: MIT */
/*
 * context.h - the ways to start a process, from inside
 */
#ifndef KN_CONTEXT_H
#define KN_CONTEXT_H

#include <kin/context.h>

#include "lib/process.h"

struct kin_context {
	uint32_t kind;
	char **libraries;		/* ends with NULL; NULL = none */
	kin_entry_fn *prepare;
	char **env;
	int32_t streams[3];
	struct kn_server *server;	/* NULL = none yet, or the last has
					   ended */
};

/* Start it by c, or by the default if that is NULL. */
int kn_context_start(kin_context *c, kin_process *p, struct kn_start *how);

/* c, or the default, which cannot be set any more. */
kin_context *kn_context_of(kin_context *c);

/* What opts leave open and c says. */
void kn_context_fill(const kin_context *c, struct kin_process_opts *opts);

#endif
