/* SPDX-License-Identifier: MIT */
/*
 * row_segment.c - segments made and joined
 *
 * Beside them, the kernel calls that they need, and no others.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kin/kin.h>

#include "bench.h"

#define BYTES	(1u << 20)
#define WHOLE	(BYTES + 4096u)
#define HEAD	136u			/* of the header, in use */

typedef int once_fn(void *arg);

/* Microseconds each. */
static int
repeat(once_fn *fn, void *arg, unsigned round, double seconds, double *ret)
{
	int64_t begin, now, end;
	uint64_t n = 0;
	unsigned i;
	int r = 0;

	for (i = 0; i < round && r == 0; i++)
		r = fn(arg);
	begin = now = kin_now().ns;
	end = begin + (int64_t)(seconds * 1e9);
	while (r == 0 && now < end) {
		for (i = 0; i < round && r == 0; i++)
			r = fn(arg);
		n += round;
		now = kin_now().ns;
	}
	*ret = (double)(now - begin) / 1e3 / (double)n;
	return r;
}

/* ---- create ---- */

static int
create_kin(void *unused)
{
	kin_segment *seg;
	int r;

	(void)unused;
	r = kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
					      .bytes = BYTES));
	if (r == 0)
		kin_segment_close(seg);
	return r;
}

/* A header too: whoever attaches must be able to know what it is. */
static int
create_bare(void *unused)
{
	int fd = memfd_create("bare", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;
	void *at;

	(void)unused;
	if (fd < 0 || fstat(fd, &st) < 0 || fallocate(fd, 0, 0, WHOLE) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	at = mmap(NULL, WHOLE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	memset(at, 'h', HEAD);
	munmap(at, WHOLE);
	return close(fd) < 0 ? -errno : 0;
}

static int
run_create_kin(double seconds, double *ret)
{
	return repeat(create_kin, NULL, 8, seconds, ret);
}

static int
run_create_bare(double seconds, double *ret)
{
	return repeat(create_bare, NULL, 8, seconds, ret);
}

/* ---- attach ---- */

static int
attach_kin(void *arg)
{
	kin_segment *seg;
	int r = kin_segment_attach(&seg, kin_segment_fd(arg));

	if (r == 0)
		kin_segment_close(seg);
	return r;
}

static int
attach_bare(void *arg)
{
	int fd = kin_segment_fd(arg), mine;
	unsigned char head[HEAD];
	struct stat st;
	void *at;

	if (fstat(fd, &st) < 0 || fcntl(fd, F_GETFL) < 0 ||
	    fcntl(fd, F_GET_SEALS) < 0 ||
	    pread(fd, head, HEAD, 0) != (ssize_t)HEAD)
		return -errno;
	mine = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		  mine, 0);
	if (at == MAP_FAILED)
		return -errno;
	munmap(at, (size_t)st.st_size);
	return close(mine) < 0 ? -errno : 0;
}

static int
run_attach(once_fn *fn, double seconds, double *ret)
{
	kin_segment *seg;
	int r = kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						  .bytes = BYTES));

	if (r < 0)
		return r;
	r = repeat(fn, seg, 64, seconds, ret);
	kin_segment_close(seg);
	return r;
}

static int
run_attach_kin(double seconds, double *ret)
{
	return run_attach(attach_kin, seconds, ret);
}

static int
run_attach_bare(double seconds, double *ret)
{
	return run_attach(attach_bare, seconds, ret);
}

const struct bench_row bench_segment_create = {
	.name = "segment of 1 MiB, create and close",
	.unit = "us",
	.peer = "bare kernel calls",
	.kin = run_create_kin,
	.bare = run_create_bare,
	.aim = 1.3,
};

const struct bench_row bench_segment_attach = {
	.name = "segment of 1 MiB, attach and close",
	.unit = "us",
	.peer = "bare kernel calls",
	.kin = run_attach_kin,
	.bare = run_attach_bare,
	.aim = 1.3,
};
