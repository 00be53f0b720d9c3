/* SPDX-License-Identifier: MIT */
/*
 * hand.c - what is handed to a child that has none of its parent's memory
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/entry.h"
#include "lib/hand.h"
#include "lib/image.h"
#include "lib/load.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/os_pass.h"
#include "shm/os_spawn.h"

#define LAYOUT		1u
#define WORLD		4u		/* bits: directory, 0, 1, 2 */

#define STREAMS		3u		/* that it may be made with */

static const char magic[8] = "\x89kihand\n";

struct head {
	char magic[8];
	uint32_t layout;
	uint32_t entry, library;
	uint32_t world, nargs, nstreams;
	uint32_t child;
	uint32_t id_len;
	unsigned char id[KN_ID_MOST];
	char name[16];
	uint64_t args;
};

_Static_assert(sizeof(struct head) == 96, "as hand.h has it");
_Static_assert(KN_PASS_MAX >= 3 + WORLD + STREAMS + KIN_VALUES_FDS,
	       "one message has all descriptors");

/* ---- the parent ---- */

static int
make_slip(kin_process *p)
{
	void *slip;
	int fd, r;

	fd = kn_os_memfd("kin-process");
	if (fd < 0)
		return kn_fail(fd, "process '%s': a page", p->name);
	r = kn_os_reserve(fd, KN_SLIP_BYTES);
	/* A child that made it shorter would take us along. */
	if (r == 0)
		r = kn_os_seal(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	if (r == 0)
		r = kn_os_map(fd, KN_SLIP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			      &slip);
	if (r < 0) {
		kn_os_close(fd);
		return kn_fail(r, "process '%s': a page", p->name);
	}
	(void)kn_os_advise(slip, KN_SLIP_BYTES, MADV_DONTFORK);
	p->slip = slip;
	return fd;
}

static int
write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;
	ssize_t n;

	for (; len > 0; at += n, len -= (size_t)n) {
		n = kn_os_write(fd, at, len);
		if (n <= 0)
			return n < 0 ? (int)n : -ENOSPC;
	}
	return 0;
}

/* What it says, in pieces that are written one after the other. */
struct piece {
	const void *at;
	size_t len;
};
#define PIECES	5u

/* The hand-over's memfd, or -1: it lies in the slip. */
static int
store(struct kn_slip *slip, const struct piece *pieces)
{
	size_t len = 0, i;
	unsigned char *at = slip->bytes;
	int fd, r = 0;

	for (i = 0; i < PIECES; i++)
		len += pieces[i].len;
	if (len <= KN_SLIP_ROOM) {
		for (i = 0; i < PIECES; at += pieces[i++].len)
			if (pieces[i].len > 0)
				memcpy(at, pieces[i].at, pieces[i].len);
		kn_store(&slip->len, (uint32_t)len);
		return -1;
	}
	fd = kn_os_memfd("kin-arguments");
	if (fd < 0)
		return fd;
	for (i = 0; i < PIECES && r == 0; i++)
		r = write_all(fd, pieces[i].at, pieces[i].len);
	if (r == 0)
		return fd;
	kn_os_close(fd);
	return r == -1 ? -EIO : r;
}

/* Absolute, since the child may begin elsewhere. */
static const char *
whole_path(const char *path, char *buf)
{
	if (strchr(path, '/') == NULL || path[0] == '/')
		return path;
	return realpath(path, buf) != NULL ? buf : path;
}

static int
refuse_stranger(const kin_process *p, const struct kn_start *how)
{
	const char *symbol = kn_image_symbol((const void *)(uintptr_t)how->fn);

	if (symbol != NULL)
		return kn_fail(-EINVAL, "process '%s': %s is no KIN_ENTRY, and "
			       "only a fork has a function without",
			       p->name, symbol);
	return kn_fail(-EINVAL, "process '%s': its function is no KIN_ENTRY, "
		       "and only a fork has a function without", p->name);
}

