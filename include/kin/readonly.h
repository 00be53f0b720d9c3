/* SPDX-License-Identifier: MIT */
/*
 * kin/readonly.h - data that nobody can change, and who tried to
 *
 *      kin_process_start(&p, work, KIN_ARGS(KIN_RO(table, sizeof(table))),
 *                        NULL);
 *
 *      static int
 *      work(kin_call *call)
 *      {
 *              const struct row *table;
 *              size_t len;
 *              int r = kin_call_take(call, KIN_RO(&table, &len));
 *
 * KIN_RO copies the bytes once into memory that the kernel then seals, however
 * many children get it as long as one of their handles is open; every receiver
 * maps that same memory read-only, after it has made sure of the seal.  It
 * carries the name by which it was spelled.
 *
 * A store into it, in any process that has taken it, is a bug, and is caught:
 *
 *      kin: pid 13 wrote to frozen 'table' +0x40, frozen by pid 12
 *      kin:   at /usr/bin/prog+0x11c9 (work+0x29)
 *
 * and then the process ends by SIGSEGV, as it would have.  A handler that the
 * application has for SIGSEGV when the first such data is taken is called after
 * the report; one that it sets later replaces kin's, and then nothing is
 * reported.  Nor is it in a thread that blocks SIGSEGV: there the kernel ends
 * the process without asking.  The function is named if the program exports
 * it; addr2line finds the rest.
 *
 * Threads  Any call from any thread.
 * Fork     The child has the mappings too, and its stores are caught as well.
 * Crash    The memory goes with its last holder.
 */
#ifndef KIN_READONLY_H
#define KIN_READONLY_H

#include <stdint.h>

#include <kin/value.h>

KIN_BEGIN

/* Let go of read-only data that was kept; NULL is ignored. */
KIN_API void kin_readonly_release(const void *data);

/*
 * Bytes of arguments that this process has copied so far, into calls, messages
 * and queues.  What is sent read-only counts once, when it is frozen.  A
 * fork's child begins at 0.
 */
KIN_API uint64_t kin_copied_bytes(void);

KIN_END

#endif
