/* SPDX-License-Identifier: MIT */
/*
 * spare.h - descriptions that were handed over, for where there is no /proc
 */
#ifndef KN_SPARE_H
#define KN_SPARE_H

#include <stdint.h>

#include <kin/spare.h>

/*
 * Under kin's mutex, which that generation is asked for before: a descriptor of
 * that file, whose description nobody else has; the caller's now.  -ENOENT:
 * there is none.
 */
int kn_spare_take(uint32_t generation, uint64_t device, uint64_t inode);

#endif
