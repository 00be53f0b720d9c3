/* SPDX-License-Identifier: MIT */
/*
 * words.h - texts, and how often each word stands in them
 *
 *      folders ──▶ struct files ──▶ text_read ──▶ words_count
 *                  what to read     the bytes     how often each word
 *
 * Nothing here knows of other processes.  wordcount.c does this work once in
 * many processes and once in one, and both must come to the same counts.
 *
 * Everything that can fail returns a negative errno.
 */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>
#include <stdint.h>

/* An array that grows: room for need elements, or NULL and old is as it was. */
void *grown(void *old, size_t *cap, size_t need, size_t element_bytes);

/* What became of a file. */
#define FILE_WAITING	0		/* not counted yet */
#define FILE_COUNTED	1
#define FILE_SKIPPED	2		/* not a text, or not readable */

struct file {
	char *path;
	uint64_t bytes;			/* as found; then as counted */
	int state;			/* FILE_... */
};

struct files {
	struct file *list;
	size_t len;
	size_t cap;
	uint64_t bytes;			/* of all, as found */
};

/*
 * Add path, if it is a regular file, or all regular files below it.  Symbolic
 * links are not followed.
 */
int files_find(struct files *files, const char *path);
void files_free(struct files *files);

/* A file's bytes; used again for the next one. */
struct text {
	unsigned char *bytes;
	size_t len;
	size_t cap;
};

/*
 * Read all of the file: 1, or 0 if it is not a text, which is what has a zero
 * byte among its first TEXT_PROBE.
 */
#define TEXT_PROBE	4096

int text_read(struct text *text, const char *path);
void text_free(struct text *text);

#define WORD_MAX	255		/* bytes of a word */

struct word {
	uint64_t count;
	size_t at;			/* its letters: words->letters + at */
	uint32_t hash;
	uint32_t len;
};

/*
 * A set of words.  A word's number is its place in the list, and stays.
 *
 *      slots   ┌──┬──┬──┬──┐  hash, number       touched ┌─┬─┬─┐ numbers of
 *              └──┴┬─┴──┴──┘                             └┬┴─┴─┘ words with
 *      list    ┌───▼──┬──────┬──────┐  count, hash  ◀─────┘      a count
 *              └───┬──┴──────┴──────┘
 *      letters thequickbrown...
 */
struct words {
	struct word *list;
	size_t len;
	size_t cap;
	char *letters;
	size_t letters_len;
	size_t letters_cap;
	struct slot *slots;
	size_t slots_len;		/* 0 or a power of two */
	uint32_t *touched;
	size_t touched_len;
	size_t touched_cap;
};

/* The number of that word, which is added, with no count, if it is new. */
int words_find(struct words *words, const char *letters, size_t len,
	       uint32_t *ret_number);

/*
 * Count every word of the text.  A word is a run of ASCII letters, in lower
 * case; any other byte, so each one over 127, ends it.  Of a run of more than
 * WORD_MAX letters the first WORD_MAX count.
 */
int words_count(struct words *words, const struct text *text);

/*
 * Read the file and count its words: FILE_COUNTED, or FILE_SKIPPED if it is
 * no text or cannot be read, which adds nothing.
 */
int words_of_file(struct words *words, struct text *text, const char *path,
		  uint64_t *ret_bytes);

/* Set all counts to zero; the words and their numbers stay. */
void words_forget(struct words *words);

/* The most frequent ones, at most max, in order; returns how many. */
size_t words_top(const struct words *words, const struct word **top,
		 size_t max);

void words_free(struct words *words);

#endif
