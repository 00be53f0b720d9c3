/* SPDX-License-Identifier: MIT */
/*
 * manager.h - a handle of a server
 */
#ifndef KN_MANAGER_H
#define KN_MANAGER_H

#include <kin/manager.h>

struct kn_client;

struct kn_client *kn_manager_client(const kin_manager *m);

#endif
