/* SPDX-License-Identifier: MIT */
/*
 * context.c - the ways to start a process
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/context.h"
#include "lib/fork_client.h"
#include "shm/error.h"
#include "shm/self.h"

static kin_context by_fork = { .kind = KIN_CONTEXT_FORK };
static kin_context by_spawn = { .kind = KIN_CONTEXT_SPAWN };
static kin_context by_server = { .kind = KIN_CONTEXT_FORKSERVER };

static kin_context *standard = &by_server;
static bool settled;			/* it stays as it is */

kin_context *
kin_context_fork(void)
{
	return &by_fork;
}

kin_context *
kin_context_spawn(void)
{
	return &by_spawn;
}

kin_context *
kin_context_forkserver(void)
{
	return &by_server;
}

/* ---- the default ---- */

int
kin_context_set_default(kin_context *c)
{
	bool late;

	kn_assert(c != NULL);
	kn_self_lock();
	late = settled;
	if (!late) {
		standard = c;
		settled = true;
	}
	kn_self_unlock();
	return late ? kn_fail(-EALREADY, "the default context is %s, and has "
			      "been set or used", kin_context_name(standard))
		    : 0;
}

kin_context *
kin_context_default(void)
{
	kin_context *c;

	kn_self_lock();
	c = standard;
	kn_self_unlock();
	return c;
}

kin_context *
kn_context_of(kin_context *c)
{
	if (c != NULL)
		return c;
	kn_self_lock();
	settled = true;
	c = standard;
	kn_self_unlock();
	return c;
}

/* ---- those that are made ---- */

static void
free_texts(char **texts)
{
	char **at;

	for (at = texts; texts != NULL && *at != NULL; at++)
		free(*at);
	free(texts);
}

/* NULL: no memory, or *ret_failed is false and there are none. */
static char **
copy_texts(const char *const *texts, bool *ret_failed)
{
	size_t n = 0, i;
	char **copy;

	if (texts == NULL)
		return NULL;
	while (texts[n] != NULL)
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (i = 0; copy != NULL && i < n; i++) {
		copy[i] = strdup(texts[i]);
		if (copy[i] == NULL) {
			free_texts(copy);
			copy = NULL;
		}
	}
	*ret_failed |= copy == NULL;
	return copy;
}

int
kin_context_create(kin_context **ret_c, const struct kin_context_opts *user)
{
	struct kin_context_opts opts;
	bool failed = false;
	kin_context *c;
	int r;

	kn_assert(ret_c != NULL);
	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r < 0)
		return r;
	if (opts.kind > KIN_CONTEXT_FORK)
		return kn_fail(-EINVAL, "context: kind %u", opts.kind);
	if (opts.kind != KIN_CONTEXT_FORKSERVER &&
	    (opts.libraries != NULL || opts.prepare != NULL))
		return kn_fail(-EINVAL, "context: .libraries and .prepare are "
			       "for a fork server");
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return kn_fail(-ENOMEM, "context");
	c->kind = opts.kind;
	c->prepare = opts.prepare;
	c->libraries = copy_texts(opts.libraries, &failed);
	c->env = copy_texts(opts.env, &failed);
	c->streams[0] = opts.in;
	c->streams[1] = opts.out;
	c->streams[2] = opts.err;
	if (failed) {
		kin_context_close(c);
		return kn_fail(-ENOMEM, "context");
	}
	*ret_c = c;
	return 0;
}

void
kin_context_close(kin_context *c)
{
	if (c == NULL)
		return;
	kn_server_drop(c->server);
	c->server = NULL;
	if (c == &by_fork || c == &by_spawn || c == &by_server)
		return;
	free_texts(c->libraries);
	free_texts(c->env);
	free(c);
}

const char *
kin_context_name(const kin_context *c)
{
	static const char *const names[] = { "forkserver", "spawn", "fork" };

	kn_assert(c != NULL);
	return names[c->kind];
}

void
kn_context_fill(const kin_context *c, struct kin_process_opts *opts)
{
	if (opts->env == NULL)
		opts->env = (const char *const *)c->env;
	if (opts->in == 0)
		opts->in = c->streams[0];
	if (opts->out == 0)
		opts->out = c->streams[1];
	if (opts->err == 0)
		opts->err = c->streams[2];
}

int
kn_context_start(kin_context *c, kin_process *p, struct kn_start *how)
{
	switch (c->kind) {
	case KIN_CONTEXT_FORK:
		return kn_start_fork(p, how);
	case KIN_CONTEXT_SPAWN:
		return kn_start_spawn(p, how);
	default:
		return kn_start_server(p, how, c);
	}
}
