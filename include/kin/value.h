/* SPDX-License-Identifier: MIT */
/*
 * kin/value.h - typed values without format strings
 *
 *      kin_process_start(&p, weigh, KIN_ARGS(q, 3, "hello", 2.5), NULL);
 *
 *      static int
 *      weigh(kin_call *call)
 *      {
 *              kin_queue *out;
 *              int64_t n;
 *              const char *who;
 *              double x;
 *              int r = kin_call_take(call, &out, &n, &who, &x);
 *
 * The compiler knows each argument's type and writes it down: KIN_ARGS makes
 * a list of values out of a list of C expressions, KIN_TAKE a list of places
 * out of a list of pointers.  The same two serve processes, connections,
 * queues and managers.
 *
 * A value is nil, a bool, an integer, a float, a string, bytes, an array, a
 * map, or a shared thing.  What C's types do not tell is spelled out:
 *
 *      to give                 to take
 *      KIN_BIN(p, n)           KIN_BIN(&p, &n)      bytes; p is const void *
 *      KIN_STR(p, n)           KIN_STR(&p, &n)      a string with its length
 *      KIN_RO(p, n)            KIN_RO(&p, &n)       read-only data: readonly.h
 *      KIN_FD(fd)              KIN_FD(&fd)          a descriptor
 *      KIN_BOOL(x)             bool *               (true is an int in C)
 *      KIN_NIL                 KIN_ANY              nothing; whatever it is
 *      a kin_builder *         a struct kin_cursor *    arrays and maps
 *      a kin_values *          a kin_values **          values of any kind
 *
 * Taken is what was given, or nothing is:
 *
 *      an integer    into any integer type it fits (else -ERANGE), and into
 *                    a double or float that can hold it exactly (else -ERANGE)
 *      a float       into double, and into float by rounding, -ERANGE beyond
 *                    its range; never into an integer
 *      a bool        into bool only
 *      a string      into const char * (borrowed; a string with a zero byte
 *                    inside is -EINVAL there: take it by KIN_STR), or into
 *                    char * (a copy, yours to free), or KIN_STR
 *      bytes         by KIN_BIN only
 *      array, map    into a struct kin_cursor
 *      a thing       into a handle of its kind
 *
 * A wrong count or type is -EINVAL, and kin_errmsg() says which argument:
 * "argument 2 is a string, taken as an integer".  Then nothing is taken.
 *
 * On the wire values are msgpack; every message from outside is checked whole
 * before anything is read out of it.
 */
#ifndef KIN_VALUE_H
#define KIN_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include <kin/error.h>

KIN_BEGIN

typedef struct kin_values kin_values;
typedef struct kin_builder kin_builder;
typedef struct kin_segment kin_segment;
typedef struct kin_view kin_view;
typedef struct kin_queue kin_queue;
typedef struct kin_conn kin_conn;
typedef struct kin_proxy kin_proxy;
typedef struct kin_dict kin_dict;
typedef struct kin_list kin_list;
typedef struct kin_counter kin_counter;
typedef struct kin_lock kin_lock;
typedef struct kin_rwlock kin_rwlock;
typedef struct kin_cond kin_cond;
typedef struct kin_sem kin_sem;
typedef struct kin_event kin_event;
typedef struct kin_barrier kin_barrier;
typedef struct kin_once kin_once;
typedef struct kin_heap kin_heap;
typedef struct kin_array kin_array;
typedef struct kin_cell kin_cell;
typedef struct kin_table kin_table;
struct kin_cursor;

/* What a value is; also what kin_values_type and kin_cursor_type say. */
#define KIN_TYPE_NIL	1u
#define KIN_TYPE_BOOL	2u
#define KIN_TYPE_INT	3u		/* -2^63 to 2^64 - 1 */
#define KIN_TYPE_FLOAT	4u
#define KIN_TYPE_STR	5u
#define KIN_TYPE_BIN	6u
#define KIN_TYPE_ARRAY	7u
#define KIN_TYPE_MAP	8u
#define KIN_TYPE_THING	9u		/* a queue, a segment, a proxy ... */