/* Fill in head and pieces, and leave the hand-over in slip or file. */
static int
write_hand(kin_process *p, const struct kn_start *how, uint32_t world)
{
	const struct kin_entry *entry = kn_entry_of(how->fn);
	struct head head = { .layout = LAYOUT, .world = world };
	char buf[PATH_MAX];
	struct kn_image image;
	const char *path;
	int r;

	if (entry == NULL)
		return refuse_stranger(p, how);
	r = kn_image_of(entry, &image);
	if (r < 0)
		return kn_fail(r, "process '%s': the image of entry '%s'",
			       p->name, entry->name);
	path = whole_path(image.path, buf);
	memcpy(head.magic, magic, sizeof(magic));
	head.entry = (uint32_t)strlen(entry->name) + 1;
	head.library = (uint32_t)strlen(path) + 1;
	head.nargs = how->args->nfds;
	if (how->child != NULL) {
		head.child = how->child->bytes;
		head.nstreams = (uint32_t)__builtin_popcount(
		    how->child->streams);
	}
	head.id_len = image.id.len;
	memcpy(head.id, image.id.bytes, sizeof(head.id));
	memcpy(head.name, p->name, sizeof(head.name));
	head.args = how->args->len;
	r = store(p->slip, (const struct piece[PIECES]){
		{ &head, sizeof(head) },
		{ entry->name, head.entry },
		{ path, head.library },
		{ how->child, head.child },
		{ how->args->bytes, how->args->len },
	});
	return r < -1 ? kn_fail(r, "process '%s': %zu bytes of arguments",
				p->name, how->args->len) : r;
}

/* The caller's directory and standard streams, as far as they are open. */
struct world {
	uint32_t bits;
	int fds[WORLD];
	unsigned n;
};

static int
look_around(struct world *w)
{
	int i, r;

	r = kn_os_open(".", O_PATH | O_DIRECTORY, 0);
	if (r < 0)
		return kn_fail(r, "the working directory");
	w->bits = 1;
	w->fds[w->n++] = r;
	for (i = 0; i < 3; i++)
		if (kn_os_is_open(i)) {
			w->bits |= 2u << i;
			w->fds[w->n++] = i;
		}
	return 0;
}

static int
pass(kin_process *p, const struct kn_start *how, const struct kn_ends *ends,
     int slip, int file, const struct world *world)
{
	int fds[KN_PASS_MAX], i, r;
	unsigned n = 0;

	fds[n++] = slip;
	fds[n++] = ends->lifeline;
	if (file >= 0)
		fds[n++] = file;
	memcpy(fds + n, world->fds, world->n * sizeof(int));
	n += world->n;
	if (how->child != NULL)
		for (i = 0; i < __builtin_popcount(how->child->streams); i++)
			fds[n++] = how->streams[i];
	if (how->args->nfds > 0)
		memcpy(fds + n, how->args->fds, how->args->nfds * sizeof(int));
	n += how->args->nfds;
	r = kn_os_pass(p->line, fds, n);
	return r < 0 ? kn_fail(r, "process '%s': its descriptors", p->name) : 0;
}

static int
give(kin_process *p, const struct kn_start *how, const struct kn_ends *ends,
     int slip, bool as_here)
{
	struct world world = { .n = 0 };
	int file, r = 0;

	if (as_here)
		r = look_around(&world);
	if (r < 0)
		return r;
	file = write_hand(p, how, world.bits);
	r = file < -1 ? file : pass(p, how, ends, slip, file, &world);
	kn_os_close(file);
	if (world.n > 0)
		kn_os_close(world.fds[0]);
	return r;
}

int
kn_hand_give(kin_process *p, const struct kn_start *how,
	     const struct kn_ends *ends, bool as_here)
{
	int slip, r;

	slip = make_slip(p);
	if (slip < 0)
		return slip;
	r = give(p, how, ends, slip, as_here);
	kn_os_close(slip);
	return r;
}

/* ---- the child ---- */

