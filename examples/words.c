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

#define READ_BYTES	((size_t)64 * 1024)

/* FNV-1a. */
#define HASH_BASIS	2166136261u
#define HASH_PRIME	16777619u

struct slot {
	uint32_t hash;
	uint32_t number;		/* of the word, plus one; 0 = free */
};

void *
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

/* nftw hands nothing through to its callback. */
static struct files *walk_files;

static int
walk_file(const char *path, const struct stat *st, int what, struct FTW *where)
{
	struct files *files = walk_files;
	struct file *list;
	char *copy;

	(void)where;
	if (what == FTW_DNR || what == FTW_NS)
		fprintf(stderr, "cannot look into %s\n", path);
	if (what != FTW_F || !S_ISREG(st->st_mode))
		return 0;

	list = grown(files->list, &files->cap, files->len + 1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	files->list = list;
	copy = strdup(path);
	if (copy == NULL)
		return -ENOMEM;

	list[files->len++] = (struct file){
		.path = copy,
		.bytes = (uint64_t)st->st_size,
		.state = FILE_WAITING,
	};
	files->bytes += (uint64_t)st->st_size;
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

void
files_free(struct files *files)
{
	for (size_t i = 0; i < files->len; i++)
		free(files->list[i].path);
	free(files->list);
	*files = (struct files){ 0 };
}

/* Texts */

static int
read_all(struct text *text, int fd)
{
	unsigned char *bytes;
	ssize_t n;

	text->len = 0;
	for (;;) {
		bytes = grown(text->bytes, &text->cap, text->len + READ_BYTES,
			      1);
		if (bytes == NULL)
			return -ENOMEM;
		text->bytes = bytes;

		n = read(fd, bytes + text->len, text->cap - text->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 1;

		/* Most of what is no text is seen here, and not read on. */
		if (text->len < TEXT_PROBE) {
			size_t end = text->len + (size_t)n;

			if (end > TEXT_PROBE)
				end = TEXT_PROBE;
			if (memchr(bytes + text->len, 0, end - text->len))
				return 0;
		}
		text->len += (size_t)n;
	}
}

int
text_read(struct text *text, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0)
		return -errno;
	r = read_all(text, fd);
	close(fd);
	return r;
}

void
text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){ 0 };
}

/* Words */

static int
slots_double(struct words *words)
{
	size_t len = words->slots_len == 0 ? 1024 : words->slots_len * 2;
	struct slot *slots = calloc(len, sizeof(*slots));

	if (slots == NULL)
		return -ENOMEM;

	for (size_t i = 0; i < words->len; i++) {
		size_t s = words->list[i].hash & (len - 1);

		while (slots[s].number != 0)
			s = (s + 1) & (len - 1);
		slots[s].hash = words->list[i].hash;
		slots[s].number = (uint32_t)i + 1;
	}
	free(words->slots);
	words->slots = slots;
	words->slots_len = len;
	return 0;
}

/* Add a word that is known to be new. */
static int
word_add(struct words *words, const char *letters, size_t len, uint32_t hash)
{
	struct word *list;
	uint32_t *touched;
	char *room;

	if (words->len >= UINT32_MAX - 1)
		return -ENOMEM;

	list = grown(words->list, &words->cap, words->len + 1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	words->list = list;

	/* As long as the list: counting then needs no room. */
	touched = grown(words->touched, &words->touched_cap, words->len + 1,
			sizeof(*touched));
	if (touched == NULL)
		return -ENOMEM;
	words->touched = touched;

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
find(struct words *words, const char *letters, size_t len, uint32_t hash,
     uint32_t *ret_number)
{
	size_t mask;
	size_t s;
	int r;

	/* At most half of the slots are taken: a search is short, and ends. */
	if (words->len >= words->slots_len / 2) {
		r = slots_double(words);
		if (r < 0)
			return r;
	}

	mask = words->slots_len - 1;
	for (s = hash & mask; words->slots[s].number != 0; s = (s + 1) & mask) {
		uint32_t number = words->slots[s].number - 1;
		const struct word *word = &words->list[number];

		if (words->slots[s].hash == hash && word->len == len &&
		    memcmp(words->letters + word->at, letters, len) == 0) {
			*ret_number = number;
			return 0;
		}
	}

	r = word_add(words, letters, len, hash);
	if (r < 0)
		return r;
	words->slots[s].hash = hash;
	words->slots[s].number = (uint32_t)words->len;
	*ret_number = (uint32_t)words->len - 1;
	return 0;
}

int
words_find(struct words *words, const char *letters, size_t len,
	   uint32_t *ret_number)
{
	uint32_t hash = HASH_BASIS;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)letters[i]) * HASH_PRIME;
	return find(words, letters, len, hash, ret_number);
}

/* The small letter, counted from 'a'; 26 and more is no letter. */
static inline unsigned int
letter(unsigned char byte)
{
	return (byte | 0x20u) - 'a';
}

int
words_count(struct words *words, const struct text *text)
{
	const unsigned char *at = text->bytes;
	const unsigned char *end = at + text->len;
	char word[WORD_MAX];

	for (;;) {
		uint32_t hash = HASH_BASIS;
		uint32_t number;
		size_t len = 0;
		int r;

		while (at < end && letter(*at) >= 26)
			at++;
		if (at == end)
			return 0;

		for (; at < end && letter(*at) < 26; at++) {
			unsigned char c = *at | 0x20u;

			if (len == WORD_MAX)
				continue;
			word[len++] = (char)c;
			hash = (hash ^ c) * HASH_PRIME;
		}

		r = find(words, word, len, hash, &number);
		if (r < 0)
			return r;
		if (words->list[number].count++ == 0)
			words->touched[words->touched_len++] = number;
	}
}

int
words_of_file(struct words *words, struct text *text, const char *path,
	      uint64_t *ret_bytes)
{
	int r = text_read(text, path);

	if (r == -ENOMEM)
		return r;
	if (r <= 0) {
		*ret_bytes = 0;
		return FILE_SKIPPED;
	}
	r = words_count(words, text);
	if (r < 0)
		return r;
	*ret_bytes = text->len;
	return FILE_COUNTED;
}

void
words_forget(struct words *words)
{
	for (size_t i = 0; i < words->touched_len; i++)
		words->list[words->touched[i]].count = 0;
	words->touched_len = 0;
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
words_free(struct words *words)
{
	free(words->list);
	free(words->letters);
	free(words->slots);
	free(words->touched);
	*words = (struct words){ 0 };
}
