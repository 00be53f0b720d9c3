/* SPDX-License-Identifier: MIT */
/*
 * kin/kin.h - all of kin: multiprocessing for C, on Linux
 *
 *      error.h     how calls fail          segment.h  memory in common
 *      time.h      deadlines               queue.h    messages
 *      opts.h      options                 process.h  processes
 *      entry.h     functions that run in   inspect.h  looking at what is
 *                  processes                          there
 */
#ifndef KIN_KIN_H
#define KIN_KIN_H

#include <kin/entry.h>
#include <kin/error.h>
#include <kin/inspect.h>
#include <kin/opts.h>
#include <kin/process.h>
#include <kin/queue.h>
#include <kin/segment.h>
#include <kin/time.h>

#endif
