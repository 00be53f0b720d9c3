/* SPDX-License-Identifier: MIT */
/*
 * ops_manager.c - calls of a manager's client
 *
 * One server for all rounds.  The victim has a session of its own, and is
 * connected before its act; the survivor asks the server what is left of it.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kin/kin.h>

#include "tests/proof/nouns.h"

static kin_manager *m;
static kin_counter *counter;
static kin_dict *dict;
static uint64_t objects;

/* Its socket is in the directory of names, which main could not remove. */
static void
stop_server(void)
{
	must(kin_manager_stop(m, patience()));
	kin_manager_close(m);
	(void)rmdir(getenv("KIN_DIR"));
}

static void
start_server(void)
{
	must(kin_manager_start(&m, NULL, patience()));
	atexit(stop_server);
	must(kin_counter_create(&counter, m, NULL, patience()));
	must(kin_dict_create(&dict, m, NULL, patience()));
	objects = 2;
}

static void
set_server(struct scene *s)
{
	(void)s;
	if (m == NULL)
		start_server();
	must(kin_counter_set(counter, 0, NULL, patience()));
	must(kin_dict_clear(dict, patience()));
}

static void
ready_client(struct scene *s)
{
	int64_t n;

	(void)s;
	must(kin_counter_get(counter, &n, patience()));
	must((int)kin_dict_len(dict, patience()));
}

/* ---- acts ---- */

static int
act_counter_add(struct scene *s)
{
	(void)s;
	return kin_counter_add(counter, 1, NULL, patience());
}

static int
act_dict_set(struct scene *s)
{
	(void)s;
	return kin_dict_set(dict, KIN_V("key"), KIN_V("victim's"), patience());
}

static int
act_dict_create(struct scene *s)
{
	kin_dict *made;

	(void)s;
	return kin_dict_create(&made, m, NULL, patience());
}

static int
act_share(struct scene *s)
{
	(void)s;
	return kin_dict_set(dict, KIN_V("key"), KIN_V(counter), patience());
}

/* ---- what another does ---- */

void
other_client(struct scene *s)
{
	ready_client(s);
}

/* ---- checks ---- */

/* The server hears of a death in its own time; then it is as it was. */
static const char *
check_server(void)
{
	struct kin_manager_counts c;
	kin_time deadline = patience();

	do {
		if (kin_manager_count(m, &c, patience()) < 0)
			return "the server does not serve";
		if (c.sessions == 1 && c.objects == objects)
			return NULL;
		sched_yield();
	} while (kin_now().ns < deadline.ns);
	return c.sessions != 1 ? "the victim's session has not ended"
			       : "an object is left, or one is missing";
}

static const char *
check_counter_added(struct scene *s)
{
	const char *wrong = check_server();
	int64_t n;

	if (wrong != NULL)
		return wrong;
	if (kin_counter_get(counter, &n, patience()) < 0)
		return "the counter is gone";
	if (n != 1 && (n != 0 || s->shared->acted))
		return "not added once, or not at all";
	return NULL;
}

static const char *
check_dict_set(struct scene *s)
{
	const char *wrong = check_server();
	char *text;
	int r;

	if (wrong != NULL)
		return wrong;
	r = kin_dict_get(dict, KIN_V("key"), KIN_TAKE(&text), patience());
	if (r == -ENOENT && !s->shared->acted)
		return NULL;
	if (r < 0)
		return "what was set is not there";
	if (strcmp(text, "victim's") != 0)
		wrong = "what was set is not whole";
	free(text);
	return wrong;
}

static const char *
check_dict_created(struct scene *s)
{
	(void)s;
	return check_server();
}

static const char *
check_shared(struct scene *s)
{
	const char *wrong = check_server();
	kin_counter *same;
	int64_t n;
	int r;

	if (wrong != NULL)
		return wrong;
	r = kin_dict_get(dict, KIN_V("key"), KIN_TAKE(&same), patience());
	if (r == -ENOENT && !s->shared->acted)
		return NULL;
	if (r < 0)
		return "what was set is not there";
	if (kin_counter_add(same, 1, &n, patience()) < 0 || n != 1)
		wrong = "what was set is not the counter";
	kin_counter_close(same);
	return wrong;
}

/* ---- the table ---- */

const struct op client_ops[] = {
	{ "client call", "add", set_server, ready_client, act_counter_add,
	  check_counter_added, OP_REMOTE },
	{ "client call", "set", set_server, ready_client, act_dict_set,
	  check_dict_set, OP_REMOTE },
	{ "client call", "create", set_server, ready_client, act_dict_create,
	  check_dict_created, OP_REMOTE },
	{ "client call", "share", set_server, ready_client, act_share,
	  check_shared, OP_REMOTE },
	{ "client call", "first", set_server, NULL, act_counter_add,
	  check_counter_added, OP_REMOTE },
	{ 0 },
};
