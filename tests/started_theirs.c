/* SPDX-License-Identifier: MIT */
/*
 * started_theirs.c - an entry in an archive or a library; see started.c
 */
#include <kin/kin.h>

int theirs(kin_call *call);

int __attribute__((visibility("default")))
theirs(kin_call *call)
{
	return kin_call_return(call, "theirs", KIN_STARTED_BUILD);
}
KIN_ENTRY(theirs);
