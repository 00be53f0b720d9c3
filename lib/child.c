/* SPDX-License-Identifier: MIT */
/*
 * child.c - what a child is made with: told by its parent, done in the child
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/child.h"
#include "shm/error.h"
#include "shm/os.h"

#define FLAGS	(KIN_PROCESS_ENV_ONLY | KIN_PROCESS_GROUP | KIN_PROCESS_SESSION)

/* ---- the parent: numbers ---- */

static int
refuse(const char *what, long long value)
{
	return kn_fail(-EINVAL, "process: %s: %lld", what, value);
}

/* Neither, or both. */
static int
check_array(const char *name, const void *array, uint32_t n)
{
	if ((array == NULL) == (n == 0))
		return 0;
	return kn_fail(-EINVAL, "process: %u %s, at %p", n, name, array);
}

static int
take_limits(struct kn_child *c, const struct kin_process_opts *opts)
{
	const struct kin_limit *l;

	for (l = opts->limits; l < opts->limits + opts->nlimits; l++) {
		if (l->resource >= KN_LIMITS)
			return refuse("resource to limit", l->resource);
		if (l->soft > l->hard)
			return refuse("soft limit over the hard one of "
				      "resource", l->resource);
		c->limits |= 1u << l->resource;
		c->limit[l->resource].soft = l->soft;
		c->limit[l->resource].hard = l->hard;
	}
	return 0;
}

static int
take_cpus(struct kn_child *c, const struct kin_process_opts *opts)
{
	uint32_t i;

	for (i = 0; i < opts->ncpus; i++) {
		if (opts->cpus[i] >= KN_CPU_WORDS * 64)
			return refuse("CPU", opts->cpus[i]);
		c->cpus[opts->cpus[i] / 64] |= 1ull << opts->cpus[i] % 64;
		c->what |= KN_CHILD_CPUS;
	}
	return 0;
}

static void
take_numbers(struct kn_child *c, const struct kin_process_opts *opts)
{
	c->nice = opts->nice;
	c->oom_score = opts->oom_score;
	c->umask = opts->umask & 0777;
	c->what |= (opts->nice != 0 ? KN_CHILD_NICE : 0) |
		   (opts->oom_score != 0 ? KN_CHILD_OOM : 0) |
		   (opts->umask != 0 ? KN_CHILD_UMASK : 0) |
		   /* A session's leader leads its group, too. */
		   (opts->flags & KIN_PROCESS_SESSION ? KN_CHILD_SESSION :
		    opts->flags & KIN_PROCESS_GROUP ? KN_CHILD_GROUP : 0) |
		   (opts->flags & KIN_PROCESS_ENV_ONLY ? KN_CHILD_ENV_ONLY
						       : 0);
	c->streams = (opts->in != 0 ? 1u : 0) | (opts->out != 0 ? 2u : 0) |
		     (opts->err != 0 ? 4u : 0);
}

/* ---- the parent: texts ---- */

/*
 * Absolute, since not every child begins where its parent is.  A directory of
 * ours that is gone has no name, and is left to the child.
 */
static char *
absolute(const char *path)
{
	char here[PATH_MAX], *whole = NULL;

	if (path[0] == '/' || getcwd(here, sizeof(here)) == NULL)
		return strdup(path);
	if (asprintf(&whole, "%s/%s", here, path) < 0)
		return NULL;
	return whole;
}

static int
check_env(const char *const *env, size_t *ret_bytes, uint32_t *ret_n)
{
	uint32_t n = 0;

	for (; env != NULL && env[n] != NULL; n++) {
		if (env[n][0] == '\0' || env[n][0] == '=')
			return kn_fail(-EINVAL, "process: .env[%u] is \"%s\", "
				       "which names no variable", n, env[n]);
		*ret_bytes += strlen(env[n]) + 1;
	}
	*ret_n = n;
	return 0;
}

static void
put_texts(struct kn_child *c, const char *cwd, const char *const *env)
{
	char *at = stpcpy(c->text, cwd) + 1;
	uint32_t i;

	for (i = 0; i < c->nenv; i++)
		at = stpcpy(at, env[i]) + 1;
}

