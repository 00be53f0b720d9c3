/* SPDX-License-Identifier: MIT */
/*
 * names.h - the directory of names: publish whole, open, remove, walk
 *
 * Names live in a directory of the user's own, mode 0700, in the tmpfs:
 * /dev/shm/kin-UID, or what the environment's KIN_DIR says.  A name appears
 * there in one step, when the file that it names is whole.
 */
#ifndef KN_NAMES_H
#define KN_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KN_NAMES_DEFAULT	"/dev/shm/kin-"	/* and the uid */
#define KN_NAMES_PATH_MAX	256u

/* 0, or -EINVAL: what cannot be a name. */
int kn_names_check(const char *name);

/* Its path; good for messages and for comparing. */
int kn_names_path(char *buf, size_t cap);

/*
 * A descriptor of the directory, made first if create.  -EACCES: it is
 * somebody else's, or open to others; -ENOENT.
 */
int kn_names_dir(bool create);
int kn_names_dir_with(bool create, uint32_t trust);	/* KIN_TRUST_... */

/* The same look at any directory.  -EACCES. */
int kn_names_check_dir(int dir, const char *path, uint32_t trust);

/*
 * The directory of a file's path, and where in path its last part begins.
 * -EINVAL: it has none.
 */
int kn_names_dir_of(const char *path, const char **ret_base);

/* A file without a name in it, for publish to name; mode 0 = 0600. */
int kn_names_nameless(int dir, mode_t mode);
int kn_names_publish(int dir, int fd, const char *name);	/* -EEXIST */

/* -ENOENT; -EACCES: a link, or not ours. */
int kn_names_open(int dir, const char *name);
int kn_names_open_with(int dir, const char *name, uint32_t flags); /* _USE_ */

#endif
