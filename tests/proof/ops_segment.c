/* SPDX-License-Identifier: MIT */
/*
 * ops_segment.c - making, joining, growing and freezing segments
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/proof/nouns.h"

#define BYTES	8192
#define GROWN	50000

static void
set_nothing(struct scene *s)
{
	(void)s;
}

static int
act_create_anonymous(struct scene *s)
{
	return kin_segment_create(&s->seg,
				  KIN_OPTS(kin_segment_opts, .bytes = BYTES));
}

static int
act_create_named(struct scene *s)
{
	return kin_segment_create(&s->seg,
				  KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					   .name = "victim's"));
}

static int
act_create_sparse(struct scene *s)
{
	return kin_segment_create(&s->seg,
				  KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					   .flags = KIN_SEGMENT_SPARSE));
}

/* Beside the directory of names. */
static const char *
file_path(void)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s.seg", getenv("KIN_DIR"));
	return path;
}

static int
act_create_file(struct scene *s)
{
	return kin_segment_create(&s->seg,
				  KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					   .path = file_path()));
}

static int
act_open_or_create(struct scene *s)
{
	return kin_segment_create(&s->seg,
				  KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					   .name = "victim's",
					   .flags = KIN_SEGMENT_OPEN_OR_CREATE));
}

/* No name but ours can be there, and no file without a name is seen. */
static const char *
check_no_names(void)
{
	const char *dir = getenv("KIN_DIR");

	return rmdir(dir) == 0 || errno == ENOENT ? NULL : "a name is left";
}

static const char *
check_created_anonymous(struct scene *s)
{
	(void)s;
	return check_no_names();
}

/* Whole, or nothing; and if nothing, the name is free. */
static const char *
check_created_named(struct scene *s)
{
	int r = kin_segment_open(&s->seg, "victim's");

	if (r == -ENOENT) {
		if (s->shared->acted)
			return "a created segment is not there";
		must(act_create_named(s));
	} else if (r < 0) {
		return "there is a name, and no segment behind it";
	} else if (s->shared->failed && s->expect == 0) {
		return "creating it failed, and it is there";
	}
	if (kin_segment_bytes(s->seg) != BYTES)
		return "a segment is there, but not whole";
	if (kin_segment_unlink("victim's") < 0)
		return "the name can't be removed";
	return check_no_names();
}

static const char *
check_created_file(struct scene *s)
{
	int r = kin_segment_open_file(&s->seg, file_path(), NULL);

	if (r == -ENOENT) {
		if (s->shared->acted)
			return "a created segment is not there";
		must(act_create_file(s));
	} else if (r < 0) {
		return "there is a file, and no segment in it";
	} else if (s->shared->failed) {
		return "creating it failed, and it is there";
	}
	if (kin_segment_bytes(s->seg) != BYTES)
		return "a segment is there, but not whole";
	return unlink(file_path()) == 0 ? NULL : "the file is not there";
}

static void
set_named(struct scene *s)
{
	must(act_create_named(s));
	kin_segment_close(s->seg);
	s->seg = NULL;
	s->expect = 'n';
}

static void
set_segment(struct scene *s)
{
	must(act_create_anonymous(s));
	memset(kin_segment_data(s->seg), 'd', BYTES);
}

static int
act_attach(struct scene *s)
{
	kin_segment *mine;
	int r = kin_segment_attach(&mine, kin_segment_fd(s->seg));

	if (r == 0)
		kin_segment_close(mine);
	return r;
}

static int
act_attach_read_only(struct scene *s)
{
	kin_segment *mine;
	int r = kin_segment_attach_with(&mine, kin_segment_fd(s->seg),
					KIN_OPTS(kin_segment_use,
						 .flags = KIN_USE_READONLY));

	if (r == 0)
		kin_segment_close(mine);
	return r;
}

static const char *
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