/* Nothing is known of a parent that could be told. */
static void __attribute__((noreturn, format(printf, 1, 2)))
die(const char *format, ...)
{
	char text[160];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > (int)sizeof(text) - 1)
		n = (int)sizeof(text) - 1;
	kn_os_complain(text, (size_t)n);
	_exit(255);
}

struct hand {
	struct kn_ends ends;
	struct kn_slip *slip;
	int fds[KN_PASS_MAX];
	unsigned nfds, at;		/* of them, so many are used */
	struct head head;
	unsigned char *bytes;		/* of malloc; of it all */
	size_t len;
};

static int
read_file(struct hand *h, int file)
{
	struct stat st;
	size_t at = 0;
	ssize_t n;
	int r = kn_os_stat(file, &st);

	if (r < 0)
		return r;
	h->len = (size_t)st.st_size;
	h->bytes = malloc(h->len + 1);
	if (h->bytes == NULL)
		return -ENOMEM;
	for (; at < h->len; at += (size_t)n) {
		n = kn_os_read_at(file, h->bytes + at, h->len - at, at);
		if (n <= 0)
			return n < 0 ? (int)n : -EPROTO;
	}
	return 0;
}

static int
read_slip(struct hand *h, size_t len)
{
	if (len > KN_SLIP_ROOM)
		return -EPROTO;
	h->len = len;
	h->bytes = malloc(len + 1);
	if (h->bytes == NULL)
		return -ENOMEM;
	memcpy(h->bytes, h->slip->bytes, len);
	return 0;
}

/* The descriptors are those of the one message; what they are is checked. */
static int
receive(struct hand *h, int line)
{
	void *slip;
	size_t len;
	int r;

	r = kn_os_pass_take(line, h->fds, KN_PASS_MAX);
	if (r < 0)
		return r;
	h->nfds = (unsigned)r;
	if (h->nfds < 2)
		return -EPROTO;
	h->ends.line = line;
	h->ends.lifeline = h->fds[1];
	r = kn_os_map(h->fds[0], KN_SLIP_BYTES, PROT_READ | PROT_WRITE,
		      MAP_SHARED, &slip);
	kn_os_close(h->fds[0]);
	if (r < 0)
		return r;
	(void)kn_os_advise(slip, KN_SLIP_BYTES, MADV_DONTFORK);
	h->slip = slip;
	h->at = 2;
	len = kn_load(&h->slip->len);
	if (len > 0)
		return read_slip(h, len);
	if (h->nfds < 3)
		return -EPROTO;
	r = read_file(h, h->fds[h->at]);
	kn_os_close(h->fds[h->at++]);
	return r;
}

/* Its pieces are there, and its texts have an end. */
static int
check(struct hand *h)
{
	const struct head *head = &h->head;
	uint64_t texts;
	unsigned nworld;

	if (h->len < sizeof(*head))
		return -EPROTO;
	memcpy(&h->head, h->bytes, sizeof(*head));
	if (memcmp(head->magic, magic, sizeof(magic)) != 0)
		return -EPROTO;
	if (head->layout != LAYOUT)
		return -EPROTONOSUPPORT;
	texts = sizeof(*head) + (uint64_t)head->entry + head->library;
	if (head->entry == 0 || head->library == 0 ||
	    texts + head->child > h->len ||
	    head->args != h->len - texts - head->child || head->id_len > KN_ID_MOST ||
	    head->world >= 1u << WORLD ||
	    (head->world & 1) != (head->world != 0) || head->nargs > KIN_VALUES_FDS ||
	    head->nstreams > STREAMS)
		return -EPROTO;
	nworld = (unsigned)__builtin_popcount(head->world);
	if (nworld + head->nstreams + head->nargs != h->nfds - h->at)
		return -EPROTO;
	if (h->bytes[sizeof(*head) + head->entry - 1] != '\0' ||
	    h->bytes[texts - 1] != '\0' || head->name[15] != '\0')
		return -EPROTO;
	return 0;
}