static int
make(struct kn_child **ret, const struct kin_process_opts *opts,
     const char *cwd)
{
	size_t bytes = sizeof(**ret) + strlen(cwd) + 1;
	struct kn_child *c;
	uint32_t nenv = 0;
	int r;

	r = check_env(opts->env, &bytes, &nenv);
	if (r < 0)
		return r;
	if (bytes > INT_MAX)
		return kn_fail(-E2BIG, "process: an environment of %zu bytes",
			       bytes);
	c = calloc(1, bytes);
	if (c == NULL)
		return kn_fail(-ENOMEM, "process: its options");
	c->bytes = (uint32_t)bytes;
	c->nenv = nenv;
	c->what = (cwd[0] != '\0' ? KN_CHILD_CWD : 0) |
		  (nenv != 0 ? KN_CHILD_ENV : 0);
	take_numbers(c, opts);
	put_texts(c, cwd, opts->env);
	r = take_limits(c, opts);
	if (r == 0)
		r = take_cpus(c, opts);
	if (r == 0 && (c->what | c->streams | c->limits) != 0) {
		*ret = c;
		return 0;
	}
	free(c);
	return r;
}

/* Most children are asked nothing of. */
static bool
is_plain(const struct kin_process_opts *opts)
{
	return opts->cwd == NULL && opts->env == NULL &&
	       (opts->flags & FLAGS) == 0 &&
	       (opts->in | opts->out | opts->err | opts->nice |
		opts->oom_score) == 0 &&
	       opts->cpus == NULL && opts->limits == NULL &&
	       (opts->umask | opts->nlimits | opts->ncpus) == 0;
}

int
kn_child_make(struct kn_child **ret, const struct kin_process_opts *opts)
{
	char *cwd;
	int r;

	*ret = NULL;
	if (is_plain(opts))
		return 0;
	if (opts->cwd != NULL && opts->cwd[0] == '\0')
		return kn_fail(-EINVAL, "process: .cwd is empty");
	if ((opts->umask & ~0777u & ~KIN_UMASK(0)) != 0)
		return refuse(".umask", opts->umask);
	r = check_array(".cpus", opts->cpus, opts->ncpus);
	if (r == 0)
		r = check_array(".limits", opts->limits, opts->nlimits);
	if (r < 0)
		return r;
	cwd = opts->cwd != NULL ? absolute(opts->cwd) : strdup("");
	if (cwd == NULL)
		return kn_fail(-ENOMEM, "process: its directory");
	r = make(ret, opts, cwd);
	free(cwd);
	return r;
}

bool
kn_child_is_sound(const void *bytes, size_t len)
{
	const struct kn_child *c = bytes;
	size_t at = 0, room, strings;

	if (len <= sizeof(*c) || c->bytes != len ||
	    c->limits >= 1ull << KN_LIMITS || c->streams >= 8)
		return false;
	room = len - sizeof(*c);
	for (strings = 0; at < room && strings <= c->nenv; strings++)
		at += strnlen(c->text + at, room - at) + 1;
	return at == room && strings == (size_t)c->nenv + 1;
}

/* ---- the child ---- */

static int
add_oom_score(int more)
{
	static const char path[] = "/proc/self/oom_score_adj";
	char text[16];
	int fd, n;
	ssize_t r;

	r = kn_os_read_file(path, text, sizeof(text));
	if (r < 0)
		return (int)r;
	n = snprintf(text, sizeof(text), "%d", atoi(text) + more);
	fd = kn_os_open(path, O_WRONLY, 0);
	if (fd < 0)
		return fd;
	r = kn_os_write(fd, text, (size_t)n);
	kn_os_close(fd);
	return r < 0 ? (int)r : 0;
}

static int
set_limits(const struct kn_child *c)
{
	uint32_t i;
	int r;

	for (i = 0; i < KN_LIMITS; i++) {
		if ((c->limits & 1u << i) == 0)
			continue;
		r = kn_os_set_limit((int)i, c->limit[i].soft, c->limit[i].hard);
		if (r < 0)
			return kn_fail(r, "its limit of resource %u", i);
	}
	return 0;
}

