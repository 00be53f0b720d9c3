/* SPDX-License-Identifier: MIT */
/*
 * address.c - where servers listen
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <sodium.h>

#include "manager/address.h"
#include "shm/error.h"
#include "shm/names.h"
#include "shm/os.h"
#include "shm/socket.h"

#define SCHEME		"unix:"
#define PREFIX		".manager-"
#define UNFINISHED	".manager."	/* and a number: not yet listening */
#define PATIENCE_MS	1000		/* with servers that may be dead */
#define SWEEP_MS	50		/* for all others' */
#define QUEUE		4096		/* clients that wait to be accepted */
#define NAME_CAP	(sizeof(PREFIX) + KN_MANAGER_NAME)
#define EARLY_CAP	(sizeof(UNFINISHED) + 16)

/*
 * A name in a directory, as a socket's address.  Paths of sockets have 107
 * bytes at most, and those of directories may have more: so it goes through
 * the directory's descriptor.
 */
static void
address_at(struct sockaddr_un *to, int dir, const char *name)
{
	memset(to, 0, sizeof(*to));
	to->sun_family = AF_UNIX;
	snprintf(to->sun_path, sizeof(to->sun_path),
		 "/proc/thread-self/fd/%d/%s", dir, name);
}

/* 1: it lives, as far as one can see; 0: nobody listens; -EAGAIN: see below. */
static int
try(int dir, const char *name, kin_time deadline)
{
	struct pollfd in = { .events = POLLIN };
	struct sockaddr_un to;
	int r;

	in.fd = kn_os_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
	if (in.fd < 0)
		return kn_fail(in.fd, "a socket");
	address_at(&to, dir, name);
	r = kn_os_connect(in.fd, (struct sockaddr *)&to, sizeof(to));
	if (r == 0)
		r = kn_os_poll(&in, 1, deadline);
	kn_os_close(in.fd);
	if (r == 1 && (in.revents & (POLLHUP | POLLERR)) != 0)
		return -EAGAIN;
	return r != -ECONNREFUSED;
}

/*
 * 1: it listens; 0: its server is dead.  The kernel closes in its own time what
 * a killed process had given to an io_uring, and until then its socket takes
 * clients: so one that lives is known by the hello it sends to all.  That may
 * take long if it is stopped, and then it is taken to live.
 */
static int
listens(int dir, const char *name, kin_time deadline)
{
	int r;

	do
		r = try(dir, name, deadline);
	while (r == -EAGAIN && kin_now().ns < deadline.ns);
	return r != 0;
}

/*
 * Remove a dead server's file.  Another process may be doing the same, and a
 * new server may have taken the name meanwhile: so what was found dead is
 * moved aside first, looked at again, and put back if it lives.
 */
static void
bury(int dir, const char *name)
{
	char aside[EARLY_CAP];

	snprintf(aside, sizeof(aside), UNFINISHED "%08x%08x",
		 randombytes_random(), randombytes_random());
	if (kn_os_rename_at(dir, name, aside) < 0)
		return;
	if (listens(dir, aside, kin_in_ms(PATIENCE_MS)) &&
	    kn_os_rename_new_at(dir, aside, name) == 0)
		return;
	(void)kn_os_unlink_at(dir, aside);
}

/*
 * What servers that were killed have left behind; for those of which that is
 * not plain soon (they may be stopped), there is a next time.
 */
static void
bury_all(int dir)
{
	kin_time deadline = kin_in_ms(SWEEP_MS);
	struct dirent *entry;
	DIR *stream;
	int own;

	own = kn_os_reopen(dir, O_RDONLY | O_DIRECTORY);
	if (own < 0)
		return;
	stream = fdopendir(own);
	if (stream == NULL) {
		kn_os_close(own);
		return;
	}
	while ((entry = readdir(stream)) != NULL)
		if (strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) == 0 &&
		    !listens(dir, entry->d_name, deadline))
			bury(dir, entry->d_name);
	closedir(stream);
}

/* ---- listening ---- */

static int
check_name(const char *name)
{
	int r = kn_names_check(name);

	if (r < 0)
		return r;
	if (strlen(name) > KN_MANAGER_NAME)
		return kn_fail(-EINVAL, "a manager's name of %zu bytes; %u at "
			       "most", strlen(name), KN_MANAGER_NAME);
	return 0;
}

/* It listens before it gets the name by which it is found. */
static int
listen_as(int fd, int dir, const char *name, kin_time deadline)
{
	kin_time patience = kin_in_ms(PATIENCE_MS);
	struct sockaddr_un to;
	char early[EARLY_CAP];
	int r;

	snprintf(early, sizeof(early), UNFINISHED "%08x%08x",
		 randombytes_random(), randombytes_random());
	address_at(&to, dir, early);
	r = kn_os_bind(fd, (struct sockaddr *)&to, sizeof(to));
	if (r < 0)
		return kn_fail(r, "a socket in the directory of names");
	r = kn_os_listen(fd, QUEUE);
	if (r == 0)
		r = kn_os_rename_new_at(dir, early, name);
	if (deadline.ns < patience.ns)
		patience = deadline;
	if (r == -EEXIST && !listens(dir, name, patience)) {
		bury(dir, name);
		r = kn_os_rename_new_at(dir, early, name);
	}
	if (r < 0)
		(void)kn_os_unlink_at(dir, early);
	return r < 0 ? kn_fail(r, "manager '%s'", name + sizeof(PREFIX) - 1)
		     : 0;
}

