/* SPDX-License-Identifier: MIT */
/*
 * fork_link.h - between a fork server and its client, on the client's side
 */
#ifndef KN_FORK_LINK_H
#define KN_FORK_LINK_H

#include <pthread.h>
#include <stdbool.h>

#include "lib/process.h"

struct kn_server {
	int socket;
	kin_process *process;
	uint32_t generation;		/* of the process that started it */
	uint32_t users;			/* its context, its processes */
	struct kn_server *next;		/* of all */

	pthread_mutex_t mutex;		/* of what follows */
	pthread_cond_t moved;
	bool reading;			/* somebody does */
	bool dead;			/* it says nothing any more */
	uint64_t serials;
	struct kn_served *served;
	struct kn_served hello;
};

/* All that is there, to whom it is for; the mutex is held. */
void kn_link_read(struct kn_server *s);

/* Until *told, or it is dead: 0; -ETIMEDOUT. */
int kn_link_await(struct kn_server *s, const bool *told, kin_time deadline);

#endif
