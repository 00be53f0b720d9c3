/* SPDX-License-Identifier: MIT */
/*
 * traffic.c - queues, what goes through them, and who sleeps at their ends
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/traffic.h"

struct ledger *ledger;

static void
open_ledger(void)
{
	ledger = mmap(NULL, sizeof(*ledger), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(ledger, MAP_FAILED);
}

static void
close_ledger(void)
{
	munmap(ledger, sizeof(*ledger));
}

TCase *
ledger_case(Suite *suite, const char *name)
{
	TCase *tc = board_case(suite, name);

	tcase_add_checked_fixture(tc, open_ledger, close_ledger);
	return tc;
}

kin_queue *
queue_of(uint64_t bytes, uint32_t members)
{
	kin_queue *q;

	ck_kin_ok(kin_queue_create(&q, KIN_OPTS(kin_queue_opts, .bytes = bytes,
						.members = members)));
	return q;
}

void
put_number(kin_queue *q, uint32_t n)
{
	ck_fast(kin_queue_put(q, &n, sizeof(n), KIT_PATIENCE) == 0);
}

uint32_t
get_number(kin_queue *q)
{
	uint32_t n = 0;

	ck_fast(kin_queue_get(q, &n, sizeof(n), KIT_PATIENCE) == sizeof(n));
	return n;
}

size_t
fill(kin_queue *q)
{
	size_t n = 0;
	int r;

	while ((r = kin_queue_put(q, NULL, 0, KIN_NOWAIT)) == 0)
		n++;
	ck_assert_int_eq(r, -ETIMEDOUT);
	return n;
}

void
paint(unsigned char *buf, uint32_t len, uint32_t number)
{
	uint32_t i, state = number * 2654435761u | 1;

	for (i = 0; i < len; i++)
		buf[i] = (unsigned char)next_random(&state);
}

/* ---- tickets ---- */

struct ticket {
	uint32_t producer, number;
	unsigned char more[192];	/* as much as the number says */
};

static size_t
ticket_bytes(uint32_t number)
{
	return 8 + number * 7 % sizeof(((struct ticket *)0)->more);
}

void
put_ticket(kin_queue *q, uint32_t producer, uint32_t number)
{
	struct ticket t = { producer, number, { 0 } };

	memset(t.more, (int)(number & 0xff), sizeof(t.more));
	ck_fast(kin_queue_put(q, &t, ticket_bytes(number), KIT_PATIENCE) == 0);
}

/* 0, or get's number. */
static int
get_ticket(kin_queue *q, struct ticket *t, kin_time deadline)
{
	ssize_t r = kin_queue_get(q, t, sizeof(*t), deadline);
	size_t i;

	if (r < 0)
		return (int)r;
	ck_fast(r >= 8 && t->producer < CROWD && t->number < TICKETS);
	ck_fast((size_t)r == ticket_bytes(t->number));
	for (i = 0; i < (size_t)r - 8; i++)
		ck_fast(t->more[i] == (t->number & 0xff));
	return 0;
}

/* Of one producer, each consumer sees numbers that only rise. */
static void
account(const struct ticket *t, uint32_t consumer)
{
	uint32_t *last = &ledger->last[consumer][t->producer];

	if (t->number <= *last)
		__atomic_add_fetch(&ledger->disorder, 1, __ATOMIC_RELAXED);
	*last = t->number;
	__atomic_add_fetch(&ledger->got[t->producer][t->number], 1,
			   __ATOMIC_RELAXED);
}

void
consume(kin_queue *q, uint32_t me)
{
	struct ticket t;
	int r;

	while ((r = get_ticket(q, &t, KIT_PATIENCE)) == 0)
		account(&t, me);
	kin_queue_close(q);
	_exit(r == -EPIPE ? 0 : 1);
}

/* ---- sleepers ---- */

static char
state_of(pid_t pid)
{
	char path[32], text[512], *p;
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	p = strrchr(text, ')');
	ck_assert_ptr_nonnull(p);
	return p[2];
}

/* It has raised the flag before the only call in which it can sleep. */
static void
await_sleep(pid_t pid, int flag)
{
	kin_time patience = KIT_PATIENCE;

	await_flag(flag);
	while (state_of(pid) != 'S') {
		ck_fast(kin_now().ns < patience.ns);
		sched_yield();
	}
}

pid_t
sleeping_getter(kin_queue *q, int flag)
{
	pid_t pid = kit_fork();

	if (pid == 0) {
		uint32_t n;
		ssize_t r;

		ck_assert_int_eq(kin_queue_get(q, &n, 4, KIN_NOWAIT),
				 -ETIMEDOUT);
		raise_flag(flag);
		r = kin_queue_get(q, &n, sizeof(n), KIN_FOREVER);
		kin_queue_close(q);
		_exit(r == -EPIPE ? EPIPE : r == 4 ? (int)n : 255);
	}
	await_sleep(pid, flag);
	return pid;
}

pid_t
sleeping_putter(kin_queue *q, int flag)
{
	pid_t pid = kit_fork();

	if (pid == 0) {
		int r;

		ck_assert_int_eq(kin_queue_put(q, "x", 1, KIN_NOWAIT),
				 -ETIMEDOUT);
		raise_flag(flag);
		r = kin_queue_put(q, "x", 1, KIN_FOREVER);
		kin_queue_close(q);
		_exit(-r);
	}
	await_sleep(pid, flag);
	return pid;
}
