/* SPDX-License-Identifier: MIT */
/*
 * type.c - types and their methods, and the arguments of these
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "manager/type.h"
#include "shm/error.h"

static const struct kn_type *const types[] = {
	&kn_dict_type, &kn_list_type, &kn_counter_type,
};

static bool
is_named(const char *known, const char *name, size_t len)
{
	return strlen(known) == len && memcmp(known, name, len) == 0;
}

const struct kn_type *
kn_type_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (is_named(types[i]->name, name, len))
			return types[i];
	return NULL;
}

const struct kn_method *
kn_method_find(const struct kn_type *type, const char *name, size_t len)
{
	for (size_t i = 0; i < type->n; i++)
		if (is_named(type->methods[i].name, name, len))
			return &type->methods[i];
	return NULL;
}

/* ---- calling ---- */

/* Anybody may have chosen it: what no terminal should see is a '?'. */
static int __attribute__((cold, noinline))
no_method(const struct kn_type *type, const char *name, size_t len)
{
	char seen[33];
	size_t i;

	for (i = 0; i < len && i < sizeof(seen) - 1; i++)
		seen[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '?';
	seen[i] = '\0';
	return kn_fail(-ENOSYS, "a %s has no method '%s'", type->name, seen);
}

static int __attribute__((cold, noinline))
miscounted(const struct kn_type *type, const struct kn_method *m, uint64_t n)
{
	const char *least = m->least == m->most ? "" : "at least ";

	return kn_fail(-EINVAL, "'%s' of a %s takes %s%u argument%s, not %"
		       PRIu64, m->name, type->name,
		       n > m->most && m->most != m->least ? "at most " : least,
		       n > m->most ? m->most : m->least,
		       (n > m->most ? m->most : m->least) == 1 ? "" : "s", n);
}

static int
call(struct kn_object *o, const char *name, size_t len,
     struct kn_request *req)
{
	const struct kn_method *m = kn_method_find(o->type, name, len);

	if (m == NULL)
		return no_method(o->type, name, len);
	if (req->args.n < m->least ||
	    (req->args.n > m->most && m->most != KN_ANY_NUMBER))
		return miscounted(o->type, m, req->args.n);
	return m->fn(o, req);
}

/*
 * A method may free the last item that holds its own object; so it is held
 * here, but for the server itself, which is nobody's.  An answer that fails
 * half-way has put proxies under way which will never arrive.
 */
int
kn_type_call(struct kn_object *o, const char *method, size_t len,
	     struct kn_request *req)
{
	struct kn_span args = {
		req->args.at, (size_t)(req->args.end - req->args.at)
	};
	int r;

	if (o->id != 0)
		kn_object_ref(o);
	r = call(o, method, len, req);
	if (r < 0) {
		kn_tokens_arrive(req->store, (struct kn_span){
				 req->answer.bytes, req->answer.len });
		kn_bundle_drop(&req->answer);
	}
	kn_tokens_arrive(req->store, args);
	if (o->id != 0)
		kn_object_unref(req->store, o, 1);
	return r;
}

/* ---- arguments ---- */

struct kn_span
kn_row_next(struct kn_row *row)
{
	const unsigned char *at = row->at;

	kn_assert(row->n > 0);
	row->at = kn_wire_skip(at, row->end);
	row->n--;
	return (struct kn_span){ at, (size_t)(row->at - at) };
}

const char *
kn_type_a(uint32_t value_type)
{
	static const char *const names[] = {
		[KIN_TYPE_NIL] = "nil",
		[KIN_TYPE_BOOL] = "a bool",
		[KIN_TYPE_INT] = "an integer",
		[KIN_TYPE_FLOAT] = "a float",
		[KIN_TYPE_STR] = "a string",
		[KIN_TYPE_BIN] = "bytes",
		[KIN_TYPE_ARRAY] = "an array",
		[KIN_TYPE_MAP] = "a map",
		[KIN_TYPE_THING] = "a shared thing",
	};

	kn_assert(value_type >= KIN_TYPE_NIL && value_type <= KIN_TYPE_THING);
	return names[value_type];
}

static int __attribute__((cold, noinline))
mistyped(unsigned index, const struct kn_head *is, uint32_t wanted)
{
	return kn_fail(-EINVAL, "argument %u is %s, not %s", index,
		       kn_type_a(is->type), kn_type_a(wanted));
}

int
kn_span_int(struct kn_span span, unsigned index, int64_t *ret)
{
	struct kn_head head = kn_span_head(span);

	if (head.type != KIN_TYPE_INT)
		return mistyped(index, &head, KIN_TYPE_INT);
	if (!head.negative && head.v.u > INT64_MAX)
		return kn_fail(-ERANGE, "argument %u is %" PRIu64 ", over %"
			       PRId64, index, head.v.u, INT64_MAX);
	*ret = head.v.i;
	return 0;
}

int
kn_span_uint(struct kn_span span, unsigned index, uint64_t *ret)
{
	struct kn_head head = kn_span_head(span);

	if (head.type != KIN_TYPE_INT)
		return mistyped(index, &head, KIN_TYPE_INT);
	if (head.negative)
		return kn_fail(-ERANGE, "argument %u is %" PRId64
			       ", less than 0", index, head.v.i);
	*ret = head.v.u;
	return 0;
}

int
kn_span_str(struct kn_span span, unsigned index, const char **ret,
	    size_t *ret_len)
{
	struct kn_head head = kn_span_head(span);

	if (head.type != KIN_TYPE_STR)
		return mistyped(index, &head, KIN_TYPE_STR);
	*ret = (const char *)head.data;
	*ret_len = (size_t)head.v.n;
	return 0;
}
