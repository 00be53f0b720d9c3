/* SPDX-License-Identifier: MIT */
/*
 * os_life.c - kernel calls by which it is known who lives
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "shm/bell.h"
#include "shm/os.h"

#define PIDFS		0x50494446	/* in linux/magic.h of late */

static struct flock
one_byte(uint64_t byte)
{
	return (struct flock){
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)byte,
		.l_len = 1,
	};
}

int
kn_os_lock_byte(int fd, uint64_t byte)
{
	struct flock lock = one_byte(byte);

	RING_THE_BELL("lock");
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

void
kn_os_unlock_byte(int fd, uint64_t byte)
{
	struct flock lock = one_byte(byte);

	lock.l_type = F_UNLCK;
	(void)fcntl(fd, F_OFD_SETLK, &lock);
}

int
kn_os_byte_locked(int fd, uint64_t byte)
{
	struct flock lock = one_byte(byte);

	RING_THE_BELL("getlock");
	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return -errno;
	return lock.l_type != F_UNLCK;
}

/* Moves from where it is are atomic; what is sought is the move, not the place. */
int
kn_os_claim(int fd)
{
	off_t at;

	RING_THE_BELL("lseek");
	at = lseek(fd, 1, SEEK_CUR);
	return at < 0 ? -errno : at == 1;
}

/* Before pidfs, all pidfds were one inode. */
uint64_t
kn_os_pidfd_number(int pidfd)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(pidfd, &fs) < 0 || fs.f_type != PIDFS ||
	    fstat(pidfd, &st) < 0)
		return 0;
	return st.st_ino;
}
