/* SPDX-License-Identifier: MIT */
/*
 * start_spawn.c - start a process by executing the program's image anew
 *
 *      parent                              child
 *        │ hand-over, into the line
 *        │ clone, exec of the image ─────────┐ main ─▶ kin_init
 *        │ pidfd, from clone itself          │ finds the hand-over in its line
 *        │ does not wait for it              │ finds the entry by its name
 *        ▼                                   ▼ kn_start_run
 *
 * The image is the file that kin_init holds.  Where the program has not called
 * it, a child would run main as if it were the program, and that might start
 * children: so there is no child without.  Entries of a library are within
 * reach even then, by a program of kin's own that does call it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/entry.h"
#include "lib/hand.h"
#include "lib/image.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/os_spawn.h"

/* What is executed. */
struct program {
	int fd;
	const char *name;
	bool ours;			/* to close */
};

/* Ignored where the caller's word must not decide what runs. */
static const char *
helper_path(void)
{
	const char *path = secure_getenv("KIN_HELPER");

	return path != NULL && path[0] != '\0' ? path : KN_HELPER;
}

static int
open_helper(const kin_process *p, struct program *ret)
{
	const char *path = helper_path();
	int fd = kn_os_open(path, O_RDONLY, 0);

	if (fd < 0)
		return kn_fail(fd, "process '%s': this program has not called "
			       "kin_init, and of the helper %s", p->name, path);
	*ret = (struct program){ fd, "kin-helper", true };
	return 0;
}

static int
choose(const kin_process *p, const struct kn_start *how, struct program *ret)
{
	const struct kin_entry *entry = kn_entry_of(how->fn);
	struct kn_image image;
	int fd = kn_image_fd();

	if (fd >= 0) {
		*ret = (struct program){ fd, kn_image_name(), false };
		return 0;
	}
	if (fd != -ENOEXEC)
		return kn_fail(fd, "process '%s': the program's image",
			       p->name);
	if (entry != NULL && kn_image_of(entry, &image) == 0 &&
	    image.path[0] != '\0')
		return open_helper(p, ret);
	return kn_fail(-ENOEXEC, "process '%s': this program has not called "
		       "kin_init, without which only a fork can be started; "
		       "call it at the top of main", p->name);
}

static int
execute(kin_process *p, const struct program *program, int line)
{
	char handed[sizeof(KN_HANDED) + 12];
	char *argv[] = { (char *)program->name, handed, NULL };
	struct kn_spawn spawn = {
		.image = program->fd, .keep = line, .argv = argv,
		.envp = environ,
	};
	int r;

	snprintf(handed, sizeof(handed), KN_HANDED "%d", line);
	r = p->pid = kn_os_spawn(&spawn, &p->pidfd);
	if (r < 0)
		p->pidfd = -1;
	return r < 0 ? kn_fail(r, "process '%s': executing %s", p->name,
			       program->name) : 0;
}

static int
hand_and_execute(kin_process *p, struct kn_start *how,
		 const struct program *program)
{
	struct kn_ends ends;
	int r;

	r = kn_start_ends_open(p, &ends);
	if (r < 0)
		return r;
	r = kn_hand_give(p, how, &ends, false);
	if (r == 0) {
		kn_start_tell(p->slip, KN_GO);	/* we hold a pidfd at once */
		kn_start_flush(true);
		r = execute(p, program, ends.line);
	}
	kn_start_ends_close(&ends);
	return r;
}

int
kn_start_spawn(kin_process *p, struct kn_start *how)
{
	struct program program = { .fd = -1 };
	int r;

	r = choose(p, how, &program);
	if (r < 0)
		return r;
	r = hand_and_execute(p, how, &program);
	if (program.ours)
		kn_os_close(program.fd);
	return r;
}
