/* SPDX-License-Identifier: MIT */
/*
 * segment_plan.c - what a segment is to be, from what was asked for
 */
#include <errno.h>
#include <inttypes.h>

#include "shm/control.h"
#include "shm/error.h"
#include "shm/names.h"
#include "shm/segment.h"

#define LIMIT_TIMES	16u		/* of bytes: how far one grows */
#define LIMIT_LEAST	(1ull << 30)

#define FLAGS								\
	(KIN_SEGMENT_OPEN_OR_CREATE | KIN_SEGMENT_GROWABLE |		\
	 KIN_SEGMENT_SPARSE | KIN_SEGMENT_POPULATE | KIN_SEGMENT_HUGE |	\
	 KN_TRUST)

static int
check_label(const char *label)
{
	const char *p;

	for (p = label; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return kn_fail(-EINVAL, "a label has no control "
				       "character");
	if (p - label > KIN_LABEL_MAX)
		return kn_fail(-EINVAL, "a label of %td bytes; %d at most",
			       p - label, KIN_LABEL_MAX);
	return 0;
}

int
kn_plan_check(const struct kn_segment_plan *plan)
{
	int r;

	if (plan->members > KN_SLOTS_MAX || plan->threads > KN_THREADS_MAX)
		return kn_fail(-EINVAL, "%s of %u members and %u threads; %u "
			       "and %u at most", plan->kind->a, plan->members,
			       plan->threads, KN_SLOTS_MAX, KN_THREADS_MAX);
	if (plan->body_bytes == 0 || plan->body_bytes > KN_BODY_MAX)
		return kn_fail(-EINVAL, "%s of %" PRIu64 " bytes",
			       plan->kind->a, plan->body_bytes);
	r = plan->label != NULL ? check_label(plan->label) : 0;
	if (r == 0 && plan->name != NULL)
		r = kn_names_check(plan->name);
	return r;
}

/* What cannot be had together; NULL = nothing. */
static const char *
contradiction(const struct kin_segment_opts *opts)
{
	bool anonymous = opts->name == NULL && opts->path == NULL;
	uint32_t flags = opts->flags;

	if (opts->name != NULL && opts->path != NULL)
		return "both a name and a path";
	if (anonymous && (flags & (KIN_SEGMENT_OPEN_OR_CREATE | KN_TRUST)))
		return "nothing to open: it has neither name nor path";
	if (anonymous && opts->mode != 0)
		return "a mode, but neither name nor path";
	if (!anonymous && (flags & KIN_SEGMENT_HUGE))
		return "huge pages are for anonymous ones";
	if (!anonymous && (flags & KIN_SEGMENT_GROWABLE))
		return "only anonymous ones can grow";
	if ((flags & KIN_SEGMENT_GROWABLE) && (flags & KIN_SEGMENT_HUGE))
		return "of huge pages, and growable";
	if ((flags & KIN_SEGMENT_SPARSE) && (flags & KIN_SEGMENT_POPULATE))
		return "sparse, and populated";
	if (opts->max_bytes != 0 && !(flags & KIN_SEGMENT_GROWABLE))
		return "a max_bytes, but it is not growable";
	if (opts->max_bytes != 0 && opts->max_bytes < opts->bytes)
		return "a max_bytes below its bytes";
	if (opts->threads != 0 && opts->members == 0)
		return "threads, but no members";
	if (opts->threads != 0 && opts->threads < opts->members)
		return "fewer threads than members";
	if (opts->max_bytes > KN_BODY_MAX)
		return "a max_bytes that no machine has";
	return NULL;
}

static int
check_opts(const struct kin_segment_opts *opts)
{
	const char *wrong;

	if ((opts->flags & ~FLAGS) != 0 || (opts->mode & ~0777u) != 0 ||
	    opts->reserved != 0)
		return kn_fail(-EINVAL, "segment: flags %#x, mode %04o, "
			       "reserved %#x", opts->flags, opts->mode,
			       opts->reserved);
	wrong = contradiction(opts);
	return wrong != NULL ? kn_fail(-EINVAL, "segment: %s", wrong) : 0;
}

static uint64_t
limit_of(const struct kin_segment_opts *opts)
{
	uint64_t limit = opts->max_bytes;

	if (!(opts->flags & KIN_SEGMENT_GROWABLE) || limit != 0)
		return limit;
	if (opts->bytes > KN_BODY_MAX / LIMIT_TIMES)
		return KN_BODY_MAX;
	limit = opts->bytes * LIMIT_TIMES;
	return limit > LIMIT_LEAST ? limit : LIMIT_LEAST;
}

int
kn_plan_of(struct kn_segment_plan *ret, const struct kin_segment_opts *user)
{
	struct kin_segment_opts opts;
	int r;

	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r == 0)
		r = check_opts(&opts);
	if (r < 0)
		return r;
	*ret = (struct kn_segment_plan){
		.kind = &kn_segment_kind,
		.body_bytes = opts.bytes,
		.limit = limit_of(&opts),
		.name = opts.name,
		.path = opts.path,
		.label = opts.label,
		.flags = opts.flags,
		.mode = opts.mode,
		.members = opts.members,
		.threads = kn_control_threads(opts.members, opts.threads),
	};
	return kn_plan_check(ret);
}
