/* SPDX-License-Identifier: MIT */
/*
 * load.c - shared libraries, by path
 */
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#include "lib/load.h"
#include "shm/error.h"

/* Absent from a program that is linked statically, which can load nothing. */
extern __typeof(dlopen) dlopen __attribute__((weak));
extern __typeof(dlerror) dlerror __attribute__((weak));

int
kn_library_load(const char *path)
{
	const char *why;

	if (dlopen == NULL || dlerror == NULL)
		return kn_fail(-ENOSYS, "library %s cannot be loaded into a "
			       "program that is linked statically", path);
	if (dlopen(path, RTLD_NOW | RTLD_LOCAL) != NULL)
		return 0;
	why = dlerror();
	return kn_fail(-ELIBACC, "library: %s", why != NULL ? why : path);
}
