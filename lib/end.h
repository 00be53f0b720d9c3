/* SPDX-License-Identifier: MIT */
/*
 * end.h - the end of this process, in order
 */
#ifndef KN_END_H
#define KN_END_H

/* There is something to be done at its exit(). */
void kn_end_watch(void);

/* Finalisers, children, and the rest of the finalisers; once. */
void kn_end(void);

#endif
