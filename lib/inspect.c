/* SPDX-License-Identifier: MIT */
/*
 * inspect.c - find the segments of this machine: the names, and /proc
 *
 *      names   ──▶ file ─────────┐
 *      PID/fd  ──▶ link ──▶ file ┼──▶ picture: segments, holders, facts
 *      PID/maps ─▶ line ─────────┘
 *
 * Most descriptors are not ours, so a link is read before anything is opened;
 * and since it may mean another file a moment later, what is opened is first
 * only a place (O_PATH): nothing blocks, and no device notices.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/kinds.h"
#include "lib/picture.h"
#include "shm/error.h"
#include "shm/maps.h"
#include "shm/names.h"
#include "shm/os.h"

#define MEMFD		"/memfd:kin:"
#define FROZEN		"/memfd:kin:frozen:"	/* read-only data: no segment */
#define KERNEL_THREAD	0x00200000u	/* PF_KTHREAD, in /proc/PID/stat */

struct walk {
	kin_inspection *all;
	char names[PATH_MAX];		/* their directory, with a slash */
	pid_t pid;			/* whose entries are looked at */
	char command[16];
	bool unread;			/* it maps what could not be read yet */
};

/* What ends the walk; all else is somebody who went, or a closed door. */
static int
grave(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM ? r : 0;
}

static bool
begins(const char *text, const char *with)
{
	return with[0] != '\0' && strncmp(text, with, strlen(with)) == 0;
}

/* May the file that a link or a mapping names so be ours? */
static bool
candidate(const struct walk *walk, const char *path)
{
	if (begins(path, MEMFD))
		return !begins(path, FROZEN);
	return begins(path, walk->names) || begins(path, KN_NAMES_DEFAULT);
}

/* Each entry of the directory behind dir, which is closed. */
typedef int entry_fn(struct walk *walk, int dir, const char *name);

