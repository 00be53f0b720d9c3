/* SPDX-License-Identifier: MIT */
/*
 * kill_ground.c - scenes of segments and of the registry
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kill_ops.h"

#define BYTES	8192
#define GROWN	50000

/* ---- segments ---- */

void
set_nothing(struct scene *s)
{
	(void)s;
}

void
act_create_anonymous(struct scene *s)
{
	if (kin_segment_create(&s->seg, KIN_OPTS(kin_segment_opts,
						 .bytes = BYTES)) < 0)
		abort();
}

void
act_create_named(struct scene *s)
{
	if (kin_segment_create(&s->seg, KIN_OPTS(kin_segment_opts,
						 .bytes = BYTES,
						 .name = "victim's")) < 0)
		abort();
}

void
act_create_sparse(struct scene *s)
{
	if (kin_segment_create(&s->seg, KIN_OPTS(kin_segment_opts,
						 .bytes = BYTES,
						 .flags = KIN_SEGMENT_SPARSE))
	    < 0)
		abort();
}

/* Beside the directory of names. */
static const char *
file_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s.seg", getenv("KIN_DIR"));
	return path;
}

void
act_create_file(struct scene *s)
{
	if (kin_segment_create(&s->seg, KIN_OPTS(kin_segment_opts,
						 .bytes = BYTES,
						 .path = file_path())) < 0)
		abort();
}

void
act_open_or_create(struct scene *s)
{
	if (kin_segment_create(&s->seg,
			       KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					.name = "victim's",
					.flags = KIN_SEGMENT_OPEN_OR_CREATE))
	    < 0)
		abort();
}

/* No name but ours can be there, and no file without a name is seen. */
static const char *
check_no_names(void)
{
	const char *dir = getenv("KIN_DIR");

	return rmdir(dir) == 0 || errno == ENOENT ? NULL : "a name is left";
}

const char *
check_created_anonymous(struct scene *s)
{
	(void)s;
	return check_no_names();
}

/* Whole, or nothing; and if nothing, the name is free. */
const char *
check_created_named(struct scene *s)
{
	int r = kin_segment_open(&s->seg, "victim's");

	if (r == -ENOENT) {
		if (s->shared->acted)
			return "a created segment is not there";
		act_create_named(s);
	} else if (r < 0) {
		return "there is a name, and no segment behind it";
	}
	if (kin_segment_bytes(s->seg) != BYTES)
		return "a segment is there, but not whole";
	if (kin_segment_unlink("victim's") < 0)
		return "the name can't be removed";
	return check_no_names();
}

const char *
check_created_file(struct scene *s)
{
	int r = kin_segment_open_file(&s->seg, file_path(), NULL);

	if (r == -ENOENT) {
		if (s->shared->acted)
			return "a created segment is not there";
		act_create_file(s);
	} else if (r < 0) {
		return "there is a file, and no segment in it";
	}
	if (kin_segment_bytes(s->seg) != BYTES)
		return "a segment is there, but not whole";
	return unlink(file_path()) == 0 ? NULL : "the file is not there";
}

void
set_named(struct scene *s)
{
	act_create_named(s);
	kin_segment_close(s->seg);
	s->seg = NULL;
}

void
set_segment(struct scene *s)
{
	act_create_anonymous(s);
	memset(kin_segment_data(s->seg), 'd', BYTES);
}

void
act_attach(struct scene *s)
{
	kin_segment *mine;

	if (kin_segment_attach(&mine, kin_segment_fd(s->seg)) < 0)
		abort();
	kin_segment_close(mine);
}

void
act_attach_read_only(struct scene *s)
{
	kin_segment *mine;

	if (kin_segment_attach_with(&mine, kin_segment_fd(s->seg),
				    KIN_OPTS(kin_segment_use,
					     .flags = KIN_USE_READONLY)) < 0)
		abort();
	kin_segment_close(mine);
}

const char *
check_attached(struct scene *s)
{
	const char *data;
	kin_segment *again;
	const char *wrong = NULL;

	if (kin_segment_attach(&again, kin_segment_fd(s->seg)) < 0)
		return "it can't be attached any more";
	data = kin_segment_data(again);
	if (data[0] != 'd' || memcmp(data, data + 1, BYTES - 1) != 0)
		wrong = "its contents are not what they were";
	kin_segment_close(again);
	return wrong;
}

void
set_growable(struct scene *s)
{
	if (kin_segment_create(&s->seg,
			       KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					.max_bytes = 2 * GROWN,
					.flags = KIN_SEGMENT_GROWABLE)) < 0)
		abort();
	memset(kin_segment_data(s->seg), 'd', BYTES);
}

void
act_grow(struct scene *s)
{
	if (kin_segment_grow(s->seg, GROWN) < 0)
		abort();
}

