/* SPDX-License-Identifier: MIT */
/*
 * segments.c - the segments that tests make, and those that they must not get
 */
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/segments.h"

char untouched;

kin_segment *
anonymous(uint64_t bytes)
{
	kin_segment *seg;

	ck_kin_ok(kin_segment_create(&seg, KIN_OPTS(kin_segment_opts,
						    .bytes = bytes)));
	return seg;
}

int
create_named(kin_segment **ret_seg, const char *name)
{
	return kin_segment_create(ret_seg, KIN_OPTS(kin_segment_opts,
						    .bytes = 10000,
						    .name = name));
}

kin_segment *
named(const char *name)
{
	kin_segment *seg;

	ck_kin_ok(create_named(&seg, name));
	return seg;
}

kin_segment *
attached(const kin_segment *to)
{
	kin_segment *seg;

	ck_kin_ok(kin_segment_attach(&seg, kin_segment_fd(to)));
	return seg;
}

void
ck_attach_fails(int number, int fd)
{
	kin_segment *seg = UNTOUCHED;

	ck_kin_fails(number, kin_segment_attach(&seg, fd));
	ck_assert_ptr_eq(seg, UNTOUCHED);
}

void
ck_open_fails(int number, const char *name)
{
	kin_segment *seg = UNTOUCHED;

	ck_kin_fails(number, kin_segment_open(&seg, name));
	ck_assert_ptr_eq(seg, UNTOUCHED);
}

kin_segment *
made(const struct kin_segment_opts *opts)
{
	kin_segment *seg;

	ck_kin_ok(kin_segment_create(&seg, opts));
	return seg;
}

void
ck_make_fails(int number, const struct kin_segment_opts *opts)
{
	kin_segment *seg = UNTOUCHED;

	ck_kin_fails(number, kin_segment_create(&seg, opts));
	ck_assert_ptr_eq(seg, UNTOUCHED);
}

const char *
name_path(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", kit_names(), name);
	return path;
}

int
entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (dir == NULL)
		return 0;
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

struct kn_header
header_of(int fd)
{
	struct kn_header header;

	ck_assert_int_eq(pread(fd, &header, sizeof(header), 0),
			 (ssize_t)sizeof(header));
	return header;
}

void
set_header(int fd, const struct kn_header *header)
{
	ck_assert_int_eq(pwrite(fd, header, sizeof(*header), 0),
			 (ssize_t)sizeof(*header));
}

pid_t
holder(void (*fn)(kin_segment *seg), kin_segment *seg)
{
	int ends[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ends), 0);
	pid = kit_fork();
	if (pid == 0) {
		fn(seg);
		if (write(ends[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &c, 1), 1);
	close(ends[0]);
	return pid;
}

/* Sanitizers have handlers, which would make an exit of it. */
bool
store_ends_by(int signo, void *at)
{
	int status;
	pid_t pid = kit_fork();

	if (pid == 0) {
		signal(signo, SIG_DFL);
		*(volatile char *)at = 'x';
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == signo;
}

bool
can_play_strangers(void)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	bool can = fd >= 0 && fchown(fd, STRANGER, STRANGER) == 0;

	close(fd);
	if (!can)
		fprintf(stderr, "# SKIP what needs another user's files: "
			"nobody gives files away here but root\n");
	return can;
}
