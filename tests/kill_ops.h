/* SPDX-License-Identifier: MIT */
/*
 * kill_ops.h - the scenes, acts and checks that the table in kill.c combines
 */
#ifndef KILL_OPS_H
#define KILL_OPS_H

#include "tests/kill.h"

void set_queue(struct scene *);
void set_two(struct scene *);
void set_nearly_full(struct scene *);
void set_full(struct scene *);
void set_wrapping(struct scene *);
void set_wrapping_two(struct scene *);
void set_put_contended(struct scene *);
void set_get_contended(struct scene *);
void set_full_then_room(struct scene *);
void set_empty_then_message(struct scene *);
void set_getter_asleep(struct scene *);
void set_putter_asleep(struct scene *);
void set_latch_sleeper(struct scene *);
void set_nothing(struct scene *);
void set_segment(struct scene *);
void set_named(struct scene *);
void set_growable(struct scene *);
void set_reader(struct scene *);
void set_room(struct scene *);
void set_dead_member(struct scene *);
void set_crowd(struct scene *);

void ready_member(struct scene *);
void ready_put_inherited(struct scene *);
void ready_get_inherited(struct scene *);
void ready_writer(struct scene *);
void ready_holder(struct scene *);
void ready_holder_with_sleeper(struct scene *);

void act_put(struct scene *);
void act_get(struct scene *);
void act_shutdown(struct scene *);
void act_take(struct scene *);
void act_release(struct scene *);
void act_create_anonymous(struct scene *);
void act_create_named(struct scene *);
void act_create_sparse(struct scene *);
void act_create_file(struct scene *);
void act_open_or_create(struct scene *);
void act_attach(struct scene *);
void act_attach_read_only(struct scene *);
void act_grow(struct scene *);
void act_seal(struct scene *);
void act_publish(struct scene *);
void act_join(struct scene *);
void act_leave(struct scene *);
void act_reap(struct scene *);
void act_queue_attach(struct scene *);
void act_place(struct scene *);

const char *check_put(struct scene *);
const char *check_get(struct scene *);
const char *check_get_two(struct scene *);
const char *check_getter_woken(struct scene *);
const char *check_putter_woken(struct scene *);
const char *check_latch_woken(struct scene *);
const char *check_usable(struct scene *);
const char *check_shutdown(struct scene *);
const char *check_created_anonymous(struct scene *);
const char *check_created_named(struct scene *);
const char *check_created_file(struct scene *);
const char *check_attached(struct scene *);
const char *check_grown(struct scene *);
const char *check_sealed(struct scene *);
const char *check_published(struct scene *);
const char *check_registry(struct scene *);
const char *check_placed(struct scene *);

void set_server(struct scene *);
void ready_client(struct scene *);
void act_counter_add(struct scene *);
void act_dict_set(struct scene *);
void act_dict_create(struct scene *);
void act_share(struct scene *);
const char *check_counter_added(struct scene *);
const char *check_dict_set(struct scene *);
const char *check_dict_created(struct scene *);
const char *check_shared(struct scene *);

int join_queue(kin_queue *);

#endif
