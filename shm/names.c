/* SPDX-License-Identifier: MIT */
/*
 * names.c - the directory of names: publish whole, open, remove
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kin/segment.h>

#include "shm/error.h"
#include "shm/names.h"
#include "shm/os.h"

int
kn_names_check(const char *name)
{
	const char *p;

	if (name[0] == '\0' || name[0] == '.')
		return kn_fail(-EINVAL, "a name is not empty, and does not "
			       "begin with a dot");
	for (p = name; *p != '\0'; p++)
		if (*p == '/' || (unsigned char)*p < ' ' || *p == 0x7f)
			return kn_fail(-EINVAL, "a name has no slash and no "
				       "control character");
	if (p - name > KIN_NAME_MAX)
		return kn_fail(-EINVAL, "a name of %td bytes; %d at most",
			       p - name, KIN_NAME_MAX);
	return 0;
}

int
kn_names_path(char *buf, size_t cap)
{
	const char *dir = secure_getenv("KIN_DIR");
	int n;

	if (dir != NULL && dir[0] != '\0')
		n = snprintf(buf, cap, "%s", dir);
	else
		n = snprintf(buf, cap, KN_NAMES_DEFAULT "%u", (unsigned)geteuid());
	if (n < 0 || (size_t)n >= cap)
		return kn_fail(-EINVAL, "KIN_DIR of over %zu bytes", cap - 1);
	return 0;
}

/*
 * Who may write to the directory may put anything behind our names, so it is
 * checked each time, and through the descriptor that is then used.
 */
int
kn_names_check_dir(int dir, const char *path, uint32_t trust)
{
	mode_t closed = trust & KIN_TRUST_GROUP ? 007 : 077;
	struct stat st;
	int r;

	r = kn_os_stat(dir, &st);
	if (r < 0)
		return kn_fail(r, "directory '%s'", path);
	if (st.st_uid != geteuid() && !(trust & KIN_TRUST_OWNER))
		return kn_fail(-EACCES, "directory '%s' belongs to uid %u, "
			       "not to us", path, (unsigned)st.st_uid);
	if ((st.st_mode & closed) != 0)
		return kn_fail(-EACCES, "directory '%s' is open to others "
			       "(mode %04o)", path, st.st_mode & 07777);
	return 0;
}

int
kn_names_dir_with(bool create, uint32_t trust)
{
	char path[KN_NAMES_PATH_MAX];
	int dir, r;

	r = kn_names_path(path, sizeof(path));
	if (r < 0)
		return r;
	if (create) {
		r = kn_os_mkdir(path, 0700);
		if (r < 0 && r != -EEXIST)
			return kn_fail(r, "making directory '%s'", path);
	}
	dir = kn_os_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (dir == -ENOTDIR || dir == -ELOOP)
		return kn_fail(-EACCES, "'%s' is no directory", path);
	if (dir < 0)
		return kn_fail(dir, "directory '%s'", path);
	r = kn_names_check_dir(dir, path, trust);
	if (r < 0) {
		kn_os_close(dir);
		return r;
	}
	return dir;
}

int
kn_names_dir(bool create)
{
	return kn_names_dir_with(create, 0);
}

int
kn_names_dir_of(const char *path, const char **ret_base)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	char parent[PATH_MAX] = ".";
	int dir;

	if (base[0] == '\0' || strlen(path) >= sizeof(parent))
		return kn_fail(-EINVAL, "'%.200s' can't be a file's path",
			       path);
	if (slash != NULL)
		snprintf(parent, sizeof(parent), "%.*s",
			 slash == path ? 1 : (int)(slash - path), path);
	dir = kn_os_open(parent, O_PATH | O_DIRECTORY, 0);
	*ret_base = base;
	return dir < 0 ? kn_fail(dir, "the folder of '%.200s'", path) : dir;
}

int
kn_names_nameless(int dir, mode_t mode)
{
	int fd = kn_os_open_at(dir, ".", O_TMPFILE | O_RDWR, 0600), r;

	if (fd == -EOPNOTSUPP || fd == -EISDIR)
		return kn_fail(-EOPNOTSUPP, "that file system has no files "
			       "without a name");
	if (fd < 0)
		return kn_fail(fd, "a file without a name");
	r = mode != 0 ? kn_os_set_mode(fd, mode) : 0;
	if (r < 0) {
		kn_os_close(fd);
		return kn_fail(r, "permissions %04o", (unsigned)mode);
	}
	return fd;
}

int
kn_names_publish(int dir, int fd, const char *name)
{
	int r = kn_os_link_fd(fd, dir, name);

	return r < 0 ? kn_fail(r, "name '%s'", name) : 0;
}

int
kn_names_open_with(int dir, const char *name, uint32_t flags)
{
	int way = flags & KIN_USE_READONLY ? O_RDONLY : O_RDWR;
	struct stat st;
	int fd, r;

	/* O_NONBLOCK: or a pipe under that name would make us wait. */
	fd = kn_os_open_at(dir, name, way | O_NOFOLLOW | O_NONBLOCK, 0);
	if (fd == -ELOOP)
		return kn_fail(-EACCES, "name '%s' is a link", name);
	if (fd == -EISDIR || fd == -ENXIO)
		return kn_fail(-EPROTO, "name '%s' is no regular file", name);
	if (fd < 0)
		return kn_fail(fd, "name '%s'", name);
	r = kn_os_stat(fd, &st);
	if (r < 0)
		r = kn_fail(r, "name '%s'", name);
	else if (!S_ISREG(st.st_mode))
		r = kn_fail(-EPROTO, "name '%s' is no regular file", name);
	else if (st.st_uid != geteuid() && !(flags & KIN_TRUST_OWNER))
		r = kn_fail(-EACCES, "name '%s' belongs to uid %u, not to us",
			    name, (unsigned)st.st_uid);
	else if (st.st_nlink > 1)
		r = kn_fail(-EACCES, "name '%s' is a link: the file has %lu "
			    "names", name, (unsigned long)st.st_nlink);
	if (r < 0) {
		kn_os_close(fd);
		return r;
	}
	return fd;
}

int
kn_names_open(int dir, const char *name)
{
	return kn_names_open_with(dir, name, 0);
}