/* One value to give: made by KIN_V, read by the call it is given to. */
struct kin_arg {
	uint32_t what;			/* KIN_GIVE_... */
	uint32_t kind;			/* of a thing */
	union {
		int64_t i;
		uint64_t u;
		double f;
		const void *p;
	} v;
	size_t n;			/* bytes at p */
	const char *name;		/* as it was spelled; NULL = unknown */
};

struct kin_args {
	const struct kin_arg *v;
	size_t n;
};

/* One place to take into: made by KIN_S. */
struct kin_slot {
	uint32_t what;			/* KIN_INTO_... */
	uint32_t kind;			/* of a thing, or bytes of a number */
	void *to;
	size_t *ret_n;
};

struct kin_slots {
	const struct kin_slot *v;
	size_t n;
};

/* Not for users: what the macros write. */
enum {
	KIN_GIVE_NIL = 1, KIN_GIVE_BOOL, KIN_GIVE_INT, KIN_GIVE_UINT,
	KIN_GIVE_FLOAT, KIN_GIVE_DOUBLE, KIN_GIVE_STR, KIN_GIVE_STRN,
	KIN_GIVE_BIN, KIN_GIVE_RO, KIN_GIVE_FD, KIN_GIVE_BUILDER,
	KIN_GIVE_VALUES, KIN_GIVE_THING
};
enum {
	KIN_INTO_ANY = 1, KIN_INTO_BOOL, KIN_INTO_INT, KIN_INTO_UINT,
	KIN_INTO_FLOAT, KIN_INTO_STR, KIN_INTO_STR_COPY, KIN_INTO_STRN,
	KIN_INTO_BIN, KIN_INTO_RO, KIN_INTO_FD, KIN_INTO_CURSOR,
	KIN_INTO_VALUES, KIN_INTO_THING
};

/* Kinds of things, as they are numbered on the wire. */
#define KIN_THING_SEGMENT	1u
#define KIN_THING_QUEUE		2u
#define KIN_THING_CONN		3u
#define KIN_THING_PROXY		4u	/* of any type */
#define KIN_THING_DICT		5u
#define KIN_THING_LIST		6u
#define KIN_THING_COUNTER	7u
#define KIN_THING_VIEW		32u	/* 4 to 31 are proxies */
#define KIN_THING_LOCK		33u
#define KIN_THING_RWLOCK	34u
#define KIN_THING_COND		35u
#define KIN_THING_SEM		36u
#define KIN_THING_EVENT		37u
#define KIN_THING_BARRIER	38u
#define KIN_THING_ONCE		39u
#define KIN_THING_HEAP		40u
#define KIN_THING_ARRAY		41u
#define KIN_THING_CELL		42u
#define KIN_THING_TABLE		43u

#define KIN_GIVE_(what_, field_, value_, kind_, n_, name_)		\
	struct kin_arg a = { 0, 0, { 0 }, 0, 0 };			\
	a.what = (what_);						\
	a.kind = (kind_);						\
	a.v.field_ = (value_);						\
	a.n = (n_);							\
	a.name = (name_);						\
	return a

#define KIN_GIVER_(suffix_, type_, what_, field_, kind_)		\
	static inline struct kin_arg					\
	kin_give_##suffix_(type_ x)					\
	{								\
		KIN_GIVE_(what_, field_, x, kind_, 0, 0);		\
	}

#define KIN_TAKER_(suffix_, type_, what_, kind_)			\
	static inline struct kin_slot					\
	kin_into_##suffix_(type_ *to)					\
	{								\
		struct kin_slot s = { (what_), (kind_), to, 0 };	\
		return s;						\
	}