static int
set_env(const struct kn_child *c)
{
	const char *at = c->text + strlen(c->text) + 1;
	uint32_t i;
	char *name;
	int r = 0;

	if ((c->what & KN_CHILD_ENV_ONLY) && clearenv() != 0)
		return kn_fail(-ENOMEM, "its environment");
	for (i = 0; i < c->nenv; i++, at += strlen(at) + 1) {
		const char *equals = strchr(at, '=');

		name = equals ? strndup(at, (size_t)(equals - at)) : NULL;
		if (equals == NULL)
			r = unsetenv(at);
		else
			r = name ? setenv(name, equals + 1, 1) : -1;
		free(name);
		if (r < 0)
			return kn_fail(-ENOMEM, "its environment");
	}
	return 0;
}

/* What its parent has read ahead of the old one is not of the new one. */
static int
set_streams(const struct kn_child *c, const int *streams)
{
	int i, r;

	for (i = 0; i < 3; i++) {
		if ((c->streams & 1u << i) == 0)
			continue;
		r = kn_os_put(*streams, i);
		kn_os_close(*streams++);
		if (r < 0)
			return kn_fail(r, "its standard stream %d", i);
		if (i == 0)
			__fpurge(stdin);
	}
	return 0;
}

/* One for each bit, by the names that kin_process_opts has for them. */
static int
set_one(const struct kn_child *c, uint32_t what, const char **ret_name)
{
	switch (what) {
	case KN_CHILD_SESSION:
		*ret_name = "its session";
		return kn_os_new_session();
	case KN_CHILD_GROUP:
		*ret_name = "its process group";
		return kn_os_new_group();
	case KN_CHILD_NICE:
		*ret_name = "its nice value";
		return kn_os_add_nice(c->nice);
	case KN_CHILD_OOM:
		*ret_name = "its oom score";
		return add_oom_score(c->oom_score);
	case KN_CHILD_CPUS:
		*ret_name = "its CPUs";
		return kn_os_set_cpus(c->cpus, sizeof(c->cpus));
	case KN_CHILD_CWD:
		*ret_name = "its directory, ";
		return kn_os_chdir(c->text);
	default:
		kn_os_set_umask(c->umask);
		return 0;
	}
}

/* Limits last: the others may need what they forbid. */
int
kn_child_set_up(const struct kn_child *c, const int *streams)
{
	static const uint32_t order[] = {
		KN_CHILD_SESSION, KN_CHILD_GROUP, KN_CHILD_NICE, KN_CHILD_OOM,
		KN_CHILD_CPUS, KN_CHILD_CWD, KN_CHILD_UMASK,
	};
	const char *name;
	size_t i;
	int r;

	if (c == NULL)
		return 0;
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if ((c->what & order[i]) == 0)
			continue;
		r = set_one(c, order[i], &name);
		if (r < 0)
			return kn_fail(r, "%s%s", name,
				       order[i] == KN_CHILD_CWD ? c->text : "");
	}
	r = set_env(c);
	if (r == 0)
		r = set_streams(c, streams);
	return r == 0 ? set_limits(c) : r;
}

/* ---- how it went ---- */

struct report {
	int32_t r;
	char said[252];
};

void
kn_child_report(int line, int r)
{
	struct report report = { .r = r };
	struct kn_sentence last;

	kn_sentence_save(&last);
	if (r < 0)
		memcpy(report.said, last.text, sizeof(report.said));
	(void)kn_os_write(line, &report, sizeof(report));
}

int
kn_child_await(int line, int pidfd, const char *name)
{
	struct pollfd fds[] = {
		{ .fd = line, .events = POLLIN },
		{ .fd = pidfd, .events = POLLIN },
	};
	struct report report = { 0 };
	ssize_t n = 0;
	int r;

	/* Whichever comes first: a sibling may hold the line open. */
	r = kn_os_poll(fds, 2, KIN_FOREVER);
	if (r < 0)
		return kn_fail(r, "waiting for process '%s'", name);
	if (fds[0].revents & POLLIN)
		n = kn_os_read(line, &report, sizeof(report));
	if (n < 0)
		return kn_fail((int)n, "what process '%s' says", name);
	if (n != sizeof(report) || report.r > 0)
		return kn_fail(-EOWNERDEAD, "process '%s' ended before it was "
			       "set up", name);
	report.said[sizeof(report.said) - 1] = '\0';
	return report.r == 0 ? 0 : kn_fail(report.r, "process '%s': %s", name,
					   report.said);
}
