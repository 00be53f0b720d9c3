/* SPDX-License-Identifier: MIT */
/*
 * process.h - a child, as its parent knows it
 */
#ifndef KN_PROCESS_H
#define KN_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include <kin/process.h>

#include "shm/word.h"

/*
 * What parent and child tell each other, in a page that both map: when to
 * begin; and the value, since the exit status has 8 bits and an entry's value
 * has 32.
 */
#define KN_GO		1u
#define KN_GO_NOT	2u		/* the start has failed */

struct kn_slip {
	kn_word go;			/* KN_GO, or KN_GO_NOT; 0 = wait */
	uint32_t returned;		/* the entry did, with value */
	int32_t value;
};

struct kin_process {
	pid_t pid;
	int pidfd;
	int lifeline;			/* the child is killed when it closes */
	struct kn_slip *slip;
	char name[16];			/* as long as the kernel keeps it */
	uint32_t generation;		/* of the process that started it */
	bool ended;
	bool left;			/* closed while it ran */
	struct kin_status status;	/* once ended */
	kin_process *next;		/* of all that this process started */
};

/*
 * Fork a child that runs fn, fill in pid, pidfd and lifeline, and return 0 in
 * the parent; it never returns in the child.
 */
int kn_start_fork(kin_process *p, kin_entry_fn *fn, const void *bytes,
		  size_t len, bool threads);

#endif
