/* SPDX-License-Identifier: MIT */
/*
 * tree.c - kill a process and all that come from it
 *
 *      stop it ──▶ look for children of those that we have ──▶ stop them ──┐
 *                     ▲                                                    │
 *                     └── somebody new, or not yet at rest ────────────────┘
 *      nobody new while all were at rest ──▶ SIGKILL to each
 *
 * One that is stopped starts nobody; and one that was told to stop does not,
 * either: a fork looks for a signal that is pending before it makes anybody
 * known.  So if all were at rest before a look, and it found nobody new, there
 * is nobody.  Each is held by a pidfd, and was ours after that was opened: the
 * pid of one that ended cannot lead us to a stranger.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/stat.h"

struct member {
	pid_t pid;
	uint64_t start;
	int pidfd;
};

struct tree {
	struct member *members;
	size_t n, cap;
};

static struct member *
member_of(const struct tree *t, pid_t pid)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->members[i].pid == pid)
			return &t->members[i];
	return NULL;
}

static int
room(struct tree *t)
{
	size_t cap = t->cap == 0 ? 16 : 2 * t->cap;
	struct member *members;

	if (t->n < t->cap)
		return 0;
	members = realloc(t->members, cap * sizeof(*members));
	if (members == NULL)
		return -ENOMEM;
	t->members = members;
	t->cap = cap;
	return 0;
}

static int
take(struct tree *t, pid_t pid, uint64_t start, int pidfd)
{
	t->members[t->n++] = (struct member){ pid, start, pidfd };
	return kn_os_signal(pidfd, SIGSTOP);
}

/* A child of one of ours, which is that one still?  1, 0. */
static int
is_ours(const struct tree *t, const struct kn_stat *stat)
{
	const struct member *parent = member_of(t, stat->parent);
	struct kn_stat now;
	int r;

	if (parent == NULL)
		return 0;
	r = kn_stat_read(&now, parent->pid);
	return r < 0 ? r : now.start == parent->start;
}

/* 1: it is one more.  0: it is not ours, or is no more. */
static int
consider(struct tree *t, pid_t pid)
{
	struct kn_stat before, after;
	int fd, r;

	r = kn_stat_read(&before, pid);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	if (member_of(t, before.parent) == NULL || member_of(t, pid) != NULL)
		return 0;
	r = room(t);
	if (r < 0)
		return r;
	fd = kn_os_pidfd(pid);
	if (fd < 0)
		return fd == -ESRCH ? 0 : fd;
	r = kn_stat_read(&after, pid);
	if (r == 0)
		r = after.start == before.start ? is_ours(t, &after) : 0;
	if (r <= 0) {
		kn_os_close(fd);
		return r == -ESRCH ? 0 : r;
	}
	r = take(t, pid, after.start, fd);
	return r < 0 && r != -ESRCH ? r : 1;
}

/* Stopped, or ended. */
static bool
at_rest(const struct tree *t)
{
	struct kn_stat stat;
	size_t i;

	for (i = 0; i < t->n; i++)
		if (kn_stat_read(&stat, t->members[i].pid) == 0 &&
		    stat.start == t->members[i].start &&
		    strchr("TtZX", stat.state) == NULL)
			return false;
	return true;
}

/* Everybody there is: how many of them are new and ours. */
static int
look(struct tree *t)
{
	int n = 0, r = 0, fd = kn_os_open("/proc", O_RDONLY | O_DIRECTORY, 0);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (dir == NULL) {
		kn_os_close(fd);
		return -ENOMEM;
	}
	while (r >= 0 && (entry = readdir(dir)) != NULL) {
		r = atoi(entry->d_name);
		if (r > 0)
			r = consider(t, r);
		if (r > 0)
			n += r;
	}
	closedir(dir);
	return r < 0 ? r : n;
}

static int
gather(struct tree *t, kin_time deadline)
{
	bool rested;
	int r;

	for (;;) {
		rested = at_rest(t);
		r = look(t);
		if (r < 0 || (r == 0 && rested))
			return r;
		if (kin_now().ns >= deadline.ns)
			return -ETIMEDOUT;
		if (r == 0)
			kn_os_yield();
	}
}

/* The root last: it may be a reaper of the others. */
static int
kill_all(const struct tree *t)
{
	size_t i;
	int r = 0;

	for (i = t->n; i-- > 0; ) {
		int one = kn_os_signal(t->members[i].pidfd, SIGKILL);

		if (one < 0 && one != -ESRCH)
			r = one;
	}
	return r;
}

/* Even if not all were found: those that were are stopped. */
static int
end(struct tree *t, kin_time deadline)
{
	int r = gather(t, deadline), killed = kill_all(t);
	size_t i;

	for (i = 1; i < t->n; i++)
		kn_os_close(t->members[i].pidfd);
	return r < 0 ? r : killed;
}

/* Only if it lives afterwards was that pid its own. */
static int
read_root(struct kn_stat *ret, kin_process *p)
{
	int r = kn_stat_read(ret, p->pid);

	if (r == 0)
		r = kin_process_alive(p);
	return r == 1 ? 0 : r == 0 ? -ESRCH : r;
}

int
kin_process_kill_tree(kin_process *p, kin_time deadline)
{
	struct tree tree = { 0 };
	struct kn_stat stat;
	int r;

	kn_assert(p != NULL);
	r = kn_process_check(p);
	if (r < 0)
		return r;
	if (p->role != KN_CHILD_OF_OURS)
		return kn_fail(-EINVAL, "process '%s' is no child of ours",
			       p->name);
	kn_process_note(p, SIGKILL);
	r = room(&tree);
	if (r == 0)
		r = read_root(&stat, p);
	if (r == 0)
		r = take(&tree, p->pid, stat.start, p->pidfd);
	if (r == 0)
		r = end(&tree, deadline);
	free(tree.members);
	return r < 0 ? kn_fail(r, "killing process '%s' and its own", p->name)
		     : 0;
}
