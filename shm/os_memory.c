/* SPDX-License-Identifier: MIT */
/*
 * os_memory.c - kernel calls about what segments are made of
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shm/bell.h"
#include "shm/os.h"

#define RESERVE_STEP	(16ull << 20)

int
kn_os_memfd_huge(const char *name)
{
	RING_THE_BELL("memfd_create");
	return kn_settled(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING |
				       MFD_HUGETLB));
}

/* The kernel would not only say no, but kill us by SIGXFSZ. */
static bool
too_long(uint64_t bytes)
{
	struct rlimit limit;

	return bytes > INT64_MAX || (getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
				     bytes > limit.rlim_cur);
}

/* In steps: some kernels undo an allocation for any signal. */
static int
reserve(int fd, int mode, uint64_t from, uint64_t to)
{
	uint64_t at, step;

	if (too_long(to))
		return -EFBIG;
	for (at = from; at < to; at += step) {
		step = to - at < RESERVE_STEP ? to - at : RESERVE_STEP;
		while (fallocate(fd, mode, (off_t)at, (off_t)step) < 0)
			if (errno != EINTR)
				return -errno;
	}
	return 0;
}

int
kn_os_reserve(int fd, uint64_t bytes)
{
	RING_THE_BELL("fallocate");
	return reserve(fd, 0, 0, bytes);
}

int
kn_os_reserve_ahead(int fd, uint64_t from, uint64_t to)
{
	RING_THE_BELL("fallocate");
	return reserve(fd, FALLOC_FL_KEEP_SIZE, from, to);
}

int
kn_os_set_length(int fd, uint64_t bytes)
{
	RING_THE_BELL("ftruncate");
	if (too_long(bytes))
		return -EFBIG;
	return kn_result(ftruncate(fd, (off_t)bytes));
}

int
kn_os_set_mode(int fd, mode_t mode)
{
	RING_THE_BELL("fchmod");
	return kn_result(fchmod(fd, mode));
}

/*
 * Other threads read there meanwhile, which they may: what is mapped are the
 * same bytes.  ThreadSanitizer would take it for a store to all of them.
 */
static void *
map_there(void *at, int fd, size_t bytes, int prot, int flags)
{
#if KN_TSAN
	return (void *)syscall(SYS_mmap, at, bytes, prot, flags | MAP_FIXED,
			       fd, 0);
#else
	return mmap(at, bytes, prot, flags | MAP_FIXED, fd, 0);
#endif
}

int
kn_os_map_over(void *at, int fd, size_t bytes, int prot, int flags)
{
	RING_THE_BELL("mmap_over");
	return map_there(at, fd, bytes, prot, flags) == MAP_FAILED ? -errno
								   : 0;
}

/* No bell: what undoes a failure is not failed in its turn. */
bool
kn_os_map_back(void *at, int fd, size_t bytes, int prot, int flags)
{
	return map_there(at, fd, bytes, prot, flags) != MAP_FAILED;
}