static int
each_entry(struct walk *walk, int dir, entry_fn *fn)
{
	struct dirent *entry;
	DIR *stream;
	int r = 0;

	stream = fdopendir(dir);
	if (stream == NULL) {
		r = -errno;
		kn_os_close(dir);
		return grave(r);
	}
	while (r == 0 && (entry = readdir(stream)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			r = fn(walk, dir, entry->d_name);
	closedir(stream);
	return r;
}

/* ---- a file that may be a segment ---- */

/* "/memfd:kin:queue:jobs (deleted)" is called jobs, whatever it holds. */
static void
label_of_link(struct kin_seen_segment *seg, const char *link)
{
	static const char deleted[] = " (deleted)";
	char text[sizeof(seg->label)];
	const char *label, *colon;
	size_t len;

	if (!begins(link, MEMFD) || seg->label[0] != '\0')
		return;
	label = link + strlen(MEMFD);
	colon = strchr(label, ':');
	if (colon != NULL)
		label = colon + 1;
	len = strlen(label);
	if (len >= strlen(deleted) &&
	    strcmp(label + len - strlen(deleted), deleted) == 0)
		len -= strlen(deleted);
	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, label, len);
	text[len] = '\0';
	kn_picture_text(seg->label, sizeof(seg->label), text);
}

static int
read_header(int fd, const struct stat *st, struct kn_header *ret)
{
	ssize_t n;

	memset(ret, 0, sizeof(*ret));
	n = kn_os_read_at(fd, ret, sizeof(*ret), 0);
	if (n < 0)
		return kn_fail((int)n, "cannot be read");
	if (ret->magic == 0)
		return kn_fail(-EPROTO, "not a kin segment, or not yet");
	if ((size_t)n < sizeof(*ret))
		return kn_fail(-EPROTO, "%zd bytes are no kin segment", n);
	return kn_header_check(ret, (uint64_t)st->st_size);
}

/* What the header says, as far as it can be understood. */
static void
describe(struct kin_seen_segment *seg, const struct kn_header *header)
{
	const struct kn_kind_entry *entry;

	kn_picture_text(seg->label, sizeof(seg->label), header->label);
	if (header->layout != KN_SEGMENT_LAYOUT)
		return;
	seg->creator = (pid_t)header->creator_pid;
	entry = kn_kind_find(header->kind);
	if (entry != NULL)
		snprintf(seg->kind, sizeof(seg->kind), "%s",
			 entry->kind->name);
}

static int
read_segment(struct kn_seen *seen, int fd, const struct stat *st)
{
	struct kn_listener to = { kn_picture_tell, seen, 0 };
	struct kin_seen_segment *seg = &seen->seg;
	struct kn_header header;
	int r, seals;

	seen->read = true;
	seg->bytes = (uint64_t)st->st_size;
	seg->uid = st->st_uid;
	seals = kn_os_seals(fd);
	if (seals >= 0 && (seals & F_SEAL_SHRINK))
		seg->flags |= KIN_SEEN_SEALED;

	r = read_header(fd, st, &header);
	if (header.magic == KN_SEGMENT_MAGIC) {
		seen->ours = true;
		describe(seg, &header);
	}
	if (r < 0) {
		kn_picture_trouble(seen, kin_errmsg());
		return 0;
	}
	if (!(header.flags & KN_HEADER_GROWABLE))
		seg->bytes = header.bytes;
	kn_kind_facts(fd, &header, &to);
	return to.r;
}

/*
 * The file at place, an O_PATH descriptor.  It is read the first time only;
 * *ret_seen is NULL if it is nothing that could be a segment.
 */
static int
meet(struct walk *walk, int place, struct kn_seen **ret_seen)
{
	struct kn_seen *seen;
	struct stat st;
	int fd, r;

	*ret_seen = NULL;
	if (kn_os_stat(place, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	r = kn_picture_find(walk->all, st.st_dev, st.st_ino, &seen);
	if (r < 0)
		return r;
	*ret_seen = seen;
	if (seen->read)
		return 0;
	fd = kn_os_reopen(place, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return grave(fd);
	r = read_segment(seen, fd, &st);
	kn_os_close(fd);
	return r;
}

/* ---- the directory of names ---- */

/*
 * In there everything is shown: what does not belong there, too.  But no name
 * of a segment begins with a dot; those are of sockets on which servers listen.
 */
static int
name_entry(struct walk *walk, int dir, const char *name)
{
	struct kn_seen *seen;
	struct stat st;
	int place, r;

	if (name[0] == '.')
		return 0;
	place = kn_os_open_at(dir, name, O_PATH | O_NOFOLLOW, 0);
	if (place < 0)
		return grave(place);
	r = kn_os_stat(place, &st);
	if (r < 0) {
		kn_os_close(place);
		return 0;
	}
	r = meet(walk, place, &seen);
	kn_os_close(place);
	if (r == 0 && seen == NULL) {
		r = kn_picture_find(walk->all, st.st_dev, st.st_ino, &seen);
		if (r == 0) {
			seen->read = true;
			seen->seg.uid = st.st_uid;
			kn_picture_trouble(seen, "is no regular file");
		}
	}
	if (r < 0)
		return r;
	seen->ours = true;
	seen->seg.flags |= KIN_SEEN_NAMED;
	if (seen->seg.name[0] == '\0')
		kn_picture_text(seen->seg.name, sizeof(seen->seg.name), name);
	if (S_ISREG(st.st_mode) && st.st_nlink > 1)
		kn_picture_trouble(seen, "a link: the file has other names");
	return 0;
}

/* Links show the path as the kernel has it, KIN_DIR as somebody wrote it. */
static int
walk_names(struct walk *walk)
{
	char link[32], *path = walk->names;
	size_t cap = sizeof(walk->names) - 1;
	int dir;

	dir = kn_names_dir(false);
	snprintf(link, sizeof(link), "/proc/thread-self/fd/%d", dir);
	if ((dir < 0 || kn_os_read_link_at(AT_FDCWD, link, path, cap) < 0) &&
	    kn_names_path(path, cap) < 0)
		path[0] = '\0';
	if (path[0] != '\0')
		strcat(path, "/");
	return dir < 0 ? grave(dir) : each_entry(walk, dir, name_entry);
}

/* ---- one process ---- */

/* One of PID/fd or PID/map_files. */
static int
follow(struct walk *walk, int dir, const char *name, struct kn_seen **ret_seen)
{
	char link[PATH_MAX];
	int place, r;

	*ret_seen = NULL;
	if (kn_os_read_link_at(dir, name, link, sizeof(link)) < 0 ||
	    !candidate(walk, link))
		return 0;
	place = kn_os_open_at(dir, name, O_PATH, 0);
	if (place < 0)
		return grave(place);
	r = meet(walk, place, ret_seen);
	kn_os_close(place);
	if (*ret_seen != NULL && begins(link, MEMFD)) {
		(*ret_seen)->ours = true;
		label_of_link(&(*ret_seen)->seg, link);
	}
	return r;
}

static int
descriptor_entry(struct walk *walk, int dir, const char *name)
{
	struct kin_seen_holder *holder;
	struct kn_seen *seen;
	int r;

	r = follow(walk, dir, name, &seen);
	if (r < 0 || seen == NULL)
		return r;
	r = kn_picture_hold(seen, walk->pid, walk->command, &holder);
	if (r == 0)
		holder->descriptors++;
	return r;
}

static int
mapping_entry(struct walk *walk, int dir, const char *name)
{
	struct kn_seen *seen;

	return follow(walk, dir, name, &seen);
}

/* A process maps a segment by several pages or by one: it holds it once. */
static int
mapped(struct walk *walk, const struct kn_mapping *mapping)
{
	struct kin_seen_holder *holder;
	struct kn_seen *seen;
	int r;

	if (!candidate(walk, mapping->path))
		return 0;
	r = kn_picture_find(walk->all, mapping->device, mapping->inode, &seen);
	if (r < 0)
		return r;
	if (!seen->read) {
		walk->unread = true;
		label_of_link(&seen->seg, mapping->path);
	}
	r = kn_picture_hold(seen, walk->pid, walk->command, &holder);
	if (r == 0)
		holder->mapped = 1;
	return r;
}

static int
walk_maps(struct walk *walk)
{
	struct kn_mapping mapping;
	struct kn_maps maps;
	int r;

	r = kn_maps_open(&maps, walk->pid);
	if (r < 0)
		return grave(r);
	while (r == 0 && kn_maps_next(&maps, &mapping) > 0)
		r = mapped(walk, &mapping);
	kn_maps_close(&maps);
	return r;
}

static int
walk_directory(struct walk *walk, const char *which, entry_fn *fn)
{
	char path[48];
	int dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)walk->pid, which);
	dir = kn_os_open(path, O_RDONLY | O_DIRECTORY, 0);
	return dir < 0 ? dir : each_entry(walk, dir, fn);
}

/* Kernel threads and the dead let nobody look, and have nothing to show. */
static bool
has_something(pid_t pid)
{
	char path[32], text[1024], state;
	const char *p;
	unsigned flags;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (kn_os_read_file(path, text, sizeof(text)) < 0)
		return false;
	p = strrchr(text, ')');
	if (p == NULL ||
	    sscanf(p + 1, " %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return true;
	return state != 'Z' && state != 'X' && !(flags & KERNEL_THREAD);
}

static void
read_command(struct walk *walk)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)walk->pid);
	if (kn_os_read_file(path, walk->command, sizeof(walk->command)) < 0)
		walk->command[0] = '\0';
	walk->command[strcspn(walk->command, "\n")] = '\0';
}

static int
process_entry(struct walk *walk, int dir, const char *name)
{
	int r;

	(void)dir;
	if (name[strspn(name, "0123456789")] != '\0')
		return 0;
	walk->pid = (pid_t)strtol(name, NULL, 10);
	walk->unread = false;
	read_command(walk);
	r = walk_directory(walk, "fd", descriptor_entry);
	if (r == -EACCES || r == -EPERM)
		walk->all->hidden += has_something(walk->pid);
	if (r < 0)
		return grave(r);
	r = walk_maps(walk);
	if (r < 0 || !walk->unread)
		return r;
	/* Only the mighty may follow these. */
	return grave(walk_directory(walk, "map_files", mapping_entry));
}

/* ---- all of it ---- */

static int
walk_processes(struct walk *walk)
{
	struct stat st;
	int dir;

	if (kn_os_stat_path("/proc/self/fd", &st) < 0)
		return -ENOENT;
	dir = kn_os_open("/proc", O_RDONLY | O_DIRECTORY, 0);
	return dir < 0 ? dir : each_entry(walk, dir, process_entry);
}

/* What nobody let us open is shown for its holders' sake. */
static void
mark_unread(kin_inspection *all)
{
	size_t i;

	for (i = 0; i < all->seen_n; i++) {
		if (all->seen[i]->read)
			continue;
		all->seen[i]->ours = true;
		kn_picture_trouble(all->seen[i], "cannot be opened");
	}
}

static int
take(kin_inspection *all)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	int r;

	if (walk == NULL)
		return -ENOMEM;
	walk->all = all;
	r = walk_names(walk);
	if (r == 0)
		r = walk_processes(walk);
	free(walk);
	return r;
}

/* Rubbish on the way sets this thread's sentence; success must not. */
int
kin_inspect(kin_inspection **ret_all)
{
	kin_inspection *all;
	struct kn_sentence sentence;
	int r;

	kn_assert(ret_all != NULL);
	kn_sentence_save(&sentence);
	all = calloc(1, sizeof(*all));
	r = all != NULL ? take(all) : -ENOMEM;
	if (r < 0) {
		kin_inspect_free(all);
		return kn_fail(r, "inspection: %s", r == -ENOENT ?
			       "there is no /proc here" : "looking at /proc");
	}
	mark_unread(all);
	kn_picture_finish(all);
	kn_sentence_restore(&sentence);
	*ret_all = all;
	return 0;
}
