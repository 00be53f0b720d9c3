/* SPDX-License-Identifier: MIT */
/*
 * left.h - what there is of that which may be left behind
 */
#ifndef LEFT_H
#define LEFT_H

/* What is there now: descriptors, and mappings of shared memory. */
int kit_descriptors(void);
int kit_mappings(void);

/* A child that has ended and was not waited for counts, too. */
int has_child(void);

struct left {
	int descriptors, mappings;
	int names;			/* in $KIN_DIR */
	int children;			/* 1 = some */
};

struct left left_now(void);

#endif