/* Grown, or as it was; all of it there; and it can grow on. */
const char *
check_grown(struct scene *s)
{
	unsigned char *data = kin_segment_data(s->seg);
	size_t bytes;

	if (kin_segment_refresh(s->seg) < 0)
		return "its size can't be seen";
	bytes = kin_segment_bytes(s->seg);
	if (bytes != GROWN && (bytes != BYTES || s->shared->acted))
		return "it is of no size that anybody asked for";
	if (data[0] != 'd' || memcmp(data, data + 1, BYTES - 1) != 0)
		return "its contents are not what they were";
	memset(data, 'e', bytes);
	if (kin_segment_grow(s->seg, GROWN + 1) < 0)
		return "it can't grow any more";
	return data[GROWN] == 0 ? NULL : "new bytes are not zero";
}

/* The survivor only reads, so that the victim is the only writer. */
void
set_reader(struct scene *s)
{
	kin_segment *reader;

	set_segment(s);
	if (kin_segment_attach_with(&reader, kin_segment_fd(s->seg),
				    KIN_OPTS(kin_segment_use,
					     .flags = KIN_USE_READONLY)) < 0)
		abort();
	kin_segment_close(s->seg);
	s->seg = reader;
}

static int
writer_of(kin_segment **ret_seg, const kin_segment *reader)
{
	char path[32];
	int fd, r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d",
		 kin_segment_fd(reader));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		abort();
	r = kin_segment_attach(ret_seg, fd);
	close(fd);
	return r;
}

void
ready_writer(struct scene *s)
{
	kin_segment *writer;

	if (writer_of(&writer, s->seg) < 0)
		abort();
	kin_segment_close(s->seg);
	s->seg = writer;
}

void
act_seal(struct scene *s)
{
	if (kin_segment_seal(s->seg) < 0)
		abort();
}

/* Frozen, or anybody can do it now. */
const char *
check_sealed(struct scene *s)
{
	kin_segment *writer;
	int r;

	if (!(kin_segment_seals(s->seg) & KIN_SEALED_FROZEN)) {
		if (s->shared->acted)
			return "it is sealed, but not frozen";
		if (writer_of(&writer, s->seg) < 0)
			return "it can be neither written nor frozen";
		r = kin_segment_seal(writer);
		kin_segment_close(writer);
		if (r < 0)
			return "it can't be frozen any more";
	}
	return *(char *)kin_segment_data(s->seg) == 'd' ? NULL :
	       "its contents are not what they were";
}

void
act_publish(struct scene *s)
{
	if (kin_segment_publish(s->seg) < 0)
		abort();
}

const char *
check_published(struct scene *s)
{
	kin_segment *late;
	int sealed = kin_segment_seals(s->seg) & KIN_SEALED_PUBLISHED;
	int r = kin_segment_attach(&late, kin_segment_fd(s->seg));

	if (r == 0)
		kin_segment_close(late);
	if (!sealed && s->shared->acted)
		return "it is published, but not sealed";
	if (sealed ? r != -EACCES : r < 0)
		return "its seals do not tell who can write";
	*(char *)kin_segment_data(s->seg) = 'x';
	return NULL;
}

/* ---- the registry ---- */

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
		if (join_queue(s->q) < 0)
			abort();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

void
set_dead_member(struct scene *s)
{
	set_queue(s);
	add_dead(s);
	if (active(s) != 2)
		abort();
}

/* All places taken: by us, and by one who is dead. */
void
set_crowd(struct scene *s)
{
	if (kin_queue_create(&s->q, KIN_OPTS(kin_queue_opts, .bytes = 256,
					     .members = 2,
					     .spin_ns = KIN_SPIN_NEVER)) < 0)
		abort();
	add_dead(s);
	if (active(s) != 2)
		abort();
}

void
act_join(struct scene *s)
{
	if (join_queue(s->q) < 0)
		abort();
}

void
act_leave(struct scene *s)
{
	kn_registry_leave(&s->q->registry);
}

void
act_reap(struct scene *s)
{
	kn_registry_sweep(&s->q->registry, KN_SLOTS_MAX);
}

void
act_queue_attach(struct scene *s)
{
	kin_queue *mine;

	if (kin_queue_attach(&mine, kin_queue_fd(s->q)) < 0)
		abort();
	kin_queue_close(mine);
}

/* The dead are found, nobody living is taken for dead, places come back. */
const char *
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

void
set_room(struct scene *s)
{
	set_segment(s);
	memset(kin_segment_data(s->seg), 0, PLACE + 64);
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

void
act_place(struct scene *s)
{
	kin_queue *mine;

	if (place(&mine, s->seg) < 0)
		abort();
}

/* A whole queue, of which the dead one's place comes free; or none. */
const char *
check_placed(struct scene *s)
{
	int r = kin_queue_attach_at(&s->q, s->seg, PLACE);

	if (r == -EPROTO) {
		if (s->shared->acted)
			return "a created queue is not there";
		r = place(&s->q, s->seg);
	}
	if (r < 0)
		return "there is neither a queue nor room for one";
	if (*(char *)kin_segment_data(s->seg) != 0)
		return "it wrote where it was not";
	kn_registry_sweep(&s->q->registry, KN_SLOTS_MAX);
	return active(s) == 1 ? check_usable(s) : "the dead were not reaped";
}