/* Where the caller is, and what it reads from and prints to. */
static int
enter_world(struct hand *h)
{
	int i, fd, r;

	if (h->head.world == 0)
		return 0;
	fd = h->fds[h->at++];
	r = kn_os_enter_directory(fd);
	kn_os_close(fd);
	for (i = 0; i < 3 && r >= 0; i++) {
		if ((h->head.world & 2u << i) == 0) {
			kn_os_close(i);
			continue;
		}
		fd = h->fds[h->at++];
		r = kn_os_put(fd, i);
		kn_os_close(fd);
	}
	return r < 0 ? kn_fail(r, "directory and standard streams") : 0;
}

static int
find_entry(const struct hand *h, struct kn_start *how)
{
	const char *name = (const char *)h->bytes + sizeof(h->head);
	const char *library = name + h->head.entry;
	const struct kin_entry *entry = kn_entry_named(name);
	struct kn_id id = { .len = h->head.id_len };
	struct kn_image image;
	int r;

	memcpy(id.bytes, h->head.id, sizeof(id.bytes));
	if (entry == NULL && library[0] != '\0') {
		r = kn_library_load(library);
		if (r < 0)
			return r;
		entry = kn_entry_named(name);
	}
	if (entry == NULL)
		return kn_fail(-ENOENT, "entry '%s' is in no image that is "
			       "loaded here", name);
	r = kn_image_of(entry, &image);
	if (r < 0)
		return kn_fail(r, "the image of entry '%s'", name);
	if (!kn_id_equal(&image.id, &id))
		return kn_fail(-ESTALE, "entry '%s' is in another build of %s "
			       "than it was started from", name,
			       library[0] != '\0' ? library : "the program");
	how->fn = entry->fn;
	return 0;
}

/* What it is made with; a copy, since it is to be aligned. */
static int
take_child(struct hand *h, struct kn_start *how)
{
	const unsigned char *from = h->bytes + sizeof(h->head) +
				    h->head.entry + h->head.library;
	struct kn_child *child;
	unsigned i;

	if (h->head.child == 0)
		return 0;
	child = malloc(h->head.child);
	if (child == NULL)
		return kn_fail(-ENOMEM, "what it is made with");
	memcpy(child, from, h->head.child);
	if (!kn_child_is_sound(child, h->head.child) ||
	    (unsigned)__builtin_popcount(child->streams) != h->head.nstreams) {
		free(child);
		return kn_fail(-EPROTO, "what it is made with");
	}
	for (i = 0; i < h->head.nstreams; i++)
		how->streams[i] = h->fds[h->at++];
	how->child = child;
	return 0;
}

/* What is left of the hand-over: the arguments, as if they were a fork's. */
static int
move_args(struct hand *h, struct kn_bundle *args)
{
	size_t skip = h->len - h->head.args;

	memmove(h->bytes, h->bytes + skip, h->head.args);
	args->bytes = h->bytes;
	args->len = args->cap = h->head.args;
	args->nfds = h->head.nargs;
	if (args->nfds == 0)
		return 0;
	args->fds = malloc(args->nfds * sizeof(int));
	if (args->fds == NULL)
		return kn_fail(-ENOMEM, "descriptors of the arguments");
	memcpy(args->fds, h->fds + h->at, args->nfds * sizeof(int));
	return 0;
}

void
kn_hand_take(int line)
{
	struct kn_bundle args = { 0 };
	struct kn_start how = { .args = &args };
	struct hand h = { .nfds = 0 };
	int r;

	r = receive(&h, line);
	if (r == 0)
		r = check(&h);
	if (r < 0)
		die("kin: " KN_HANDED "%d is for processes that kin starts: "
		    "%s\n", line, kin_strerror(r));
	r = enter_world(&h);
	if (r == 0)
		r = take_child(&h, &how);
	if (r == 0)
		r = find_entry(&h, &how);
	if (r == 0)
		r = move_args(&h, &args);
	how.refused = r;
	kn_start_run(&how, h.head.name, &h.ends, h.slip);
}
