/* SPDX-License-Identifier: MIT */
/*
 * log.h - what kin says of itself; kin_log is for it, too
 *
 * Without kin's mutex held: a function of the application's may use kin.
 */
#ifndef KN_LOG_H
#define KN_LOG_H

#include <kin/log.h>

/* This process's name in its lines. */
void kn_log_name(const char *name);

/* The level alone: what its parent has. */
void kn_log_inherit(uint32_t level);

#endif
