/* SPDX-License-Identifier: MIT */
/*
 * words.c - texts, and how often each word stands in them
 */
#define _GNU_SOURCE 1

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "words.h"

/* Descriptors that a walk may hold open at once. */
#define WALK_FDS	32

/* FNV-1a. */
#define HASH_BASIS	2166136261u
#define HASH_PRIME	16777619u

/* An array that grows: room for need elements, or NULL and old is as it was. */
static void *
grown(void *old, size_t *cap, size_t need, size_t element_bytes)
{
	size_t want = *cap < 16 ? 16 : *cap;
	void *new;

	if (old != NULL && need <= *cap)
		return old;

	while (want < need)
		want *= 2;
	new = reallocarray(old, want, element_bytes);
	if (new != NULL)
		*cap = want;
	return new;
}

/* Files */

/* Its first bytes, at most len: how many could be read. */
static size_t
read_file(const char *path, char *bytes, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t got = 0;
	ssize_t n = fd;

	while (n >= 0 && got < len) {
		n = read(fd, bytes + got, len - got);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			break;
		got += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	return got;
}

static bool
is_text(const char *path, size_t len)
{
	char probe[TEXT_PROBE];
	size_t n;

	if (len == 0)
		return true;
	n = read_file(path, probe, len < TEXT_PROBE ? len : TEXT_PROBE);
	return n > 0 && memchr(probe, 0, n) == NULL;
}

/* nftw hands nothing through to its callback. */
static struct files *walk_files;

static int
walk_file(const char *path, const struct stat *st, int what, struct FTW *where)
{
	struct files *files = walk_files;
	size_t len = (size_t)st->st_size;
	struct file *list;
	char *copy;

	(void)where;
	if (what == FTW_DNR || what == FTW_NS)
		fprintf(stderr, "cannot look into %s\n", path);
	if (what != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	if (!is_text(path, len)) {
		files->skipped++;
		return 0;
	}

	list = grown(files->list, &files->cap, files->len + 1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	files->list = list;
	copy = strdup(path);
	if (copy == NULL)
		return -ENOMEM;
	list[files->len++] = (struct file){
		.path = copy,
		.at = files->bytes,
		.len = len,
	};
	files->bytes += len + 1;
	return 0;
}

int
files_find(struct files *files, const char *path)
{
	int r;

	walk_files = files;
	r = nftw(path, walk_file, WALK_FDS, FTW_PHYS);
	walk_files = NULL;
	return r == -1 ? -errno : r;
}

/* One that has become shorter leaves a gap of zero bytes, which is no word. */
void
files_load(struct files *files, char *room)
{
	for (size_t i = 0; i < files->len; i++) {
		const struct file *file = &files->list[i];

		(void)read_file(file->path, room + file->at, file->len);
	}
}

void
files_free(struct files *files)
{
	for (size_t i = 0; i < files->len; i++)
		free(files->list[i].path);
	free(files->list);
	*files = (struct files){ 0 };
}

/* Words */

/*
 * The slot of that word, or the free one where it would be.  At most half of
 * the slots are taken: a search is short, and ends.
 */
static uint32_t *
slot_of(const struct words *words, const char *letters, size_t len,
	uint32_t hash)
{
	size_t mask = words->slots_len - 1;
	size_t s;

	for (s = hash & mask; words->slots[s] != 0; s = (s + 1) & mask) {
		const struct word *word = &words->list[words->slots[s] - 1];

		if (word->hash == hash && word->len == len &&
		    memcmp(words->letters + word->at, letters, len) == 0)
			break;
	}
	return &words->slots[s];
}

static int
slots_double(struct words *words)
{
	size_t len = words->slots_len == 0 ? 1024 : words->slots_len * 2;
	uint32_t *slots = calloc(len, sizeof(*slots));

	if (slots == NULL)
		return -ENOMEM;

	for (size_t i = 0; i < words->len; i++) {
		size_t s = words->list[i].hash & (len - 1);

		while (slots[s] != 0)
			s = (s + 1) & (len - 1);
		slots[s] = (uint32_t)i + 1;
	}
	free(words->slots);
	words->slots = slots;
	words->slots_len = len;
	return 0;
}

/* Add a word that is known to be new. */
static int
word_new(struct words *words, const char *letters, size_t len, uint32_t hash)
{
	struct word *list;
	char *room;

	if (words->len >= UINT32_MAX - 1)
		return -ENOMEM;

	list = grown(words->list, &words->cap, words->len + 1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	words->list = list;

	room = grown(words->letters, &words->letters_cap,
		     words->letters_len + len, 1);
	if (room == NULL)
		return -ENOMEM;
	words->letters = room;

	memcpy(room + words->letters_len, letters, len);
	list[words->len++] = (struct word){
		.at = words->letters_len,
		.hash = hash,
		.len = (uint32_t)len,
	};
	words->letters_len += len;
	return 0;
}

static int
add_hashed(struct words *words, const char *letters, size_t len, uint32_t hash,
	   uint64_t n)
{
	uint32_t *slot;
	int r;

	if (words->len >= words->slots_len / 2) {
		r = slots_double(words);
		if (r < 0)
			return r;
	}
	slot = slot_of(words, letters, len, hash);
	if (*slot == 0) {
		r = word_new(words, letters, len, hash);
		if (r < 0)
			return r;
		*slot = (uint32_t)words->len;
	}
	words->list[*slot - 1].count += n;
	return 0;
}

static uint32_t
hash_of(const char *letters, size_t len)
{
	uint32_t hash = HASH_BASIS;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)letters[i]) * HASH_PRIME;
	return hash;
}

int
words_add(struct words *words, const char *letters, size_t len, uint64_t n)
{
	return add_hashed(words, letters, len, hash_of(letters, len), n);
}

uint64_t
words_get(const struct words *words, const char *letters, size_t len)
{
	uint32_t number;

	if (words->len == 0)
		return 0;
	number = *slot_of(words, letters, len, hash_of(letters, len));
	return number == 0 ? 0 : words->list[number - 1].count;
}

/* The small letter, counted from 'a'; 26 and more is no letter. */
static inline unsigned int
letter(char byte)
{
	return ((unsigned char)byte | 0x20u) - 'a';
}

int
words_count(struct words *words, const char *text, size_t len)
{
	const char *at = text;
	const char *end = text + len;
	char word[WORD_MAX];

	for (;;) {
		uint32_t hash = HASH_BASIS;
		size_t n = 0;
		int r;

		while (at < end && letter(*at) >= 26)
			at++;
		if (at == end)
			return 0;

		for (; at < end && letter(*at) < 26; at++) {
			unsigned char c = (unsigned char)*at | 0x20u;

			if (n == WORD_MAX)
				continue;
			word[n++] = (char)c;
			hash = (hash ^ c) * HASH_PRIME;
		}

		r = add_hashed(words, word, n, hash, 1);
		if (r < 0)
			return r;
	}
}

/* Does a stand before b: by count, then by the alphabet? */
static bool
before(const struct words *words, const struct word *a, const struct word *b)
{
	uint32_t len = a->len < b->len ? a->len : b->len;
	int order;

	if (a->count != b->count)
		return a->count > b->count;
	order = memcmp(words->letters + a->at, words->letters + b->at, len);
	return order != 0 ? order < 0 : a->len < b->len;
}

size_t
words_top(const struct words *words, const struct word **top, size_t max)
{
	size_t len = 0;

	for (size_t i = 0; i < words->len; i++) {
		const struct word *word = &words->list[i];
		size_t at = len;

		while (at > 0 && before(words, word, top[at - 1]))
			at--;
		if (at == max)
			continue;
		if (len < max)
			len++;
		memmove(&top[at + 1], &top[at],
			(len - at - 1) * sizeof(*top));
		top[at] = word;
	}
	return len;
}

void
words_forget(struct words *words)
{
	if (words->slots != NULL)
		memset(words->slots, 0,
		       words->slots_len * sizeof(*words->slots));
	words->len = 0;
	words->letters_len = 0;
}

void
words_free(struct words *words)
{
	free(words->list);
	free(words->letters);
	free(words->slots);
	*words = (struct words){ 0 };
}
