/* SPDX-License-Identifier: MIT */
/*
 * image.h - the program's file, and which build it and its libraries are
 */
#ifndef KN_IMAGE_H
#define KN_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#define KN_ID_MOST	32u

/* Equal for two loads of one build, and for no two builds. */
struct kn_id {
	uint32_t len;
	unsigned char bytes[KN_ID_MOST];
};

/* What is loaded around an address: its build; where it came from. */
struct kn_image {
	struct kn_id id;
	const char *path;		/* "" for the program itself */
};

/* Once, at the program's start: hold on to the file that runs here. */
void kn_image_keep(const char *argv0);

/*
 * The file that runs here, whatever lies under its name by now.  -ENOEXEC:
 * kn_image_keep was not called.  It is not the caller's to close.
 */
int kn_image_fd(void);
const char *kn_image_name(void);	/* argv[0] */

/* Its descriptor has been closed with others. */
void kn_image_forget(void);

int kn_image_of(const void *address, struct kn_image *ret);

/* The name that the linker knows it by, or NULL. */
const char *kn_image_symbol(const void *address);

bool kn_id_equal(const struct kn_id *a, const struct kn_id *b);

#endif
