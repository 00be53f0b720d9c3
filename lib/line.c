/* SPDX-License-Identifier: MIT */
/*
 * line.c - text that is put together in a signal handler
 */
#include <dlfcn.h>

#include "lib/line.h"

#define PATH_SHOWN	600		/* so that there is room for the rest */
#define SYMBOL_SHOWN	200

void
kn_line_put(struct kn_line *line, const char *text, size_t most)
{
	while (*text != '\0' && most-- > 0 && line->len < line->cap)
		line->text[line->len++] = *text++;
}

void
kn_line_put_number(struct kn_line *line, uint64_t n, unsigned base)
{
	char digits[24], *p = &digits[sizeof(digits) - 1];

	*p = '\0';
	do
		*--p = "0123456789abcdef"[n % base];
	while ((n /= base) != 0);
	kn_line_put(line, base == 16 ? "0x" : "", 2);
	kn_line_put(line, p, sizeof(digits));
}

/*
 * dladdr is not on the list of what a handler may call, because it takes the
 * dynamic linker's lock.  But these handlers run in the middle of the
 * program's own code, not at any time: this thread is not inside the linker,
 * or, if a constructor is at fault, has the lock already, and it is
 * recursive.  Another thread's dlopen makes us wait for it.  Nothing is
 * allocated.  What is certain was written before.
 */
void
kn_line_put_place(struct kn_line *line, uintptr_t pc)
{
	Dl_info info;

	if (dladdr((void *)pc, &info) == 0 || info.dli_fname == NULL) {
		kn_line_put_number(line, pc, 16);
		return;
	}
	kn_line_put(line, info.dli_fname, PATH_SHOWN);
	kn_line_put(line, "+", 1);
	kn_line_put_number(line, pc - (uintptr_t)info.dli_fbase, 16);
	if (info.dli_sname != NULL) {
		kn_line_put(line, " (", 2);
		kn_line_put(line, info.dli_sname, SYMBOL_SHOWN);
		kn_line_put(line, "+", 1);
		kn_line_put_number(line, pc - (uintptr_t)info.dli_saddr, 16);
		kn_line_put(line, ")", 1);
	}
}