/* suffix, C type, how it is given, as which field, how it is taken */
#define KIN_NUMBERS_(X)							\
	X(char, char, INT, i, CHAR_)					\
	X(schar, signed char, INT, i, INT)				\
	X(uchar, unsigned char, UINT, u, UINT)				\
	X(short, short, INT, i, INT)					\
	X(ushort, unsigned short, UINT, u, UINT)			\
	X(int, int, INT, i, INT)					\
	X(uint, unsigned, UINT, u, UINT)				\
	X(long, long, INT, i, INT)					\
	X(ulong, unsigned long, UINT, u, UINT)				\
	X(llong, long long, INT, i, INT)				\
	X(ullong, unsigned long long, UINT, u, UINT)			\
	X(float, float, FLOAT, f, FLOAT)				\
	X(double, double, DOUBLE, f, FLOAT)

/* suffix, C type, number */
#define KIN_THINGS_(X)							\
	X(segment, kin_segment, KIN_THING_SEGMENT)			\
	X(view, kin_view, KIN_THING_VIEW)				\
	X(queue, kin_queue, KIN_THING_QUEUE)				\
	X(conn, kin_conn, KIN_THING_CONN)				\
	X(proxy, kin_proxy, KIN_THING_PROXY)				\
	X(dict, kin_dict, KIN_THING_DICT)				\
	X(list, kin_list, KIN_THING_LIST)				\
	X(counter, kin_counter, KIN_THING_COUNTER)			\
	X(lock, kin_lock, KIN_THING_LOCK)				\
	X(rwlock, kin_rwlock, KIN_THING_RWLOCK)				\
	X(cond, kin_cond, KIN_THING_COND)				\
	X(sem, kin_sem, KIN_THING_SEM)					\
	X(event, kin_event, KIN_THING_EVENT)				\
	X(barrier, kin_barrier, KIN_THING_BARRIER)			\
	X(once, kin_once, KIN_THING_ONCE)				\
	X(heap, kin_heap, KIN_THING_HEAP)				\
	X(array, kin_array, KIN_THING_ARRAY)				\
	X(cell, kin_cell, KIN_THING_CELL)				\
	X(table, kin_table, KIN_THING_TABLE)

/* Plain char has a sign on some machines and none on others. */
#define KIN_INTO_CHAR_	((char)-1 < 0 ? KIN_INTO_INT : KIN_INTO_UINT)

