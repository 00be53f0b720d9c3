/* SPDX-License-Identifier: MIT */
/*
 * log.c - lines to stderr, or to a function
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/log.h"
#include "shm/os.h"

#define MESSAGE		1001u		/* bytes, with the zero */

/*
 * Where lines go.  Another thread may be about to use one that was replaced,
 * and nobody can tell for how long, so none is freed.
 */
struct sink {
	struct sink *before;
	kin_log_fn *fn;
	void *user;
};

static const char *const words[] = { "off", "error", "warning", "info",
				     "debug" };
#define WORDS	(sizeof(words) / sizeof(words[0]))

static uint32_t now;			/* the level */
static struct sink *sink;		/* NULL: stderr */
static char process[16];

uint32_t
kin_log_level(void)
{
	return __atomic_load_n(&now, __ATOMIC_RELAXED);
}

void
kn_log_inherit(uint32_t level)
{
	__atomic_store_n(&now, level, __ATOMIC_RELAXED);
}

void
kn_log_name(const char *name)
{
	kn_name_copy(process, sizeof(process), name);
}

__attribute__((constructor)) static void
heed_environment(void)
{
	const char *word = secure_getenv("KIN_LOG");
	uint32_t i;

	for (i = 0; word != NULL && i < WORDS; i++)
		if (strcmp(word, words[i]) == 0)
			now = i;
	kn_log_name(program_invocation_short_name);
}

void
kin_log_to(uint32_t level, kin_log_fn *fn, void *user)
{
	struct sink *new = NULL;

	if (fn != NULL)
		new = malloc(sizeof(*new));
	if (new != NULL) {
		*new = (struct sink){ NULL, fn, user };
		new->before = __atomic_load_n(&sink, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&sink, new, __ATOMIC_RELEASE);
	kn_log_inherit(level);
}

/* A terminal obeys what is in a stranger's name. */
static void
scrub(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

static void
to_stderr(uint32_t level, const char *message)
{
	char line[MESSAGE + 64];
	int n;

	n = snprintf(line, sizeof(line), "%s %s %d: %s\n",
		     words[level < WORDS ? level : WORDS - 1], process,
		     (int)getpid(), message);
	kn_os_complain(line, (size_t)n);
}

void
kin_log_write(uint32_t level, const char *format, ...)
{
	const struct sink *to = __atomic_load_n(&sink, __ATOMIC_ACQUIRE);
	char message[MESSAGE];
	int saved = errno;
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	scrub(message);
	if (to != NULL)
		to->fn(to->user, level, process, message);
	else
		to_stderr(level, message);
	errno = saved;
}
