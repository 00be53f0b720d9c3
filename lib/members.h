/* SPDX-License-Identifier: MIT */
/*
 * members.h - who takes part, for those who look
 */
#ifndef KN_MEMBERS_H
#define KN_MEMBERS_H

#include "lib/kinds.h"
#include "shm/control.h"

/* A roster, as it was copied: nothing in it is believed. */
struct kn_members {
	int fd;				/* of its file */
	uint64_t device, inode;
	uint64_t at;			/* its offset there */
	uint32_t n;
	uint32_t deaths;
	const struct kn_slot *slots;
};

/* As the registry has it: doubt about a free life byte is life. */
const char *kn_members_life(const struct kn_members *members, uint32_t slot);

/* How many there are, and a line about each. */
void kn_members_say(const struct kn_members *members, struct kn_listener *to);

/* A segment's control part, as it was copied. */
struct kn_control_look {
	struct kn_members members;
	uint32_t threads;
	struct kn_roster *roster;
	struct kn_threads *thread;
};

/* 0; -EIO: it could not be read whole; -ENOMEM. */
int kn_control_look(struct kn_control_look *ret, int fd,
		    const struct kn_header *header);
void kn_control_look_end(struct kn_control_look *look);

/* Whose that stamp is: "pid 12, thread 14, alive". */
void kn_control_say_stamp(const struct kn_control_look *look, const char *key,
			  uint32_t stamp, struct kn_listener *to);

/* How many sleep, waiting for the object at that offset of the file. */
uint32_t kn_control_waiters(const struct kn_control_look *look, uint64_t at);

/* Members, and threads that wait. */
void kn_control_say(const struct kn_control_look *look,
		    struct kn_listener *to);

#endif
