/* SPDX-License-Identifier: MIT */
/*
 * word.h - the vocabulary of shared words
 *
 * A word that several processes write is a kn_word or a kn_wide, never a plain
 * integer: it can be touched only through the calls below, whose names say
 * what they order.  A load reads the word once; the caller checks and uses
 * that local, since a peer may write anything at any time.
 *
 *      bit 31   30      29   28   27 ... 10     9 ... 0
 *      waiter   0       1    0    generation    slot      a process's stamp
 *      waiter   handed  1    1    generation    record    a thread's: 15 bits,
 *                                                         and 13
 *
 *      bit 31 ... 1                   0
 *      position                       waiter       a commit word
 */
#ifndef KN_WORD_H
#define KN_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KN_LINE		128u		/* two lines: the prefetcher's pair */
#define KN_PAGE		4096u

#if defined(__SANITIZE_THREAD__)
#define KN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KN_TSAN 1
#endif
#endif

typedef struct kn_word {
	uint32_t v;
} kn_word;

typedef struct kn_wide {
	uint64_t v;
} kn_wide;

#define kn_likely(x)	__builtin_expect(!!(x), 1)
#define kn_unlikely(x)	__builtin_expect(!!(x), 0)

/*
 * For a test: what a load gives may be anything, since a peer may have written
 * anything a moment ago.
 */
#ifdef KN_ADVERSE
uint32_t kn_adverse(uint32_t v);
uint64_t kn_adverse_wide(uint64_t v);
#else
#define kn_adverse(v)		(v)
#define kn_adverse_wide(v)	(v)
#endif

static inline uint32_t
kn_load(const kn_word *w)
{
	return kn_adverse(__atomic_load_n(&w->v, __ATOMIC_ACQUIRE));
}

static inline uint32_t
kn_load_relaxed(const kn_word *w)
{
	return kn_adverse(__atomic_load_n(&w->v, __ATOMIC_RELAXED));
}

/* After a kn_cas, and in one order with it for everybody. */
static inline uint32_t
kn_load_ordered(const kn_word *w)
{
	return kn_adverse(__atomic_load_n(&w->v, __ATOMIC_SEQ_CST));
}

static inline void
kn_store(kn_word *w, uint32_t v)
{
	__atomic_store_n(&w->v, v, __ATOMIC_RELEASE);
}

/* Before a kn_load_ordered, and in one order with it for everybody. */
static inline void
kn_store_ordered(kn_word *w, uint32_t v)
{
	__atomic_store_n(&w->v, v, __ATOMIC_SEQ_CST);
}

static inline void
kn_store_relaxed(kn_word *w, uint32_t v)
{
	__atomic_store_n(&w->v, v, __ATOMIC_RELAXED);
}

/* On failure *expected is what the word held. */
static inline bool
kn_cas_acquire(kn_word *w, uint32_t *expected, uint32_t v)
{
	if (__atomic_compare_exchange_n(&w->v, expected, v, false,
					__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return true;
	*expected = kn_adverse(*expected);
	return false;
}

static inline bool
kn_cas_release(kn_word *w, uint32_t *expected, uint32_t v)
{
	if (__atomic_compare_exchange_n(&w->v, expected, v, false,
					__ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return true;
	*expected = kn_adverse(*expected);
	return false;
}

static inline bool
kn_cas(kn_word *w, uint32_t *expected, uint32_t v)
{
	if (__atomic_compare_exchange_n(&w->v, expected, v, false,
					__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return true;
	*expected = kn_adverse(*expected);
	return false;
}

static inline uint32_t
kn_add(kn_word *w, uint32_t n)
{
	return kn_adverse(__atomic_fetch_add(&w->v, n, __ATOMIC_ACQ_REL));
}

static inline uint64_t
kn_wide_load(const kn_wide *w)
{
	return kn_adverse_wide(__atomic_load_n(&w->v, __ATOMIC_ACQUIRE));
}

static inline void
kn_wide_store(kn_wide *w, uint64_t v)
{
	__atomic_store_n(&w->v, v, __ATOMIC_RELEASE);
}

static inline uint64_t
kn_wide_load_relaxed(const kn_wide *w)
{
	return kn_adverse_wide(__atomic_load_n(&w->v, __ATOMIC_RELAXED));
}

static inline void
kn_wide_store_relaxed(kn_wide *w, uint64_t v)
{
	__atomic_store_n(&w->v, v, __ATOMIC_RELAXED);
}

/* These four have one order for everybody. */
static inline uint64_t
kn_wide_load_ordered(const kn_wide *w)
{
	return kn_adverse_wide(__atomic_load_n(&w->v, __ATOMIC_SEQ_CST));
}

static inline uint64_t
kn_wide_swap(kn_wide *w, uint64_t v)
{
	return kn_adverse_wide(__atomic_exchange_n(&w->v, v,
						   __ATOMIC_SEQ_CST));
}

static inline uint64_t
kn_wide_add(kn_wide *w, uint64_t n)
{
	return kn_adverse_wide(__atomic_fetch_add(&w->v, n,
						  __ATOMIC_SEQ_CST));
}

/* What stands before it is done before what comes after it, as far as this
 * CPU's program goes: all that the dead leave is a beginning of that. */
static inline void
kn_in_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline bool
kn_wide_cas_release(kn_wide *w, uint64_t expected, uint64_t v)
{
	return __atomic_compare_exchange_n(&w->v, &expected, v, false,
					   __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* On failure *expected is what the word held. */
static inline bool
kn_wide_cas(kn_wide *w, uint64_t *expected, uint64_t v)
{
	if (__atomic_compare_exchange_n(&w->v, expected, v, false,
					__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return true;
	*expected = kn_adverse_wide(*expected);
	return false;
}

/* What a wide word holds over two words, the first and the second. */
static inline uint64_t
kn_wide_of(uint32_t first, uint32_t second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return first | (uint64_t)second << 32;
#else
	return second | (uint64_t)first << 32;
#endif
}

/* In a loop that waits for another CPU. */
static inline void
kn_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

#endif
