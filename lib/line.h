/* SPDX-License-Identifier: MIT */
/*
 * line.h - text that is put together in a signal handler
 */
#ifndef KN_LINE_H
#define KN_LINE_H

#include <stddef.h>
#include <stdint.h>

/* Cut short where there is no more room; without a zero. */
struct kn_line {
	char *text;
	size_t cap;
	size_t len;
};

void kn_line_put(struct kn_line *line, const char *text, size_t most);
void kn_line_put_number(struct kn_line *line, uint64_t n, unsigned base);

/* file+offset (symbol+offset), as far as the dynamic linker knows. */
void kn_line_put_place(struct kn_line *line, uintptr_t pc);

#endif
