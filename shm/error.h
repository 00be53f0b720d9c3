/* SPDX-License-Identifier: MIT */
/*
 * error.h - the thread's sentence, assertions, and options coming in
 */
#ifndef KN_ERROR_H
#define KN_ERROR_H

#include <stdint.h>

#include <kin/error.h>

/*
 * Set this thread's sentence and return r: "return kn_fail(-EINVAL, ...)".
 * Called where the fault is found; callers pass the number up untouched.
 * The sentence names the object and the fact; no newline, no period.
 */
int kn_fail(int r, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* For a call that works though something in it failed: its caller's sentence
 * stays as it was. */
struct kn_sentence {
	int number;			/* that it explains */
	char text[256];
};
void kn_sentence_save(struct kn_sentence *ret);
void kn_sentence_restore(const struct kn_sentence *sentence);

/* A programmer's bug that can be seen: says so and aborts, in release too. */
#define kn_assert(cond)							\
	((cond) ? (void)0 : kn_bug(#cond, __func__))
void kn_bug(const char *what, const char *where)
    __attribute__((noreturn, cold));

/*
 * Take the caller's options into dst, which is dst_size bytes as this library
 * knows it.  An older caller passes a shorter struct: what it lacks is zero.
 * A newer one passes a longer: fine, so long as the rest is zero.
 */
int kn_opts_copy(void *dst, uint32_t dst_size, const void *src);

#endif
