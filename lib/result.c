/* SPDX-License-Identifier: MIT */
/*
 * result.c - what an entry gave, from its end to those who take it
 *
 *      child                                     parent, when it has ended
 *        kin_call_return ─▶ a bundle
 *        the entry returns
 *          ├─ short: into the slip ──────────────▶ copied out of it, or
 *          ├─ long: a memfd ─┐                     out of the memfd;
 *          ├─ descriptors ───┴─▶ into the line ──▶ checked whole
 *          └─ returned = 1
 *
 * The child never waits for a reader: a page has room, and so has a line for
 * the one message that is put into it.  What it takes to store a long result
 * is done in kin_call_return, where there is somebody to tell if it fails.
 * Killed before the last store, it has given nothing.
 *
 * All that the parent reads may be scribbled on, still: by a child that went
 * mad, or by one of its own children that has the page and the memfd, too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/entry.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/os_pass.h"
#include "shm/self.h"

_Static_assert(KN_PASS_MAX >= KIN_VALUES_FDS + 1, "a line passes a result");

/* ---- the child ---- */

/* The bytes, where they can stay when this process has ended; or -errno. */
static int
file_of(const struct kn_bundle *b)
{
	size_t at = 0;
	ssize_t n = 0;
	int fd, r;

	fd = kn_os_memfd("kin-result");
	if (fd < 0)
		return fd;
	r = kn_os_reserve(fd, b->len);
	while (r == 0 && at < b->len) {
		n = kn_os_write(fd, b->bytes + at, b->len - at);
		if (n <= 0)
			r = n < 0 ? (int)n : -ENOSPC;
		else
			at += (size_t)n;
	}
	if (r == 0)
		return fd;
	kn_os_close(fd);
	return r;
}

/* It will not travel. */
static void
take_back(kin_call *call)
{
	if (!call->given)
		return;
	kn_bundle_drop(&call->result);
	kn_os_close(call->file);
	call->file = -1;
	call->given = false;
}

int
kin_call_return_all(kin_call *call, struct kin_args results)
{
	struct kn_bundle b = { 0 };
	struct kn_way way = { .lasting = true };
	char what[48];
	int file = -1, r;

	kn_assert(call != NULL);
	snprintf(what, sizeof(what), "result of process '%s'", call->name);
	way.what = what;
	r = kn_bundle_encode(&b, results, &way);
	if (r < 0)
		return r;
	if (b.len > KN_SLIP_ROOM) {
		file = file_of(&b);
		if (file < 0) {
			r = kn_fail(file, "%s: %zu bytes", what, b.len);
			kn_bundle_drop(&b);
			return r;
		}
		free(b.bytes);		/* it may be large */
		b.bytes = NULL;
		b.cap = 0;
	}
	take_back(call);
	call->result = b;
	call->file = file;
	call->given = true;
	return 0;
}

static int
give(const kin_call *call, struct kn_slip *slip, int line)
{
	const struct kn_bundle *b = &call->result;
	int fds[KN_PASS_MAX], r;
	unsigned n = 0;

	if (call->file >= 0)
		fds[n++] = call->file;
	kn_assert(b->nfds <= KN_PASS_MAX - n);
	if (b->nfds > 0)
		memcpy(fds + n, b->fds, b->nfds * sizeof(int));
	n += b->nfds;
	r = n > 0 ? kn_os_pass(line, fds, n) : 0;
	if (r < 0)
		return r;
	if (call->file < 0) {
		memcpy(slip->bytes, b->bytes, b->len);
		kn_store(&slip->len, (uint32_t)b->len);
	}
	kn_store(&slip->nfds, b->nfds);
	kn_store(&slip->given, call->file < 0 ? KN_GIVEN_HERE : KN_GIVEN_FILE);
	return 0;
}

/* The last sentence may explain something else, which the entry got over. */
static void
say_why(struct kn_slip *slip, int value)
{
	struct kn_sentence last;

	kn_sentence_save(&last);
	if (last.number == value)
		memcpy(slip->said, last.text, sizeof(slip->said));
}

void
kn_result_leave(kin_call *call, int value, struct kn_slip *slip, int line)
{
	int r;

	if (value < 0) {
		say_why(slip, value);
		take_back(call);
	}
	if (call->given) {
		r = give(call, slip, line);
		if (r < 0) {
			kn_store(&slip->lost, (uint32_t)r);
			take_back(call);
		} else {
			kn_bundle_sent(&call->result);
			kn_os_close(call->file);
		}
		call->given = false;
	}
	kn_store(&slip->value, (uint32_t)value);
	kn_store(&slip->returned, 1);
}

/* ---- the parent ---- */

static bool
returned(const kin_process *p)
{
	return kn_load(&p->slip->returned) != 0;
}

/* All of a file that another made: it may lie about its size. */
static int
read_whole(int fd, unsigned char **ret_bytes, size_t *ret_len)
{
	struct stat st;
	unsigned char *bytes;
	size_t len, at = 0;
	ssize_t n;
	int r;

	r = kn_os_stat(fd, &st);
	if (r < 0)
		return r;
	/* Ours has no holes; one of holes has any size, and costs nothing. */
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_blocks < st.st_size / 512)
		return -EPROTO;
	len = (size_t)st.st_size;
	bytes = malloc(len);
	if (bytes == NULL)
		return -ENOMEM;
	while (at < len) {
		n = kn_os_read_at(fd, bytes + at, len - at, at);
		if (n <= 0) {
			free(bytes);
			return n < 0 ? (int)n : -EPROTO;
		}
		at += (size_t)n;
	}
	*ret_bytes = bytes;
	*ret_len = len;
	return 0;
}

