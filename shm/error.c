/* SPDX-License-Identifier: MIT */
/*
 * error.c - the thread's sentence, assertions, and options coming in
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/error.h"

static __thread struct kn_sentence own;

/* Names and words in it may be a stranger's, and a terminal obeys them. */
static void
scrub(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

int
kn_fail(int r, const char *format, ...)
{
	va_list args;
	int saved = errno;

	va_start(args, format);
	vsnprintf(own.text, sizeof(own.text), format, args);
	va_end(args);
	scrub(own.text);
	own.number = r;
	errno = saved;
	return r;
}

void
kn_sentence_save(struct kn_sentence *ret)
{
	*ret = own;
}

void
kn_sentence_restore(const struct kn_sentence *sentence)
{
	own = *sentence;
}

const char *
kin_errmsg(void)
{
	return own.text;
}

/* Our words where libc's would mislead: its E2BIG is an argument list. */
static const struct {
	int number;
	const char *words;
} meanings[] = {
	{ EINVAL, "EINVAL: this can never be right" },
	{ E2BIG, "E2BIG: options newer than this library" },
	{ ETIMEDOUT, "ETIMEDOUT: deadline passed" },
	{ EPIPE, "EPIPE: the other end let go" },
	{ ECONNRESET, "ECONNRESET: the other end died" },
	{ EOWNERDEAD, "EOWNERDEAD: its worker or owner died" },
	{ EREMOTEIO, "EREMOTEIO: the remote function failed" },
	{ ERANGE, "ERANGE: out of range" },
	{ ENODATA, "ENODATA: nothing was given" },
	{ EMSGSIZE, "EMSGSIZE: message too long" },
	{ ENOSPC, "ENOSPC: full" },
	{ ENOMEM, "ENOMEM: out of memory" },
	{ EMFILE, "EMFILE: out of descriptors" },
	{ ENFILE, "ENFILE: the system is out of descriptors" },
	{ ENOENT, "ENOENT: no such name" },
	{ EEXIST, "EEXIST: the name is taken" },
	{ ESRCH, "ESRCH: no such process" },
	{ EPROTO, "EPROTO: not ours, or not of that kind" },
	{ EPROTONOSUPPORT, "EPROTONOSUPPORT: made by another kin" },
	{ EUCLEAN, "EUCLEAN: shared state is spoilt" },
	{ EACCES, "EACCES: not allowed" },
	{ EBADF, "EBADF: no such descriptor" },
	{ EPERM, "EPERM: not allowed by the system" },
	{ EBUSY, "EBUSY: in use" },
	{ EDEADLK, "EDEADLK: waiting would never end" },
	{ ESTALE, "ESTALE: handle of another process" },
	{ EAGAIN, "EAGAIN: out of processes" },
	{ ENOSYS, "ENOSYS: there is no such call here" },
	{ EOPNOTSUPP, "EOPNOTSUPP: not this way" },
};

/* What we have no words for, in libc's. */
static const char *
libc_words(char *buf, size_t cap, int number)
{
	const char *name = NULL;

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 32)
	name = strerrorname_np(number);
	if (name != NULL)
		snprintf(buf, cap, "%s: %s", name, strerrordesc_np(number));
#endif
	if (name == NULL)
		snprintf(buf, cap, "error %d", number);
	return buf;
}

const char *
kin_strerror(int r)
{
	static __thread char other[96];
	size_t i;

	if (r >= 0)
		return "no error";
	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (-meanings[i].number == r)
			return meanings[i].words;
	if (r == INT_MIN)	/* which has no positive */
		return "error 2147483648";
	return libc_words(other, sizeof(other), -r);
}

int
kin_perror(const char *what, int r)
{
	bool told = own.text[0] != '\0';

	fprintf(stderr, "%s: %s%s%s%s\n", what, kin_strerror(r),
		told ? " (" : "", own.text, told ? ")" : "");
	return 1;
}

void
kn_bug(const char *what, const char *where)
{
	fprintf(stderr, "kin: %s: a bug of the caller: not %s\n", where, what);
	abort();
}

static bool
all_zero(const unsigned char *p, uint32_t n)
{
	while (n > 0)
		if (p[--n] != 0)
			return false;
	return true;
}

int
kn_opts_copy(void *dst, uint32_t dst_size, const void *src)
{
	uint32_t src_size;

	memset(dst, 0, dst_size);
	if (src == NULL)
		return 0;

	memcpy(&src_size, src, sizeof(src_size));
	if (src_size < sizeof(src_size))
		return kn_fail(-EINVAL, "options without a size: use KIN_OPTS");
	if (src_size > dst_size &&
	    !all_zero((const unsigned char *)src + dst_size,
		      src_size - dst_size))
		return kn_fail(-E2BIG, "options of %u bytes, this library "
			       "knows %u", src_size, dst_size);

	memcpy(dst, src, src_size < dst_size ? src_size : dst_size);
	return 0;
}
