/* SPDX-License-Identifier: MIT */
/*
 * readonly.c - read-only data: freezing it, and mapping what was frozen
 *
 *      bytes ──write──▶ memfd ──seal──▶ descriptor ──▶ seals, length and
 *                                                      trailer are right
 *                                                      ──▶ mapping, watched
 *
 * The bytes are written through the descriptor and never mapped for writing:
 * a writable mapping would forbid the seal.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <kin/readonly.h>

#include "lib/bundle.h"
#include "lib/readonly.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/peer.h"
#include "shm/self.h"

#define BYTES_MAX	(1ull << 46)	/* half of what x86-64 can map */
#define ASK_FIRST	(64ull << 20)	/* from here on, is there so much? */

/* ---- what is counted ---- */

static uint64_t copied;
static uint32_t copied_by;		/* the generation that counts */

/* A fork's child is another process, which has copied nothing yet. */
static void
count_own(void)
{
	uint32_t mine = kn_self_generation();

	if (kn_likely(__atomic_load_n(&copied_by, __ATOMIC_ACQUIRE) == mine))
		return;
	kn_self_lock();
	if (copied_by != mine) {
		__atomic_store_n(&copied, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&copied_by, mine, __ATOMIC_RELEASE);
	}
	kn_self_unlock();
}

void
kn_copied(uint64_t bytes)
{
	count_own();
	__atomic_add_fetch(&copied, bytes, __ATOMIC_RELAXED);
}

uint64_t
kin_copied_bytes(void)
{
	count_own();
	return __atomic_load_n(&copied, __ATOMIC_RELAXED);
}

/* ---- what is frozen, and held ---- */

/*
 * Known by where it came from and as what; but those bytes may have changed
 * since, or be another object's, so what was frozen is compared before it
 * serves again.  A fork's child has the list, the descriptors and its own
 * count of holders.
 */
struct kn_frozen {
	struct kn_frozen *next;
	uint32_t holders;
	const void *from;
	size_t bytes;
	char name[KN_FROZEN_NAME];
	int fd;
	uint64_t device, inode;		/* fd's, as long as it is ours */
};

static struct kn_frozen *all;

static bool
alike(const struct kn_frozen *f, const struct kn_frozen *key)
{
	return f->from == key->from && f->bytes == key->bytes &&
	       strcmp(f->name, key->name) == 0;
}

/* The first such one, or the next one after another; it is held. */
static struct kn_frozen *
hold_next(const struct kn_frozen *after, const struct kn_frozen *key)
{
	struct kn_frozen *f;

	kn_self_lock();
	f = after != NULL ? after->next : all;
	while (f != NULL && !alike(f, key))
		f = f->next;
	if (f != NULL)
		f->holders++;
	kn_self_unlock();
	return f;
}

/* No, if that cannot be found out: then there will be another copy. */
static bool
still_same(const struct kn_frozen *f)
{
	void *at;
	bool same;

	if (!kn_os_is_file(f->fd, f->device, f->inode))
		return false;
	if (f->bytes == 0)
		return true;
	if (kn_os_map(f->fd, f->bytes, PROT_READ, MAP_SHARED, &at) < 0)
		return false;
	same = memcmp(at, f->from, f->bytes) == 0;
	kn_os_unmap(at, f->bytes);
	return same;
}

static struct kn_frozen *
find(const struct kn_frozen *key)
{
	struct kn_frozen *f, *next;

	f = hold_next(NULL, key);
	while (f != NULL && !still_same(f)) {
		next = hold_next(f, key);
		kn_frozen_drop(f);
		f = next;
	}
	return f;
}

static void
list(struct kn_frozen *f)
{
	kn_self_lock();
	f->next = all;
	all = f;
	kn_self_unlock();
}

/* Its descriptor may have been closed, and the number be another file's. */
static void
let_go(struct kn_frozen *f)
{
	int saved = errno;

	if (kn_os_is_file(f->fd, f->device, f->inode))
		kn_os_close(f->fd);
	free(f);
	errno = saved;
}

void
kn_frozen_hold(struct kn_frozen *f)
{
	kn_self_lock();
	f->holders++;
	kn_self_unlock();
}

void
kn_frozen_drop(struct kn_frozen *f)
{
	struct kn_frozen **at;
	bool last;

	if (f == NULL)
		return;
	kn_self_lock();
	last = --f->holders == 0;
	for (at = &all; last && *at != NULL; at = &(*at)->next)
		if (*at == f) {
			*at = f->next;
			break;
		}
	kn_self_unlock();
	if (last)
		let_go(f);
}