/* What was found, before it is known what it is. */
struct found {
	unsigned char *bytes;
	size_t len;
	int fds[KN_PASS_MAX];
	unsigned nfds;
};

static void
close_all(const int *fds, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		kn_os_close(fds[i]);
}

static int
find_here(const struct kn_slip *slip, struct found *f)
{
	size_t len = kn_load(&slip->len);

	if (len == 0 || len > KN_SLIP_ROOM)
		return -EPROTO;
	f->bytes = malloc(len);
	if (f->bytes == NULL)
		return -ENOMEM;
	memcpy(f->bytes, slip->bytes, len);
	f->len = len;
	return 0;
}

/* The first descriptor is of the bytes, the others are the values'. */
static int
find_file(struct found *f)
{
	int file, r;

	if (f->nfds == 0)
		return -EPROTO;
	file = f->fds[0];
	f->nfds--;
	memmove(f->fds, f->fds + 1, f->nfds * sizeof(int));
	r = read_whole(file, &f->bytes, &f->len);
	kn_os_close(file);
	return r;
}

static int
find(const kin_process *p, struct found *f)
{
	bool here = kn_load(&p->slip->given) == KN_GIVEN_HERE;
	uint32_t nfds = kn_load(&p->slip->nfds);
	int r;

	if (nfds > KIN_VALUES_FDS)
		return -EPROTO;
	if (!here || nfds > 0) {
		r = kn_os_passed(p->line, f->fds, nfds + !here);
		if (r < 0)
			return r;
		f->nfds = (unsigned)r;
		if (f->nfds != nfds + !here)
			return -EPROTO;
	}
	return here ? find_here(p->slip, f) : find_file(f);
}

/* The values that p's entry gave, made ours. */
static int
receive(kin_process *p)
{
	struct found f = { 0 };
	int lost = (int)kn_load(&p->slip->lost), r;

	if (lost < 0)
		return kn_fail(lost, "process '%s' could not pass on what it "
			       "gave", p->name);
	if (kn_load(&p->slip->given) == KN_GIVEN_NOTHING)
		return kn_fail(-ENODATA, "process '%s' gave nothing", p->name);
	r = find(p, &f);
	if (r < 0)
		r = kn_fail(r, "what process '%s' gave", p->name);
	else
		r = kn_values_of(&p->result, f.bytes, f.len, f.fds, f.nfds);
	if (r < 0) {
		close_all(f.fds, f.nfds);
		free(f.bytes);
		return r;
	}
	/* What is in it was there to be looked at until it was ours. */
	kn_os_close(p->line);
	p->line = -1;
	return 0;
}

/*
 * It has failed over there: its number, and the sentence that it left; or it
 * could not even begin, and that is no number of its entry's.
 */
static int
fail_remote(const kin_process *p, int value)
{
	char said[KN_SAID];

	memcpy(said, p->slip->said, sizeof(said));
	said[sizeof(said) - 1] = '\0';
	if (said[0] == '\0')
		snprintf(said, sizeof(said), "process '%s'", p->name);
	if (kn_load(&p->slip->refused) != 0)
		return kn_fail(value, "process '%s': %s", p->name, said);
	return kn_fail(-EREMOTEIO, "remote: %s (%s)", kin_strerror(value),
		       said);
}

static int
look(kin_process *p, const struct kin_status *status)
{
	char words[80];
	int value;

	if (!returned(p))
		return kn_fail(-EOWNERDEAD, "process '%s' gave nothing: %s",
			       p->name, kin_status_words(status, words,
							 sizeof(words)));
	value = (int)kn_load(&p->slip->value);
	return value < 0 ? fail_remote(p, value) : receive(p);
}

int
kin_process_result(kin_process *p, struct kin_slots places, kin_time deadline)
{
	struct kin_status status;
	int state, r;

	r = kin_process_join(p, &status, deadline);
	if (r < 0)
		return r;
	/* Cancelled with it, a thread would never give it back. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&p->taking);
	if (p->result == NULL)
		r = look(p, &status);
	if (r == 0)
		r = kn_values_take(p->result, places, true);
	pthread_mutex_unlock(&p->taking);
	pthread_setcancelstate(state, &state);
	return r;
}

/*
 * The other end of a connection in it is to learn that nobody took it, and so
 * is a manager: what may have such is looked at even now.
 */
void
kn_result_forget(kin_process *p)
{
	struct kn_sentence sentence;

	if (p->result == NULL && p->ended && p->slip != NULL && returned(p) &&
	    (kn_load(&p->slip->nfds) > 0 ||
	     kn_load(&p->slip->given) == KN_GIVEN_HERE)) {
		kn_sentence_save(&sentence);
		(void)receive(p);
		kn_sentence_restore(&sentence);
	}
	kin_values_free(p->result);
	p->result = NULL;
}