#define KIN_NUMBER_(suffix_, type_, give_, field_, into_)		\
	KIN_GIVER_(suffix_, type_, KIN_GIVE_##give_, field_, 0)		\
	KIN_TAKER_(suffix_, type_, KIN_INTO_##into_, sizeof(type_))
KIN_NUMBERS_(KIN_NUMBER_)
#undef KIN_NUMBER_

#define KIN_THING_(suffix_, type_, number_)				\
	KIN_GIVER_(suffix_, const type_ *, KIN_GIVE_THING, p, number_)	\
	KIN_TAKER_(suffix_, type_ *, KIN_INTO_THING, number_)
KIN_THINGS_(KIN_THING_)
#undef KIN_THING_

#ifdef __cplusplus
KIN_GIVER_(bool, bool, KIN_GIVE_BOOL, i, 0)
KIN_TAKER_(bool, bool, KIN_INTO_BOOL, 1)
#else
KIN_GIVER_(bool, _Bool, KIN_GIVE_BOOL, i, 0)
KIN_TAKER_(bool, _Bool, KIN_INTO_BOOL, 1)
#endif
KIN_GIVER_(str, const char *, KIN_GIVE_STR, p, 0)
KIN_GIVER_(builder, const kin_builder *, KIN_GIVE_BUILDER, p, 0)
KIN_GIVER_(values, const kin_values *, KIN_GIVE_VALUES, p, 0)
KIN_TAKER_(str, const char *, KIN_INTO_STR, 0)
KIN_TAKER_(copy, char *, KIN_INTO_STR_COPY, 0)
KIN_TAKER_(cursor, struct kin_cursor, KIN_INTO_CURSOR, 0)
KIN_TAKER_(values, kin_values *, KIN_INTO_VALUES, 0)

#define KIN_SPELLED_(suffix_, SUFFIX_)					\
	static inline struct kin_arg					\
	kin_give_##suffix_(const void *p, size_t n, const char *name)	\
	{								\
		KIN_GIVE_(KIN_GIVE_##SUFFIX_, p, p, 0, n, name);	\
	}								\
	static inline struct kin_slot					\
	kin_into_##suffix_(void *pp, size_t *n, const char *name)	\
	{								\
		struct kin_slot s = { KIN_INTO_##SUFFIX_, 0, pp, n };	\
		(void)name;						\
		return s;						\
	}
KIN_SPELLED_(bin, BIN)
KIN_SPELLED_(strn, STRN)
KIN_SPELLED_(ro, RO)
#undef KIN_SPELLED_

static inline struct kin_arg
kin_give_fd(int fd)
{
	KIN_GIVE_(KIN_GIVE_FD, i, fd, 0, 0, 0);
}

static inline struct kin_slot
kin_into_fd(int *fd)
{
	struct kin_slot s = { KIN_INTO_FD, 0, fd, 0 };
	return s;
}

static inline struct kin_arg
kin_give_nil(void)
{
	KIN_GIVE_(KIN_GIVE_NIL, i, 0, 0, 0, 0);
}

static inline struct kin_slot
kin_into_any(void)
{
	struct kin_slot s = { KIN_INTO_ANY, 0, 0, 0 };
	return s;
}

static inline struct kin_arg
kin_give_same(struct kin_arg a)
{
	return a;
}

static inline struct kin_slot
kin_into_same(struct kin_slot s)
{
	return s;
}

KIN_END

#define KIN_NIL		(kin_give_nil())
#define KIN_ANY		(kin_into_any())
#define KIN_BOOL(x)	(kin_give_bool(!!(x)))

#ifndef __cplusplus

#define KIN_BIN(p, n)	KIN_SPELL_(bin, p, n, #p)
#define KIN_STR(p, n)	KIN_SPELL_(strn, p, n, #p)
#define KIN_RO(p, n)	KIN_SPELL_(ro, p, n, #p)
#define KIN_SPELL_(suffix_, p, n, name_)				\
	_Generic((n), size_t *: kin_into_##suffix_,			\
		 default: kin_give_##suffix_)((p), (n), name_)
#define KIN_FD(fd)	_Generic((fd), int *: kin_into_fd,		\
				 default: kin_give_fd)(fd)

#define KIN_GIVE_NUMBER_(suffix_, type_, give_, field_, into_)		\
	type_: kin_give_##suffix_,
#define KIN_GIVE_A_THING_(suffix_, type_, number_)			\
	type_ *: kin_give_##suffix_, const type_ *: kin_give_##suffix_,
#define KIN_INTO_NUMBER_(suffix_, type_, give_, field_, into_)		\
	type_ *: kin_into_##suffix_,
#define KIN_INTO_A_THING_(suffix_, type_, number_)			\
	type_ **: kin_into_##suffix_,

/* One value; one place. */
#define KIN_V(x) _Generic((x),						\
	KIN_NUMBERS_(KIN_GIVE_NUMBER_)					\
	KIN_THINGS_(KIN_GIVE_A_THING_)					\
	_Bool: kin_give_bool,						\
	char *: kin_give_str, const char *: kin_give_str,		\
	kin_builder *: kin_give_builder,				\
	const kin_builder *: kin_give_builder,				\
	kin_values *: kin_give_values,					\
	const kin_values *: kin_give_values,				\
	struct kin_arg: kin_give_same)(x)
#define KIN_S(to) _Generic((to),					\
	KIN_NUMBERS_(KIN_INTO_NUMBER_)					\
	KIN_THINGS_(KIN_INTO_A_THING_)					\
	_Bool *: kin_into_bool,						\
	char **: kin_into_copy, const char **: kin_into_str,		\
	struct kin_cursor *: kin_into_cursor,				\
	kin_values **: kin_into_values,					\
	struct kin_slot: kin_into_same)(to)

/* Up to 32 values; up to 32 places.  They live as long as their block. */
#define KIN_ARGS(...)							\
	KIN_PASTE_(KIN_ARGS_, KIN_NONE_(__VA_ARGS__))(__VA_ARGS__)
#define KIN_TAKE(...)							\
	KIN_PASTE_(KIN_TAKE_, KIN_NONE_(__VA_ARGS__))(__VA_ARGS__)
#define KIN_ARGS_1(...) ((struct kin_args){ 0, 0 })
#define KIN_TAKE_1(...) ((struct kin_slots){ 0, 0 })
#define KIN_ARGS_0(...)							\
	((struct kin_args){						\
		(const struct kin_arg[]){ KIN_EACH_(KIN_V, __VA_ARGS__) }, \
		KIN_COUNT_(__VA_ARGS__) })
#define KIN_TAKE_0(...)							\
	((struct kin_slots){						\
		(const struct kin_slot[]){ KIN_EACH_(KIN_S, __VA_ARGS__) }, \
		KIN_COUNT_(__VA_ARGS__) })

#define KIN_PASTE_(a, b)	KIN_PASTED_(a, b)
#define KIN_PASTED_(a, b)	a##b
#define KIN_PICK_(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12,	\
	_13, _14, _15, _16, _17, _18, _19, _20, _21, _22, _23, _24,	\
	_25, _26, _27, _28, _29, _30, _31, _32, n, ...) n
#define KIN_COUNT_(...) KIN_PICK_(__VA_ARGS__,32, 31, 30, 29, 28, 27,	\
	26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11,	\
	10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define KIN_COMMAS_(...) KIN_PICK_(__VA_ARGS__,1, 1, 1, 1, 1, 1, 1, 1,	\
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,	\
	1, 1, 0, 0)
#define KIN_COMMA_(...) ,

/*
 * 1 if there is no argument, which the preprocessor tells from one only by
 * what becomes of it beside a macro and before parentheses (J. Gustedt,
 * "Detect empty macro arguments", 2010).
 */
#define KIN_NONE_(...)							\
	KIN_ALL_(KIN_COMMAS_(__VA_ARGS__),				\
		 KIN_COMMAS_(KIN_COMMA_ __VA_ARGS__),			\
		 KIN_COMMAS_(__VA_ARGS__ ()),				\
		 KIN_COMMAS_(KIN_COMMA_ __VA_ARGS__ ()))
#define KIN_ALL_(a, b, c, d)		KIN_ALL_PASTED_(a, b, c, d)
#define KIN_ALL_PASTED_(a, b, c, d)	KIN_COMMAS_(KIN_IF_##a##b##c##d)
#define KIN_IF_0001			,

#define KIN_EACH_(F, ...)						\
	KIN_PASTE_(KIN_EACH_, KIN_PASTE_(KIN_COUNT_(__VA_ARGS__), _))	\
	(F, __VA_ARGS__)
#define KIN_EACH_1_(F, a)	F(a)
#define KIN_EACH_2_(F, a, ...)	F(a), KIN_EACH_1_(F, __VA_ARGS__)
#define KIN_EACH_3_(F, a, ...)	F(a), KIN_EACH_2_(F, __VA_ARGS__)
#define KIN_EACH_4_(F, a, ...)	F(a), KIN_EACH_3_(F, __VA_ARGS__)
#define KIN_EACH_5_(F, a, ...)	F(a), KIN_EACH_4_(F, __VA_ARGS__)
#define KIN_EACH_6_(F, a, ...)	F(a), KIN_EACH_5_(F, __VA_ARGS__)
#define KIN_EACH_7_(F, a, ...)	F(a), KIN_EACH_6_(F, __VA_ARGS__)
#define KIN_EACH_8_(F, a, ...)	F(a), KIN_EACH_7_(F, __VA_ARGS__)
#define KIN_EACH_9_(F, a, ...)	F(a), KIN_EACH_8_(F, __VA_ARGS__)
#define KIN_EACH_10_(F, a, ...)	F(a), KIN_EACH_9_(F, __VA_ARGS__)
#define KIN_EACH_11_(F, a, ...)	F(a), KIN_EACH_10_(F, __VA_ARGS__)
#define KIN_EACH_12_(F, a, ...)	F(a), KIN_EACH_11_(F, __VA_ARGS__)
#define KIN_EACH_13_(F, a, ...)	F(a), KIN_EACH_12_(F, __VA_ARGS__)
#define KIN_EACH_14_(F, a, ...)	F(a), KIN_EACH_13_(F, __VA_ARGS__)
#define KIN_EACH_15_(F, a, ...)	F(a), KIN_EACH_14_(F, __VA_ARGS__)
#define KIN_EACH_16_(F, a, ...)	F(a), KIN_EACH_15_(F, __VA_ARGS__)
#define KIN_EACH_17_(F, a, ...)	F(a), KIN_EACH_16_(F, __VA_ARGS__)
#define KIN_EACH_18_(F, a, ...)	F(a), KIN_EACH_17_(F, __VA_ARGS__)
#define KIN_EACH_19_(F, a, ...)	F(a), KIN_EACH_18_(F, __VA_ARGS__)
#define KIN_EACH_20_(F, a, ...)	F(a), KIN_EACH_19_(F, __VA_ARGS__)
#define KIN_EACH_21_(F, a, ...)	F(a), KIN_EACH_20_(F, __VA_ARGS__)
#define KIN_EACH_22_(F, a, ...)	F(a), KIN_EACH_21_(F, __VA_ARGS__)
#define KIN_EACH_23_(F, a, ...)	F(a), KIN_EACH_22_(F, __VA_ARGS__)
#define KIN_EACH_24_(F, a, ...)	F(a), KIN_EACH_23_(F, __VA_ARGS__)
#define KIN_EACH_25_(F, a, ...)	F(a), KIN_EACH_24_(F, __VA_ARGS__)
#define KIN_EACH_26_(F, a, ...)	F(a), KIN_EACH_25_(F, __VA_ARGS__)
#define KIN_EACH_27_(F, a, ...)	F(a), KIN_EACH_26_(F, __VA_ARGS__)
#define KIN_EACH_28_(F, a, ...)	F(a), KIN_EACH_27_(F, __VA_ARGS__)
#define KIN_EACH_29_(F, a, ...)	F(a), KIN_EACH_28_(F, __VA_ARGS__)
#define KIN_EACH_30_(F, a, ...)	F(a), KIN_EACH_29_(F, __VA_ARGS__)
#define KIN_EACH_31_(F, a, ...)	F(a), KIN_EACH_30_(F, __VA_ARGS__)
#define KIN_EACH_32_(F, a, ...)	F(a), KIN_EACH_31_(F, __VA_ARGS__)

#else /* C++17: overloads in place of _Generic */

#define KIN_GIVE_OVERLOAD_(suffix_, type_, give_, field_, into_)	\
	static inline kin_arg kin_give(type_ x)				\
	{								\
		return kin_give_##suffix_(x);				\
	}								\
	static inline kin_slot kin_into(type_ *to)			\
	{								\
		return kin_into_##suffix_(to);				\
	}
KIN_NUMBERS_(KIN_GIVE_OVERLOAD_)
#undef KIN_GIVE_OVERLOAD_
#define KIN_THING_OVERLOAD_(suffix_, type_, number_)			\
	static inline kin_arg kin_give(const type_ *x)			\
	{								\
		return kin_give_##suffix_(x);				\
	}								\
	static inline kin_arg kin_give(type_ *x)			\
	{								\
		return kin_give_##suffix_(x);				\
	}								\
	static inline kin_slot kin_into(type_ **to)			\
	{								\
		return kin_into_##suffix_(to);				\
	}
KIN_THINGS_(KIN_THING_OVERLOAD_)
#undef KIN_THING_OVERLOAD_
static inline kin_arg kin_give(bool x) { return kin_give_bool(x); }
static inline kin_arg kin_give(const char *x) { return kin_give_str(x); }
static inline kin_arg kin_give(char *x) { return kin_give_str(x); }
static inline kin_arg kin_give(kin_arg a) { return a; }
/* Other pointers are no values; without this they would be bools. */
template <class T> kin_arg kin_give(T *) = delete;
static inline kin_arg
kin_give(const kin_builder *b)
{
	return kin_give_builder(b);
}
static inline kin_arg
kin_give(kin_builder *b)
{
	return kin_give_builder(b);
}
static inline kin_arg
kin_give(const kin_values *v)
{
	return kin_give_values(v);
}
static inline kin_arg
kin_give(kin_values *v)
{
	return kin_give_values(v);
}
static inline kin_slot kin_into(bool *to) { return kin_into_bool(to); }
static inline kin_slot kin_into(const char **to) { return kin_into_str(to); }
static inline kin_slot kin_into(char **to) { return kin_into_copy(to); }
static inline kin_slot kin_into(kin_slot s) { return s; }
static inline kin_slot
kin_into(kin_cursor *to)
{
	return kin_into_cursor(to);
}
static inline kin_slot
kin_into(kin_values **to)
{
	return kin_into_values(to);
}

#define KIN_SPELL_OVERLOAD_(suffix_)					\
	static inline kin_arg						\
	kin_spell_##suffix_(const void *p, size_t n, const char *name)	\
	{								\
		return kin_give_##suffix_(p, n, name);			\
	}								\
	static inline kin_slot						\
	kin_spell_##suffix_(void *pp, size_t *n, const char *name)	\
	{								\
		return kin_into_##suffix_(pp, n, name);			\
	}
KIN_SPELL_OVERLOAD_(bin)
KIN_SPELL_OVERLOAD_(strn)
KIN_SPELL_OVERLOAD_(ro)
#undef KIN_SPELL_OVERLOAD_
static inline kin_arg kin_spell_fd(int fd) { return kin_give_fd(fd); }
static inline kin_slot kin_spell_fd(int *fd) { return kin_into_fd(fd); }

/* They live as long as the call they are written in. */
template <class List, class Item, size_t n>
struct kin_pack {
	Item items[n + 1];
	operator List() const { return List{ items, n }; }
};

template <class... T>
static inline kin_pack<kin_args, kin_arg, sizeof...(T)>
kin_give_all(T... x)
{
	static_assert(sizeof...(T) <= 32, "at most 32, as in C");
	return { { kin_give(x)..., kin_arg() } };
}

template <class... T>
static inline kin_pack<kin_slots, kin_slot, sizeof...(T)>
kin_into_all(T... to)
{
	return { { kin_into(to)..., kin_slot() } };
}

#define KIN_BIN(p, n)	(kin_spell_bin((p), (n), #p))
#define KIN_STR(p, n)	(kin_spell_strn((p), (n), #p))
#define KIN_RO(p, n)	(kin_spell_ro((p), (n), #p))
#define KIN_FD(fd)	(kin_spell_fd(fd))
#define KIN_V(x)	(kin_give(x))
#define KIN_S(to)	(kin_into(to))
#define KIN_ARGS(...)	(kin_give_all(__VA_ARGS__))
#define KIN_TAKE(...)	(kin_into_all(__VA_ARGS__))

#endif

#endif