static void
set_growable(struct scene *s)
{
	must(kin_segment_create(&s->seg,
				KIN_OPTS(kin_segment_opts, .bytes = BYTES,
					 .max_bytes = 2 * GROWN,
					 .flags = KIN_SEGMENT_GROWABLE)));
	memset(kin_segment_data(s->seg), 'd', BYTES);
}

static int
act_grow(struct scene *s)
{
	return kin_segment_grow(s->seg, GROWN);
}

/* Grown, or as it was; all of it there; and it can grow on. */
static const char *
check_grown(struct scene *s)
{
	unsigned char *data = kin_segment_data(s->seg);
	size_t bytes;

	if (kin_segment_refresh(s->seg) < 0)
		return "its size can't be seen";
	bytes = kin_segment_bytes(s->seg);
	if (bytes != GROWN && (bytes != BYTES || s->shared->acted))
		return "it is of no size that anybody asked for";
	if (bytes != BYTES && s->shared->failed)
		return "growing it failed, and it has grown";
	if (data[0] != 'd' || memcmp(data, data + 1, BYTES - 1) != 0)
		return "its contents are not what they were";
	memset(data, 'e', bytes);
	if (kin_segment_grow(s->seg, GROWN + 1) < 0)
		return "it can't grow any more";
	return data[GROWN] == 0 ? NULL : "new bytes are not zero";
}

/* The survivor only reads, so that the victim is the only writer. */
static void
set_reader(struct scene *s)
{
	kin_segment *reader;

	set_segment(s);
	must(kin_segment_attach_with(&reader, kin_segment_fd(s->seg),
				     KIN_OPTS(kin_segment_use,
					      .flags = KIN_USE_READONLY)));
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
		return -errno;
	r = kin_segment_attach(ret_seg, fd);
	close(fd);
	return r;
}

static void
ready_writer(struct scene *s)
{
	kin_segment *writer;
	int r = writer_of(&writer, s->seg);

	/* One has frozen it before us. */
	if (r == -EACCES && s->shared->dead)
		return;
	must(r);
	kin_segment_close(s->seg);
	s->seg = writer;
}

static int
act_seal(struct scene *s)
{
	return kin_segment_seal(s->seg);
}

/* Frozen, or anybody can do it now. */
static const char *
check_sealed(struct scene *s)
{
	kin_segment *writer;
	int r;

	if (kin_segment_seals(s->seg) & KIN_SEALED_FROZEN) {
		if (s->shared->failed)
			return "freezing it failed, and it is frozen";
	} else {
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

static int
act_publish(struct scene *s)
{
	return kin_segment_publish(s->seg);
}

static const char *
check_published(struct scene *s)
{
	kin_segment *late;
	int sealed = kin_segment_seals(s->seg) & KIN_SEALED_PUBLISHED;
	int r = kin_segment_attach(&late, kin_segment_fd(s->seg));

	if (r == 0)
		kin_segment_close(late);
	if (!sealed && s->shared->acted)
		return "it is published, but not sealed";
	if (sealed && s->shared->failed)
		return "publishing it failed, and it is published";
	if (sealed ? r != -EACCES : r < 0)
		return "its seals do not tell who can write";
	*(char *)kin_segment_data(s->seg) = 'x';
	return NULL;
}

/* ---- the table ---- */

const struct op segment_ops[] = {
	{ "segment create", "anonymous", set_nothing, NULL,
	  act_create_anonymous, check_created_anonymous, 0 },
	{ "segment create", "named", set_nothing, NULL, act_create_named,
	  check_created_named, OP_RIVALS },
	{ "segment create", "sparse", set_nothing, NULL, act_create_sparse,
	  check_created_anonymous, 0 },
	{ "segment create", "file", set_nothing, NULL, act_create_file,
	  check_created_file, OP_RIVALS },
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
	  check_sealed, OP_RIVALS },
	{ "segment publish", "shared", set_segment, NULL, act_publish,
	  check_published, 0 },
	{ 0 },
};