int
kn_frozen_fd(const struct kn_frozen *f)
{
	return f->fd;
}

/* ---- freezing ---- */

static int
write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = kn_os_write(fd, at, len);

		if (n <= 0)
			return n < 0 ? (int)n : -ENOSPC;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
write_trailer(const struct kn_frozen *f, int fd)
{
	struct kn_frozen_trailer trailer = {
		.magic = KN_FROZEN_MAGIC,
		.layout = KN_FROZEN_LAYOUT,
		.bytes = f->bytes,
	};
	struct kn_peer self;
	int r;

	kn_peer_self(&self);
	trailer.pid = self.pid;
	trailer.start = self.start;
	trailer.pid_namespace = self.pid_namespace;
	memcpy(trailer.name, f->name, sizeof(trailer.name));
	r = write_all(fd, (const char[8]){ 0 },
		      (size_t)kn_frozen_trailer_at(f->bytes) - f->bytes);
	return r < 0 ? r : write_all(fd, &trailer, sizeof(trailer));
}

/*
 * A memfd has no limit but the machine's, and asking for too much would wake
 * the kernel's killer: so the kernel is asked first what it has, and then for
 * all of it, before a byte is copied.
 */
static int
fill(const struct kn_frozen *f, int fd)
{
	uint64_t bytes = kn_frozen_trailer_at(f->bytes) +
			 sizeof(struct kn_frozen_trailer);
	uint64_t has = bytes < ASK_FIRST ? UINT64_MAX : kn_os_memory_free();
	int r = bytes < has ? kn_os_reserve(fd, bytes) : -ENOSPC;

	if (r < 0)
		return kn_fail(r == -EFBIG ? -ENOSPC : r, "no room to freeze "
			       "%zu bytes of '%s'", f->bytes, f->name);
	r = write_all(fd, f->from, f->bytes);
	if (r == 0)
		r = write_trailer(f, fd);
	if (r < 0)
		return kn_fail(r, "freezing %zu bytes of '%s'", f->bytes,
			       f->name);
	r = kn_os_seal(fd, KN_FROZEN_SEALS | F_SEAL_SEAL);
	return r < 0 ? kn_fail(r, "sealing '%s'", f->name) : 0;
}

/*
 * A description that only reads, for those who get it: before Linux 6.7 no
 * other can be mapped shared.  Without /proc there is none.
 */
static int
open_to_read(struct kn_frozen *f, int fd)
{
	struct stat st;
	int r;

	r = kn_os_reopen(fd, O_RDONLY);
	f->fd = r >= 0 ? r : kn_os_dup(fd);
	if (f->fd < 0)
		return kn_fail(f->fd, "a descriptor of '%s'", f->name);
	r = kn_os_stat(f->fd, &st);
	if (r < 0) {
		kn_os_close(f->fd);
		return kn_fail(r, "frozen '%s'", f->name);
	}
	f->device = st.st_dev;
	f->inode = st.st_ino;
	return 0;
}

static int
freeze(struct kn_frozen **ret, const struct kn_frozen *key)
{
	char name[KN_FROZEN_NAME + 16];
	struct kn_frozen *f;
	int fd, r;

	f = malloc(sizeof(*f));
	if (f == NULL)
		return kn_fail(-ENOMEM, "freezing '%s'", key->name);
	*f = *key;
	f->holders = 1;
	snprintf(name, sizeof(name), "kin:frozen:%s", f->name);
	r = fd = kn_os_memfd(name);
	if (r < 0)
		kn_fail(r, "memory for frozen '%s'", f->name);
	else
		r = fill(f, fd);
	if (r >= 0)
		r = open_to_read(f, fd);
	kn_os_close(fd);
	if (r < 0) {
		free(f);
		return r;
	}
	list(f);
	kn_copied(f->bytes);
	*ret = f;
	return 0;
}

/*
 * Two threads that freeze the same for the first time, at the same time, may
 * make two copies: neither holds up the other.
 */
int
kn_freeze(struct kn_frozen **ret, const void *p, size_t n, const char *name)
{
	struct kn_frozen key = { .from = p, .bytes = n };

	/* KIN_RO(&config, ...) freezes config. */
	if (name != NULL)
		name += *name == '&';
	snprintf(key.name, sizeof(key.name), "%s",
		 name != NULL ? name : "data");
	if (p == NULL && n != 0)
		return kn_fail(-EINVAL, "'%s' is %zu bytes at no address",
			       key.name, n);
	if (n > BYTES_MAX)
		return kn_fail(-EINVAL, "'%s' is %zu bytes; %llu at most",
			       key.name, n, BYTES_MAX);
	*ret = find(&key);
	return *ret != NULL ? 0 : freeze(ret, &key);
}