static int
tell_address(int dir, const char *file, char *ret)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/thread-self/fd/%d", dir);
	n = kn_os_read_link_at(AT_FDCWD, link, path, sizeof(path));
	if (n < 0)
		return kn_fail((int)n, "the directory of names");
	if ((size_t)snprintf(ret, KN_ADDRESS_MAX, SCHEME "%s/%s", path, file)
	    >= KN_ADDRESS_MAX)
		return kn_fail(-EINVAL, "the directory of names has a path of "
			       "%zd bytes", n);
	return 0;
}

int
kn_address_listen(const char *name, kin_time deadline, char *ret_address)
{
	char file[NAME_CAP];
	int dir, fd, r;

	r = name != NULL ? check_name(name) : 0;
	if (r < 0)
		return r;
	dir = kn_names_dir(true);
	if (dir < 0)
		return dir;
	bury_all(dir);
	if (name != NULL)
		snprintf(file, sizeof(file), PREFIX "%s", name);
	else
		snprintf(file, sizeof(file), PREFIX "%d-%08x", (int)getpid(),
			 randombytes_random());
	r = tell_address(dir, file, ret_address);
	fd = r < 0 ? r : kn_os_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
	if (r == 0 && fd < 0)
		r = kn_fail(fd, "a socket");
	if (r == 0)
		r = listen_as(fd, dir, file, deadline);
	kn_os_close(dir);
	if (r < 0)
		kn_os_close(fd);
	return r < 0 ? r : fd;
}

/* ---- connecting ---- */

/* A descriptor of the file's directory, and where its name begins. */
static int
open_place(const char *address, const char **ret_file)
{
	char path[KN_ADDRESS_MAX];
	const char *full;
	char *slash;
	int dir;

	if (strncmp(address, SCHEME, sizeof(SCHEME) - 1) != 0 ||
	    address[sizeof(SCHEME) - 1] != '/' ||
	    strlen(address) >= KN_ADDRESS_MAX)
		return kn_fail(-EINVAL, "address '%.80s': \"unix:/path\" is "
			       "what can be connected to", address);
	full = address + sizeof(SCHEME) - 1;
	snprintf(path, sizeof(path), "%s", full);
	slash = strrchr(path, '/');
	*ret_file = full + (slash - path) + 1;
	slash[slash == path] = '\0';
	if (strlen(*ret_file) >= NAME_CAP)
		return kn_fail(-EINVAL, "address '%.80s': its name is too long",
			       address);
	dir = kn_os_open(path, O_PATH | O_DIRECTORY, 0);
	return dir < 0 ? kn_fail(dir, "directory '%.200s'", path) : dir;
}

static int
check_peer(int fd, const char *address)
{
	struct ucred peer;
	int r = kn_os_peer_cred(fd, &peer);

	if (r < 0)
		return kn_fail(r, "who listens at '%.80s'", address);
	if (peer.uid != geteuid())
		return kn_fail(-EACCES, "'%.80s' is a server of uid %u, not "
			       "ours", address, (unsigned)peer.uid);
	return 0;
}

int
kn_address_connect(const char *address, kin_time deadline)
{
	struct sockaddr_un to;
	const char *file;
	int dir, fd, r;

	dir = open_place(address, &file);
	if (dir < 0)
		return dir;
	r = kn_names_check_dir(dir, address, 0);
	fd = r < 0 ? r : kn_os_socket(AF_UNIX, SOCK_STREAM);
	if (fd < 0) {
		kn_os_close(dir);
		return r < 0 ? r : kn_fail(fd, "a socket");
	}
	address_at(&to, dir, file);
	r = kn_os_connect_until(fd, (struct sockaddr *)&to, sizeof(to),
				deadline);
	kn_os_close(dir);
	if (r == -ECONNREFUSED || r == -ENOTSOCK)
		r = kn_fail(-ENOENT, "nobody listens at '%.80s'", address);
	else if (r < 0)
		r = kn_fail(r, "connecting to '%.80s'", address);
	else
		r = check_peer(fd, address);
	if (r < 0)
		kn_os_close(fd);
	return r < 0 ? r : fd;
}

void
kn_address_remove(const char *address)
{
	const char *file;
	int dir = open_place(address, &file);

	if (dir < 0)
		return;
	(void)kn_os_unlink_at(dir, file);
	kn_os_close(dir);
}
