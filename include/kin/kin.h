/* SPDX-License-Identifier: MIT */
/*
 * kin/kin.h - all of kin: multiprocessing for C, on Linux
 *
 *      error.h     how calls fail          process.h   processes
 *      time.h      deadlines               entry.h     what runs in them
 *      opts.h      options                 conn.h      connections
 *      value.h     typed values            queue.h     messages in memory
 *      values.h    those that have come,   segment.h   memory in common
 *                  those that are built    readonly.h  data nobody changes
 *      manager.h   a server of objects     proxy.h     any object's methods
 *      dict.h list.h counter.h             view.h      part of a segment
 *      heap.h      blocks of memory        spare.h     without /proc
 *      array.h cell.h table.h              in memory: elements, one, records
 *      lock.h      one thread at a time    rwlock.h    or many who only look
 *      cond.h      wait for a change       inspect.h   looking at what is there
 *      sem.h       permits                 barrier.h   waiting for each other
 *      event.h     a flag to wait for      once.h      what runs only once
 *      context.h   how processes start     crash.h     where one died
 *      log.h       lines of a family       cpu.h       how many for us
 */
#ifndef KIN_KIN_H
#define KIN_KIN_H

#include <kin/array.h>
#include <kin/barrier.h>
#include <kin/cell.h>
#include <kin/cond.h>
#include <kin/conn.h>
#include <kin/context.h>
#include <kin/counter.h>
#include <kin/cpu.h>
#include <kin/crash.h>
#include <kin/dict.h>
#include <kin/entry.h>
#include <kin/error.h>
#include <kin/event.h>
#include <kin/heap.h>
#include <kin/inspect.h>
#include <kin/list.h>
#include <kin/lock.h>
#include <kin/log.h>
#include <kin/manager.h>
#include <kin/once.h>
#include <kin/opts.h>
#include <kin/process.h>
#include <kin/proxy.h>
#include <kin/queue.h>
#include <kin/readonly.h>
#include <kin/rwlock.h>
#include <kin/segment.h>
#include <kin/sem.h>
#include <kin/spare.h>
#include <kin/table.h>
#include <kin/time.h>
#include <kin/value.h>
#include <kin/values.h>
#include <kin/view.h>

#endif
