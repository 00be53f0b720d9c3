/* SPDX-License-Identifier: MIT */
/*
 * type.h - a type of objects: its methods, by name
 *
 * A method is called with values that were checked whole, as they came.  It
 * answers with values, or returns a negative errno after kn_fail: the client
 * gets number and sentence.  Either it does all of what it is for or nothing.
 */
#ifndef KN_TYPE_H
#define KN_TYPE_H

#include "manager/object.h"

/* The arguments that are left. */
struct kn_row {
	const unsigned char *at, *end;
	uint64_t n;
};

struct kn_session;

struct kn_request {
	struct kn_store *store;
	struct kn_session *session;	/* NULL in tests */
	struct kn_token_owner *underway;	/* the session's */
	struct kn_row args;
	struct kn_bundle answer;	/* empty: nothing was answered */
};

typedef int kn_method_fn(struct kn_object *o, struct kn_request *req);

struct kn_method {
	const char *name;
	kn_method_fn *fn;
	uint32_t least, most;		/* arguments */
};

#define KN_ANY_NUMBER	UINT32_MAX

struct kn_type {
	const char *name;
	uint32_t thing;			/* KIN_THING_... */
	const struct kn_method *methods;
	size_t n;
	int (*make)(struct kn_object *o);
	void (*free)(struct kn_object *o, struct kn_store *store);
};

/* The one list of types; NULL: no such type. */
const struct kn_type *kn_type_find(const char *name, size_t len);
const struct kn_method *kn_method_find(const struct kn_type *type,
				       const char *name, size_t len);

/*
 * Call a method, whatever anybody sent as its name and arguments: -ENOSYS,
 * -EINVAL, and what the method returns.  Every proxy among the arguments has
 * arrived then.  If it fails the answer is empty, with no memory.
 */
int kn_type_call(struct kn_object *o, const char *method, size_t len,
		 struct kn_request *req);

extern const struct kn_type kn_dict_type, kn_list_type, kn_counter_type;

/* ---- reading arguments: -EINVAL and -ERANGE name the argument ---- */

/* The next one; there is one: their number was checked. */
struct kn_span kn_row_next(struct kn_row *row);
int kn_span_int(struct kn_span span, unsigned index, int64_t *ret);
int kn_span_uint(struct kn_span span, unsigned index, uint64_t *ret);
int kn_span_str(struct kn_span span, unsigned index, const char **ret,
		size_t *ret_len);

/* "an integer", by KIN_TYPE_... */
const char *kn_type_a(uint32_t value_type);

/* The head of a value in a checked message. */
static inline struct kn_head
kn_span_head(struct kn_span span)
{
	struct kn_head head = { 0 };

	(void)kn_wire_head(&head, span.p, span.p + span.len);
	return head;
}

/* ---- are two values equal? (equal.c) ---- */

/*
 * Integers by their number, floats by theirs, proxies by their object; arrays
 * and maps part by part, in order.
 */
bool kn_equal(struct kn_span a, struct kn_span b);

/* ---- answering: 0 or a negative errno; an answer is an array ---- */

/* Write in the shortest form; how many bytes. */
#define KN_HEAD_MOST	9u
size_t kn_write_int(unsigned char to[KN_HEAD_MOST], int64_t n);
size_t kn_write_uint(unsigned char to[KN_HEAD_MOST], uint64_t n);
/* of a string, bytes, an array or a map */
size_t kn_write_head(unsigned char to[KN_HEAD_MOST], uint32_t type,
		     uint32_t n);

int kn_answer(struct kn_request *req, struct kin_args values);

/* Only that. */
int kn_answer_int(struct kn_request *req, int64_t n);

/* An item: proxies in it are under way to the client from then on. */
int kn_answer_item(struct kn_request *req, const struct kn_item *item);

/*
 * Many: an array (n items) or a map (n pairs), then each item in turn, or key
 * and item.
 */
int kn_answer_begin(struct kn_request *req, uint32_t type, uint64_t n);
int kn_answer_add(struct kn_request *req, const struct kn_item *item);
int kn_answer_add_raw(struct kn_request *req, struct kn_span value);

#endif