/* ---- mapping what came ---- */

static int
check_file(int fd, uint64_t bytes)
{
	struct stat st;
	int r;

	r = kn_os_seals(fd);
	if (r < 0 && r != -EINVAL)	/* it is no memfd */
		return kn_fail(r, "read-only data");
	if (r < 0 || (r & KN_FROZEN_SEALS) != KN_FROZEN_SEALS)
		return kn_fail(-EACCES, "read-only data that its sender could "
			       "still change");
	r = kn_os_stat(fd, &st);
	if (r < 0)
		return kn_fail(r, "read-only data");
	if (bytes > BYTES_MAX || (uint64_t)st.st_size !=
	    kn_frozen_trailer_at(bytes) + sizeof(struct kn_frozen_trailer))
		return kn_fail(-EPROTO, "read-only data of %" PRIu64 " bytes "
			       "in a file of %jd", bytes,
			       (intmax_t)st.st_size);
	return 0;
}

/* The seals hold for these bytes too: they are read once, and right. */
static int
read_trailer(int fd, uint64_t bytes, struct kn_frozen_trailer *ret)
{
	ssize_t n;

	n = kn_os_read_at(fd, ret, sizeof(*ret), kn_frozen_trailer_at(bytes));
	if (n < 0)
		return kn_fail((int)n, "read-only data");
	if (n != sizeof(*ret) || ret->magic != KN_FROZEN_MAGIC)
		return kn_fail(-EPROTO, "sealed memory that is no frozen data");
	if (ret->layout != KN_FROZEN_LAYOUT)
		return kn_fail(-EPROTONOSUPPORT, "frozen data of layout %u, "
			       "this library speaks %u", ret->layout,
			       KN_FROZEN_LAYOUT);
	if (ret->bytes != bytes || ret->name[KN_FROZEN_NAME - 1] != '\0')
		return kn_fail(-EPROTO, "frozen data that contradicts itself");
	return 0;
}

/* The name goes to somebody's terminal one day. */
static void
by_whom(struct kn_frozen_by *ret, const struct kn_frozen_trailer *trailer)
{
	struct kn_peer self;
	char *p;

	kn_peer_self(&self);
	ret->pid = trailer->pid;
	ret->elsewhere = self.pid_namespace != 0 &&
			 trailer->pid_namespace != 0 &&
			 self.pid_namespace != trailer->pid_namespace;
	memcpy(ret->name, trailer->name, sizeof(ret->name));
	for (p = ret->name; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

int
kn_readonly_map(const void **ret, int fd, uint64_t bytes)
{
	struct kn_frozen_trailer trailer;
	struct kn_frozen_by by;
	void *at;
	size_t all_bytes;
	int r;

	r = check_file(fd, bytes);
	if (r == 0)
		r = read_trailer(fd, bytes, &trailer);
	if (r < 0)
		return r;
	by_whom(&by, &trailer);
	/* With the trailer, so that there is an address for no bytes too. */
	all_bytes = (size_t)kn_frozen_trailer_at(bytes) + sizeof(trailer);
	all_bytes = (all_bytes + KN_PAGE - 1) & ~(size_t)(KN_PAGE - 1);
	r = kn_os_map(fd, all_bytes, PROT_READ, MAP_SHARED, &at);
	/* See open_to_read: this one has not only the right to read. */
	if (r == -EPERM)
		r = kn_os_map(fd, all_bytes, PROT_READ, MAP_PRIVATE, &at);
	if (r < 0)
		return kn_fail(r, "mapping %" PRIu64 " bytes of frozen '%s'",
			       bytes, by.name);
	r = kn_trap_watch(at, all_bytes, &by);
	if (r < 0) {
		kn_os_unmap(at, all_bytes);
		return r;
	}
	*ret = at;
	return 0;
}

void
kin_readonly_release(const void *data)
{
	int saved = errno;
	size_t bytes;

	if (data == NULL)
		return;
	bytes = kn_trap_forget(data);
	kn_assert(bytes != 0);		/* it is read-only data, not yet let go */
	kn_os_unmap((void *)(uintptr_t)data, bytes);
	errno = saved;
}
