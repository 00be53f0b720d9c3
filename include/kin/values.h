/* SPDX-License-Identifier: MIT */
/*
 * kin/values.h - values that have come, and values that are built
 *
 *      kin_values *v;
 *      int64_t n;
 *      const char *who;
 *
 *      r = kin_conn_recv_values(conn, &v, deadline);
 *      r = kin_values_take(v, &n, &who);
 *      kin_values_free(v);
 *
 * A kin_values is a row of values and the descriptors that came with them.
 * What is borrowed from it (strings, bytes, cursors) is good until it is
 * freed.  Things that are taken (queues, segments, ...; descriptors and
 * read-only data too) belong to it and are closed when it is freed, unless
 * they are kept: do not close them yourself.  Taking twice gives two handles.
 * (What is taken from a result, kin_process_result or a proxy's call, is yours
 * and yours to close.)
 *
 * An array or a map is read by a cursor, which is the caller's struct:
 *
 *      struct kin_cursor items;
 *      int64_t x;
 *
 *      r = kin_values_take(v, &items);
 *      while ((r = kin_cursor_next(&items, &x)) > 0)
 *              sum += x;
 *
 * A map's cursor gives key and value: kin_cursor_next(&pairs, &key, &n).
 *
 * One is made by a builder:
 *
 *      kin_builder *b;
 *
 *      r = kin_builder_new(&b);
 *      kin_builder_map(b);
 *      kin_builder_add(b, "apple", 3);
 *      kin_builder_add(b, "pear", 5);
 *      kin_builder_end(b);
 *      r = kin_dict_update(d, b, deadline);
 *      kin_builder_free(b);
 *
 * A builder keeps its first error and gives it to every call after that, and
 * so does whatever it is given to as an argument: checking there is enough.
 *
 * Threads  One thread at a time for each object; several may read values that
 *          are not being freed, but taking a thing or a string writes.
 * Fork     All is private memory: the child has copies.  Things that were
 *          taken are good in the child as their headers say.
 */
#ifndef KIN_VALUES_H
#define KIN_VALUES_H

#include <kin/value.h>

KIN_BEGIN

/* What a message may hold, at most; no option: who needs more sends more. */
#define KIN_VALUES_DEPTH	64	/* arrays and maps inside each other */
#define KIN_VALUES_ITEMS	(64u << 20)	/* values in one message */
#define KIN_VALUES_FDS		128	/* descriptors with one message */

/*
 * Take every value of v, in order, into as many places: all or nothing.
 *
 *   -EINVAL  another count, or a type that does not fit its place
 *   -ERANGE  a number that does not
 *   -EACCES  read-only data that its sender could still change
 *   -EMFILE, -ENOMEM, and what attaching to a thing gives
 */
#define kin_values_take(v, ...) kin_values_take_all(v, KIN_TAKE(__VA_ARGS__))
KIN_API KIN_MUST int kin_values_take_all(kin_values *v,
					 struct kin_slots places);

/* How many there are, and of which type the i'th is (KIN_TYPE_..., 0: none). */
KIN_API size_t kin_values_count(const kin_values *v);
KIN_API uint32_t kin_values_type(const kin_values *v, size_t i);

/*
 * What was taken from v outlives v: a handle, or the address of read-only data.
 * You close the handle yourself.  -ENOENT: v has no such thing to keep.
 */
KIN_API int kin_values_keep(kin_values *v, const void *thing);
KIN_API int kin_values_keep_fd(kin_values *v, int fd);

/* NULL is ignored. */
KIN_API void kin_values_free(kin_values *v);

/*
 * Values as plain bytes: a msgpack array.  Pack makes such values in place;
 * bytes gives what can be stored; parse checks bytes from anywhere and copies
 * them.  A shared thing has no bytes: -EOPNOTSUPP in pack, unless it has a
 * name by which others reach it (a named segment, a manager's object).  What
 * holds a manager's object for whoever takes it is given back when values are
 * freed untaken; after kin_values_bytes it is left to the bytes, for their first
 * taker.
 *
 *   -EPROTO    those bytes are no array of values, whole and alone
 *   -EMSGSIZE  nested deeper, or more values, than the limits above
 *   -ETIMEDOUT a manager's object among them (pack), whose server did not
 *              answer for 5 seconds
 */
KIN_API KIN_MUST int kin_values_pack(kin_values **ret_v,
				     struct kin_args args);
KIN_API KIN_MUST int kin_values_parse(kin_values **ret_v, const void *bytes,
				      size_t len);
KIN_API const void *kin_values_bytes(const kin_values *v, size_t *ret_len);

/* ---- reading arrays and maps ---- */

struct kin_cursor {
	kin_values *of;			/* what it reads in; it may be copied */
	const unsigned char *at;
	const unsigned char *end;
	uint64_t left;			/* items, or pairs */
	uint32_t type;			/* KIN_TYPE_ARRAY or KIN_TYPE_MAP */
	uint32_t taken;			/* so far: for messages */
};

/*
 * Take the next item of an array into one place, or the next pair of a map
 * into two: 1; 0 at the end; failures as kin_values_take, and the cursor stays
 * where it was.
 */
#define kin_cursor_next(c, ...) kin_cursor_next_all(c, KIN_TAKE(__VA_ARGS__))
KIN_API KIN_MUST int kin_cursor_next_all(struct kin_cursor *c,
					 struct kin_slots places);

/* The type of the next item, or of the next pair's value; 0 at the end. */
KIN_API uint32_t kin_cursor_type(const struct kin_cursor *c);

/* ---- building arrays and maps ---- */

KIN_API KIN_MUST int kin_builder_new(kin_builder **ret_b);
KIN_API void kin_builder_free(kin_builder *b);

/* Begin an array or a map; end the innermost one. */
KIN_API int kin_builder_array(kin_builder *b);
KIN_API int kin_builder_map(kin_builder *b);
KIN_API int kin_builder_end(kin_builder *b);

/*
 * Add values: items of an array, or keys and values in turn of a map.
 *
 *   -EINVAL     an end too many; a map with a key that lacks its value, or is
 *               no string, bytes, integer or bool; a NULL string
 *   -EMSGSIZE   nested too deeply
 *   -ETIMEDOUT  a manager's object, whose server did not answer for 5 seconds
 *   -ENOMEM, -EMFILE
 */
#define kin_builder_add(b, ...) kin_builder_add_all(b, KIN_ARGS(__VA_ARGS__))
KIN_API int kin_builder_add_all(kin_builder *b, struct kin_args args);

KIN_END

#endif
