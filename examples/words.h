/* SPDX-License-Identifier: MIT */
/*
 * words.h - texts, and how often each word stands in them
 *
 *      folders ──▶ struct files ──▶ files_load ──▶ words_count
 *                  which texts      their bytes    how often each word
 *
 * Nothing here knows of other processes.  wordcount.c has the words counted
 * once by many processes and once by one, and both must come to the same.
 *
 * Everything that can fail returns a negative errno.
 */
#ifndef WORDS_H
#define WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file {
	char *path;
	size_t at;			/* its text: that far into the room */
	size_t len;
	bool missing;			/* nobody could count it */
};

struct files {
	struct file *list;		/* the texts */
	size_t len;
	size_t cap;
	size_t skipped;			/* no texts, or not readable */
	size_t bytes;			/* of the room that the texts take */
};

/*
 * Add path, if it is a regular file, or all regular files below it; but not
 * what has a zero byte among its first TEXT_PROBE bytes: that is no text.
 * Symbolic links are not followed.
 */
#define TEXT_PROBE	4096

int files_find(struct files *files, const char *path);

/*
 * Read all texts into room, which has files->bytes bytes, all zero.  They
 * stand there one after the other, with a zero byte behind each.
 */
void files_load(struct files *files, char *room);
void files_free(struct files *files);

#define WORD_MAX	255		/* bytes of a word */

struct word {
	uint64_t count;
	size_t at;			/* its letters: words->letters + at */
	uint32_t hash;
	uint32_t len;
};

/*
 *      slots    ┌──┬──┬──┬──┐  numbers of words, found by their hash
 *               └──┴┬─┴──┴──┘
 *      list     ┌───▼──┬──────┬──────┐  count, hash
 *               └───┬──┴──────┴──────┘
 *      letters  thequickbrown...
 */
struct words {
	struct word *list;
	size_t len;
	size_t cap;
	char *letters;
	size_t letters_len;
	size_t letters_cap;
	uint32_t *slots;		/* number plus one; 0 = free */
	size_t slots_len;		/* 0 or a power of two */
};

/*
 * Count every word of the text.  A word is a run of ASCII letters, in lower
 * case; any other byte, so each one over 127, ends it.  Of a run of more than
 * WORD_MAX letters the first WORD_MAX count.
 */
int words_count(struct words *words, const char *text, size_t len);

/* Add n to the count of that word. */
int words_add(struct words *words, const char *letters, size_t len, uint64_t n);

/* Its count; 0 if it is not there. */
uint64_t words_get(const struct words *words, const char *letters, size_t len);

/* The most frequent ones, at most max, in order; returns how many. */
size_t words_top(const struct words *words, const struct word **top,
		 size_t max);

/* Empty it, to be used again; free it. */
void words_forget(struct words *words);
void words_free(struct words *words);

#endif
