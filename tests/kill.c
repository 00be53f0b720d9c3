/* SPDX-License-Identifier: MIT */
/*
 * kill.c - the proof table: every operation, in every state, killed at every
 * instruction
 *
 *      kill                       all rows
 *      kill put,sleeper latch     rows of an operation, or of one in a state
 *
 * Prints TAP, with the number of points at which a victim was killed, and last
 * the sums.
 */
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/kill_ops.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct kill_op table[] = {
	{ "put", "empty", set_queue, ready_member, act_put, check_put, 0 },
	{ "put", "nearly full", set_nearly_full, ready_member, act_put,
	  check_put, 0 },
	{ "put", "wrapping", set_wrapping, ready_member, act_put, check_put,
	  0 },
	{ "put", "contended", set_put_contended, ready_member, act_put,
	  check_put, 0 },
	{ "put", "inherited", set_queue, ready_put_inherited, act_put,
	  check_put, 0 },
	{ "put", "full", set_full_then_room, ready_member, act_put, check_put,
	  0 },
	{ "put", "sleeper", set_getter_asleep, ready_member, act_put,
	  check_getter_woken, KILL_PTRACE },

	{ "get", "one", set_two, ready_member, act_get, check_get_two, 0 },
	{ "get", "nearly full", set_nearly_full, ready_member, act_get,
	  check_get_two, 0 },
	{ "get", "wrapping", set_wrapping_two, ready_member, act_get,
	  check_get_two, 0 },
	{ "get", "contended", set_get_contended, ready_member, act_get,
	  check_get_two, 0 },
	{ "get", "inherited", set_two, ready_get_inherited, act_get,
	  check_get_two, 0 },
	{ "get", "empty", set_empty_then_message, ready_member, act_get,
	  check_get, 0 },
	{ "get", "sleeper", set_putter_asleep, ready_member, act_get,
	  check_putter_woken, KILL_PTRACE },

	{ "shutdown", "empty", set_queue, ready_member, act_shutdown,
	  check_shutdown, 0 },

	{ "latch take", "free", set_queue, ready_member, act_take,
	  check_usable, 0 },
	{ "latch take", "contended", set_put_contended, ready_member, act_take,
	  check_usable, 0 },
	{ "latch take", "inherited", set_queue, ready_put_inherited, act_take,
	  check_usable, 0 },
	{ "latch release", "held", set_queue, ready_holder, act_release,
	  check_usable, 0 },
	{ "latch release", "sleeper", set_latch_sleeper,
	  ready_holder_with_sleeper, act_release, check_latch_woken,
	  KILL_PTRACE },

	{ "segment create", "anonymous", set_nothing, NULL,
	  act_create_anonymous, check_created_anonymous, 0 },
	{ "segment create", "named", set_nothing, NULL, act_create_named,
	  check_created_named, 0 },
	{ "segment create", "sparse", set_nothing, NULL, act_create_sparse,
	  check_created_anonymous, 0 },
	{ "segment create", "file", set_nothing, NULL, act_create_file,
	  check_created_file, 0 },
	{ "segment create", "or open, none", set_nothing, NULL,
	  act_open_or_create, check_created_named, 0 },
	{ "segment create", "or open, one", set_named, NULL,
	  act_open_or_create, check_created_named, 0 },
	{ "segment attach", "shared", set_segment, NULL, act_attach,
	  check_attached, 0 },
	{ "segment attach", "read-only", set_segment, NULL,
	  act_attach_read_only, check_attached, 0 },
	{ "segment grow", "shared", set_growable, NULL, act_grow, check_grown,
	  0 },
	{ "segment seal", "alone", set_reader, ready_writer, act_seal,
	  check_sealed, 0 },
	{ "segment publish", "shared", set_segment, NULL, act_publish,
	  check_published, 0 },

	{ "registry join", "fork", set_queue, NULL, act_join, check_registry,
	  0 },
	{ "registry join", "crowd", set_crowd, NULL, act_join, check_registry,
	  0 },
	{ "registry leave", "joined", set_queue, ready_member, act_leave,
	  check_registry, 0 },
	{ "registry reap", "dead member", set_dead_member, ready_member,
	  act_reap, check_registry, 0 },
	{ "registry reap", "dead holder", set_queue, ready_put_inherited,
	  act_reap, check_registry, 0 },
	{ "queue create", "placed", set_room, NULL, act_place, check_placed,
	  0 },
	{ "queue attach", "shared", set_queue, NULL, act_queue_attach,
	  check_registry, 0 },

	{ "client call", "add", set_server, ready_client, act_counter_add,
	  check_counter_added, 0 },
	{ "client call", "set", set_server, ready_client, act_dict_set,
	  check_dict_set, 0 },
	{ "client call", "create", set_server, ready_client, act_dict_create,
	  check_dict_created, 0 },
	{ "client call", "share", set_server, ready_client, act_share,
	  check_shared, 0 },
	{ "client call", "first", set_server, NULL, act_counter_add,
	  check_counter_added, 0 },
};

/* By "operation" or "operation,state". */
static bool
wanted(const struct kill_op *op, int argc, char **argv)
{
	char full[128];
	int i;

	snprintf(full, sizeof(full), "%s,%s", op->name, op->state);
	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], op->name) == 0 || strcmp(argv[i], full) == 0)
			return true;
	return argc < 2;
}

/*
 * Victim, survivor and helpers on one CPU: single steps are ten times faster
 * there, and who is to run next is the kernel's choice, not the hardware's.
 */
static void
pin(void)
{
	cpu_set_t all, one;
	int cpu, nth;

	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		return;
	nth = (int)getpid() % CPU_COUNT(&all);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && nth-- == 0)
			break;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

int
main(int argc, char **argv)
{
	char names[64];
	int failures = 0, points = 0, rows = 0;
	size_t i;

	snprintf(names, sizeof(names), "/dev/shm/kin-kill-%d", (int)getpid());
	setenv("KIN_DIR", names, 1);
	pin();
	for (i = 0; i < COUNT(table); i++) {
		const struct kill_op *op = &table[i];
		struct kill_result result;

		if (!wanted(op, argc, argv))
			continue;
		rows++;
		kill_run(op, &result);
		points += result.points;
		if (result.wrong == NULL) {
			printf("ok %d - %s, %s: killed at %d points in %d "
			       "steps\n", rows, op->name, op->state,
			       result.points, result.steps);
		} else {
			failures++;
			printf("not ok %d - %s, %s: killed at call %d, step "
			       "%d: %s\n", rows, op->name, op->state,
			       result.window, result.step, result.wrong);
		}
		fflush(stdout);
	}
	printf("1..%d\n# %d rows, %d points, %d failures\n", rows, rows,
	       points, failures);
	(void)rmdir(names);
	if (rows == 0)
		errx(2, "no such row");
	return failures != 0;
}
