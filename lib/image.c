/* SPDX-License-Identifier: MIT */
/*
 * image.c - the program's file, and which build it and its libraries are
 *
 * The file is held open from kin_init on, so that another one under its name
 * does not matter.  A library is loaded again by its name: whether it is still
 * the same is told by its build id, the note that the linker leaves; without
 * one (--build-id=none), by a digest of its segments' places, sizes and rights
 * and of its code.
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>

#include <sodium.h>

#include "lib/image.h"
#include "shm/os.h"

static struct {
	int fd;
	uint64_t device, inode;
	const char *argv0;
} kept = { .fd = -1 };

/* ---- the file ---- */

static int
open_own(void)
{
	struct stat st;
	int fd, r;

	fd = kn_os_open("/proc/self/exe", O_RDONLY, 0);
	if (fd < 0)
		return fd;
	r = kn_os_stat(fd, &st);
	if (r < 0) {
		kn_os_close(fd);
		return r;
	}
	kept.fd = fd;
	kept.device = st.st_dev;
	kept.inode = st.st_ino;
	return 0;
}

void
kn_image_keep(const char *argv0)
{
	kept.argv0 = argv0;
	if (kept.fd < 0)
		(void)open_own();
}

/*
 * An application may have closed what it did not know; then something else
 * may have the number, which is not ours to close.
 */
int
kn_image_fd(void)
{
	int r;

	if (kept.argv0 == NULL)
		return -ENOEXEC;
	if (kept.fd >= 0 && kn_os_is_file(kept.fd, kept.device, kept.inode))
		return kept.fd;
	r = open_own();
	return r < 0 ? r : kept.fd;
}

const char *
kn_image_name(void)
{
	return kept.argv0;
}

void
kn_image_forget(void)
{
	kept.fd = -1;
}

/* ---- which build ---- */

struct search {
	uintptr_t address;
	struct kn_image *image;
	bool first;			/* what is looked at next is the
					   program itself */
};

static const ElfW(Phdr) *
around(const struct dl_phdr_info *info, uintptr_t address)
{
	const ElfW(Phdr) *ph = info->dlpi_phdr;
	unsigned i;

	for (i = 0; i < info->dlpi_phnum; i++, ph++)
		if (ph->p_type == PT_LOAD &&
		    address - (info->dlpi_addr + ph->p_vaddr) < ph->p_memsz)
			return ph;
	return NULL;
}

static bool
find_note(const unsigned char *at, size_t len, size_t align, struct kn_id *ret)
{
	const unsigned char *end = at + len;
	ElfW(Nhdr) n;
	size_t name, desc;

	if (align < 4)
		align = 4;
	while ((size_t)(end - at) >= sizeof(n)) {
		memcpy(&n, at, sizeof(n));
		at += sizeof(n);
		name = (n.n_namesz + align - 1) & ~(align - 1);
		desc = (n.n_descsz + align - 1) & ~(align - 1);
		if (name > (size_t)(end - at) ||
		    desc > (size_t)(end - at) - name)
			break;
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 &&
		    memcmp(at, "GNU", 4) == 0 && n.n_descsz > 0) {
			ret->len = n.n_descsz < KN_ID_MOST ? n.n_descsz
							   : KN_ID_MOST;
			memcpy(ret->bytes, at + name, ret->len);
			return true;
		}
		at += name + desc;
	}
	return false;
}

static bool
find_id(const struct dl_phdr_info *info, struct kn_id *ret)
{
	const ElfW(Phdr) *ph = info->dlpi_phdr;
	unsigned i;

	for (i = 0; i < info->dlpi_phnum; i++, ph++)
		if (ph->p_type == PT_NOTE &&
		    find_note((const void *)(info->dlpi_addr + ph->p_vaddr),
			      ph->p_memsz, ph->p_align, ret))
			return true;
	return false;
}

/* Code has no relocations, and so the same bytes wherever it is loaded. */
static void
digest(const struct dl_phdr_info *info, struct kn_id *ret)
{
	const ElfW(Phdr) *ph = info->dlpi_phdr;
	crypto_generichash_state state;
	unsigned i;

	crypto_generichash_init(&state, NULL, 0, KN_ID_MOST);
	for (i = 0; i < info->dlpi_phnum; i++, ph++) {
		crypto_generichash_update(&state, (const void *)ph,
					  sizeof(*ph));
		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_X) &&
		    !(ph->p_flags & PF_W) && (ph->p_flags & PF_R))
			crypto_generichash_update(&state, (const void *)
			    (info->dlpi_addr + ph->p_vaddr), ph->p_filesz);
	}
	crypto_generichash_final(&state, ret->bytes, KN_ID_MOST);
	ret->len = KN_ID_MOST;
}

static int
look_at(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;
	bool program = s->first;

	(void)size;
	s->first = false;
	if (around(info, s->address) == NULL)
		return 0;
	memset(&s->image->id, 0, sizeof(s->image->id));
	if (!find_id(info, &s->image->id))
		digest(info, &s->image->id);
	s->image->path = program ? "" : info->dlpi_name;
	return 1;
}

int
kn_image_of(const void *address, struct kn_image *ret)
{
	struct search s = { (uintptr_t)address, ret, true };

	return dl_iterate_phdr(look_at, &s) == 1 ? 0 : -ENOENT;
}

const char *
kn_image_symbol(const void *address)
{
	Dl_info info;

	return dladdr(address, &info) != 0 && info.dli_saddr == address
	       ? info.dli_sname : NULL;
}

bool
kn_id_equal(const struct kn_id *a, const struct kn_id *b)
{
	return a->len == b->len && a->len <= KN_ID_MOST &&
	       memcmp(a->bytes, b->bytes, a->len) == 0;
}
