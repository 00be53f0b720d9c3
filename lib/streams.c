/* SPDX-License-Identifier: MIT */
/*
 * streams.c - a child's standard streams, as its parent prepares them
 *
 * Each is settled here, to one descriptor that the child puts in its place: a
 * copy, /dev/null, or one end of a pipe.
 */
#include <errno.h>
#include <fcntl.h>

#include "lib/child.h"
#include "shm/error.h"
#include "shm/os.h"

static const char *const names[] = { "stdin", "stdout", "stderr" };

static int
open_pipe(struct kn_streams *s, int i)
{
	int pipe[2], r;

	r = kn_os_pipe(pipe);
	if (r < 0)
		return r;
	s->child[i] = pipe[i == 0 ? 0 : 1];
	s->parent[i] = pipe[i == 0 ? 1 : 0];
	return 0;
}

/* Where the output goes, be that its own or its parent's. */
static int
as_output(struct kn_streams *s)
{
	return kn_os_dup(s->child[1] >= 0 ? s->child[1] : 1);
}

static int
open_one(struct kn_streams *s, int i, int how)
{
	switch (how) {
	case 0:
		return 0;
	case KIN_STREAM_NULL:
		s->child[i] = kn_os_open("/dev/null",
					 i == 0 ? O_RDONLY : O_WRONLY, 0);
		break;
	case KIN_STREAM_PIPE:
		return open_pipe(s, i);
	case KIN_STREAM_OUT:
		s->child[i] = i == 2 ? as_output(s) : -EINVAL;
		break;
	default:
		s->child[i] = how > 0 ? kn_os_dup(how) : -EINVAL;
	}
	return s->child[i] < 0 ? s->child[i] : 0;
}

int
kn_streams_open(struct kn_streams *ret, const struct kin_process_opts *opts)
{
	const int how[] = { opts->in, opts->out, opts->err };
	int i, r;

	*ret = (struct kn_streams){ { -1, -1, -1 }, { -1, -1, -1 } };
	for (i = 0; i < 3; i++) {
		r = open_one(ret, i, how[i]);
		if (r < 0) {
			kn_streams_close(ret);
			return kn_fail(r, "process: its %s, %d", names[i],
				       how[i]);
		}
	}
	return 0;
}

static void
close_all(int fds[3])
{
	int i;

	for (i = 0; i < 3; i++) {
		kn_os_close(fds[i]);
		fds[i] = -1;
	}
}

void
kn_streams_close_child(struct kn_streams *s)
{
	close_all(s->child);
}

void
kn_streams_close_parent(struct kn_streams *s)
{
	close_all(s->parent);
}

void
kn_streams_close(struct kn_streams *s)
{
	close_all(s->child);
	close_all(s->parent);
}
