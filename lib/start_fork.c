/* SPDX-License-Identifier: MIT */
/*
 * start_fork.c - start a process by fork
 *
 *      parent                         child
 *        │ pipe, line, fork ────────────┐ arms its lifeline: the pipe
 *        │ pidfd of the child           │ sleeps on a word in the slip
 *        ├─ go ────────────────────────▶│ runs the entry, with the arguments
 *        │ keeps the write end          │ as they lie in its memory
 *        ▼ dies: end of the pipe ──────▶✝ SIGKILL
 *
 * Nothing is ever written to the pipe: a write signals the reader too, and so
 * late that the reader may have armed by then.
 */
#include <sys/mman.h>

#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"

/* There is no pidfd of it: let it end by itself, and collect it. */
static void
give_up(kin_process *p)
{
	kn_start_tell(p->slip, KN_GO_NOT);
	kn_start_cut(p);
	kn_os_reap(p->pid);
}

static int
map_slip(kin_process *p)
{
	void *slip;
	int r;

	r = kn_os_map(-1, KN_SLIP_BYTES, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, &slip);
	if (r < 0)
		return kn_fail(r, "process '%s': a page", p->name);
	p->slip = slip;
	return 0;
}

int
kn_start_fork(kin_process *p, struct kn_start *how)
{
	struct kn_slip *slip;		/* the child's handles lose it */
	struct kn_ends ends;
	int r;

	r = map_slip(p);
	if (r < 0)
		return r;
	slip = p->slip;
	r = kn_start_ends_open(p, &ends);
	if (r < 0)
		return r;
	kn_start_flush(how->threads);
	r = p->pid = kn_os_fork();
	if (r == 0)
		kn_start_run(how, p->name, &ends, slip);
	kn_start_ends_close(&ends);
	if (r < 0)
		return kn_fail(r, "process '%s': fork", p->name);

	r = p->pidfd = kn_os_pidfd(p->pid);
	if (r < 0) {
		give_up(p);
		return kn_fail(r, "process '%s': its descriptor", p->name);
	}
	/* From now on other children have no business with it. */
	(void)kn_os_advise(slip, KN_SLIP_BYTES, MADV_DONTFORK);
	kn_start_tell(slip, KN_GO);
	return 0;
}
