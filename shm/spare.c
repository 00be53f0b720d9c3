/* SPDX-License-Identifier: MIT */
/*
 * spare.c - descriptions that were handed over, for where there is no /proc
 *
 * A description that two had would be no life's: each would find what the other
 * has locked free.  So one is claimed before it is used, by a step that only
 * the first one takes with success, in whatever process.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>

#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"
#include "shm/spare.h"

struct spare {
	int fd;
	uint64_t device, inode;		/* its number may mean another by now */
};

static struct {
	uint32_t generation;		/* of the process whose they are */
	unsigned n;
	struct spare spares[KIN_SPARES_MAX];
} kept;

static bool
is_there(const struct spare *spare)
{
	return kn_os_is_file(spare->fd, spare->device, spare->inode);
}

static void
drop(const struct spare *spare)
{
	if (is_there(spare))
		kn_os_close(spare->fd);
}

/*
 * In a fork's child: what it holds on to would outlive its parent.  It has the
 * mutex, or is alone.
 */
static void
drop_all(void)
{
	while (kept.n > 0)
		drop(&kept.spares[--kept.n]);
}

__attribute__((constructor)) static void
watch_forks(void)
{
	pthread_atfork(NULL, NULL, drop_all);
}

/* After a raw clone nobody has called us. */
static void
look_whose(uint32_t generation)
{
	if (kept.generation != generation)
		drop_all();
	kept.generation = generation;
}

int
kn_spare_take(uint32_t generation, uint64_t device, uint64_t inode)
{
	unsigned i;

	look_whose(generation);
	for (i = kept.n; i-- > 0;) {
		struct spare spare = kept.spares[i];

		if (spare.device != device || spare.inode != inode)
			continue;
		kept.spares[i] = kept.spares[--kept.n];
		if (is_there(&spare) && kn_os_claim(spare.fd) > 0)
			return spare.fd;
		drop(&spare);
	}
	return -ENOENT;
}

/* Only what may be stored to, and by whom it is passed. */
static int
check(int fd)
{
	int mode = kn_os_access_mode(fd);

	if (mode == O_RDWR)
		return 0;
	return kn_fail(mode < 0 ? mode : -EACCES, "descriptor %d, which is not "
		       "open for reading and writing, as a spare", fd);
}

int
kin_spare_make(int *ret_fd, int fd)
{
	int r;

	kn_assert(ret_fd != NULL);
	r = check(fd);
	if (r < 0)
		return r;
	r = kn_os_reopen(fd, O_RDWR);
	if (r == -ENOENT)
		return kn_fail(r, "a spare: there is no /proc here");
	if (r < 0)
		return kn_fail(r, "a spare of descriptor %d", fd);
	*ret_fd = r;
	return 0;
}

static int
keep(const struct spare *spare)
{
	uint32_t generation = kn_self_generation();
	int r = 0;

	kn_self_lock();
	look_whose(generation);
	if (kept.n < KIN_SPARES_MAX)
		kept.spares[kept.n++] = *spare;
	else
		r = -ENOSPC;
	kn_self_unlock();
	return r < 0 ? kn_fail(r, "%d spares are kept and not used",
			       KIN_SPARES_MAX) : 0;
}

int
kin_spare_keep(int fd)
{
	struct spare spare;
	struct stat st;
	int r;

	r = check(fd);
	if (r < 0)
		return r;
	r = kn_os_stat(fd, &st);
	if (r == 0)
		r = spare.fd = kn_os_dup(fd);
	if (r < 0)
		return kn_fail(r, "descriptor %d as a spare", fd);
	spare.device = st.st_dev;
	spare.inode = st.st_ino;
	r = keep(&spare);
	kn_os_close(r < 0 ? spare.fd : fd);
	return r;
}
