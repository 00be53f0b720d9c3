/* SPDX-License-Identifier: MIT */
/*
 * traffic.h - queues, what goes through them, and who sleeps at their ends
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "tests/board.h"

#define SEED		0x6b696e01u
#define CROWD		2u		/* producers, and consumers */
#define TICKETS		2000000u	/* of one producer, at most */

/* What became of a test's tickets; zeros at its begin. */
extern struct ledger {
	uint32_t started[CROWD];	/* the last message whose put began */
	uint32_t last[CROWD][CROWD];	/* of a producer, by consumer */
	uint32_t disorder;
	uint8_t put[CROWD][TICKETS];	/* its put returned */
	uint8_t got[CROWD][TICKETS];	/* so many times */
} *ledger;

/* A case whose tests have one each, and a board. */
TCase *ledger_case(Suite *suite, const char *name);

kin_queue *queue_of(uint64_t bytes, uint32_t members);

void put_number(kin_queue *q, uint32_t n);
uint32_t get_number(kin_queue *q);

/* As full as it gets; returns how many there are. */
size_t fill(kin_queue *q);

/* A message's bytes follow from its number. */
void paint(unsigned char *buf, uint32_t len, uint32_t number);

/* A ticket says whose it is, and is as long as its number says. */
void put_ticket(kin_queue *q, uint32_t producer, uint32_t number);

/* Enters all that come, and ends well once the queue is shut down. */
void consume(kin_queue *q, uint32_t me) __attribute__((noreturn));

/*
 * Asleep in the call by now.  A getter ends with the number that it got, both
 * with EPIPE once the queue is shut down.  No flag is used twice.
 */
pid_t sleeping_getter(kin_queue *q, int flag);
pid_t sleeping_putter(kin_queue *q, int flag);

#endif
