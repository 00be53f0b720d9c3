/* SPDX-License-Identifier: MIT */
/*
 * hand.h - what is handed to a child that has none of its parent's memory
 *
 *      parent                                   child: an image of its own,
 *        slip: a page, in a memfd               or a fork of the fork server
 *        hand-over: into the slip, or,
 *        if it is long, into a memfd
 *        all descriptors ──── line ───────────▶ kn_hand_take, kn_start_run
 *
 * The line is a socket pair that parent and child have anyway; what is put
 * into it before the child exists waits there for it.  So nothing waits for a
 * child that is slow, and the line is all that it has to be given by number.
 *
 * Descriptors in the one message, in this order: the slip; the read end of the
 * lifeline; the hand-over's memfd, if the slip says so; then as the hand-over
 * counts them: its directory and standard streams, those of what it is made
 * with, those of the arguments.
 *
 * The hand-over, little-endian as the machine is (both ends are on one):
 *
 *       0  8  magic \x89kihand\n
 *       8  4  layout: 1
 *      12  4  bytes of the entry's name, with its zero
 *      16  4  bytes of the library's path, with its zero; 1 = the program
 *      20  4  descriptors: bit 0 = its directory, bits 1 to 3 = 0, 1, 2, of
 *             which those without are closed; 0 = all as it inherits them
 *      24  4  descriptors of the arguments
 *      28  4  descriptors of what it is made with, up to 3
 *      32  4  bytes of what it is made with (child.h); 0 = nothing
 *      36  4  bytes of the build id, up to 32
 *      40 32  build id of the image that the entry is in
 *      72 16  name of the process
 *      88  8  bytes of the arguments
 *      96     entry's name, library's path, what it is made with, arguments
 */
#ifndef KN_HAND_H
#define KN_HAND_H

#include "lib/process.h"

/* The one argument of a program that is such a child: this and its line. */
#define KN_HANDED	"--kin-child="

/*
 * Make p's slip one that can be handed over, and leave everything in p's line.
 * as_here: with our directory and standard streams, as they are now.
 */
int kn_hand_give(kin_process *p, const struct kn_start *how,
		 const struct kn_ends *ends, bool as_here);

/* In the child, which has the line and no more: be what is handed over. */
void kn_hand_take(int line) __attribute__((noreturn));

#endif
