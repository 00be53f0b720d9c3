/* SPDX-License-Identifier: MIT */
/*
 * ops_registry.c - taking part in a queue, leaving it, and reaping the dead
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/proof/ops_queue.h"

static int
active(const struct scene *s)
{
	struct kn_registry *reg = &s->q->registry;
	uint32_t i;
	int n = 0;

	for (i = 0; i < reg->slots; i++)
		n += kn_load(&reg->roster->slots[i].state) & KN_SLOT_ACTIVE;
	return n;
}

/* A member that has died and whom nobody has missed yet. */
static void
add_dead(struct scene *s)
{
	pid_t pid = fork();

	if (pid == 0) {
		must(join_queue(s->q));
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void
set_dead_member(struct scene *s)
{
	set_queue(s);
	add_dead(s);
	must(active(s) == 2 ? 0 : -EUCLEAN);
}

/* All places taken: by us, and by one who is dead. */
static void
set_crowd(struct scene *s)
{
	must(kin_queue_create(&s->q, KIN_OPTS(kin_queue_opts, .bytes = 256,
					      .members = 2,
					      .spin_ns = KIN_SPIN_NEVER)));
	watch_queue(s);
	add_dead(s);
	must(active(s) == 2 ? 0 : -EUCLEAN);
}

static int
act_join(struct scene *s)
{
	return join_queue(s->q);
}

static int
act_leave(struct scene *s)
{
	kn_registry_leave(&s->q->registry);
	return 0;
}

static int
act_reap(struct scene *s)
{
	kn_registry_sweep(&s->q->registry, KN_SLOTS_MAX);
	return 0;
}

static int
act_queue_attach(struct scene *s)
{
	kin_queue *mine;
	int r = kin_queue_attach(&mine, kin_queue_fd(s->q));

	if (r == 0)
		kin_queue_close(mine);
	return r;
}

/* The dead are found, nobody living is taken for dead, places come back. */
static const char *
check_registry(struct scene *s)
{
	uint32_t slots = s->q->registry.slots, i;
	kin_queue *again[8];
	const char *wrong = NULL;

	kn_registry_sweep(&s->q->registry, slots);
	if (active(s) != 1)
		return "the dead were not reaped, or the living were";
	if (!(kn_load(&s->q->registry.roster->slots[s->q->registry.slot].state)
	      & KN_SLOT_ACTIVE))
		return "the survivor was reaped";
	for (i = 0; i + 1 < slots && wrong == NULL; i++)
		if (kin_queue_attach(&again[i], kin_queue_fd(s->q)) < 0)
			wrong = "a place is lost";
	while (i > 0)
		kin_queue_close(again[--i]);
	if (wrong == NULL && active(s) != 1)
		wrong = "a place was not given back";
	return wrong != NULL ? wrong : check_usable(s);
}

/* ---- a queue that is placed in a segment ---- */

#define PLACE	128

static void
set_room(struct scene *s)
{
	must(kin_segment_create(&s->seg, KIN_OPTS(kin_segment_opts,
						  .bytes = 8192)));
	memset((char *)kin_segment_data(s->seg) + PLACE + 64, 'd',
	       8192 - PLACE - 64);
}

static int
place(kin_queue **ret_q, kin_segment *seg)
{
	return kin_queue_create(ret_q, KIN_OPTS(kin_queue_opts, .bytes = 256,
						.members = 2,
						.spin_ns = KIN_SPIN_NEVER,
						.segment = seg,
						.offset = PLACE));
}

static int
act_place(struct scene *s)
{
	kin_queue *mine;

	return place(&mine, s->seg);
}

/* A whole queue, of which the dead one's place comes free; or none. */
static const char *
check_placed(struct scene *s)
{
	int r = kin_queue_attach_at(&s->q, s->seg, PLACE);

	if (r == -EPROTO) {
		if (s->shared->acted)
			return "a created queue is not there";
		r = place(&s->q, s->seg);
	} else if (r == 0 && s->shared->failed) {
		return "placing it failed, and it is there";
	}
	if (r < 0)
		return "there is neither a queue nor room for one";
	if (*(char *)kin_segment_data(s->seg) != 0)
		return "it wrote where it was not";
	kn_registry_sweep(&s->q->registry, KN_SLOTS_MAX);
	return active(s) == 1 ? check_usable(s) : "the dead were not reaped";
}

void
other_member(struct scene *s)
{
	kin_queue *placed;

	if (s->q != NULL)
		other_queue(s);
	else if (kin_queue_attach_at(&placed, s->seg, PLACE) == 0)
		kin_queue_close(placed);
}

/* ---- the table ---- */

const struct op registry_ops[] = {
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
	{ 0 },
};
