/* SPDX-License-Identifier: MIT */
/*
 * load.h - shared libraries, by path
 */
#ifndef KN_LOAD_H
#define KN_LOAD_H

/* Its entries are known then; it stays.  -errno with the loader's sentence. */
int kn_library_load(const char *path);

#endif
