/* SPDX-License-Identifier: MIT */
/*
 * children.c - all that this process has started
 *
 * They are in one list, because each of them has to let go of the lifelines of
 * the others: the write end of a lifeline that a sibling held would keep a
 * child alive after its parent.
 *
 * A handle lives while somebody holds it: its user until the close, for one
 * that still ran then this list until it has ended, and whoever waits for it
 * at this process's end.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/end.h"
#include "lib/process.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"

#define GRACE_MS	1000		/* from SIGTERM to SIGKILL */

static kin_process *children;		/* the youngest first */
static uint64_t born;			/* so many so far */
static __thread kin_process *starting;	/* by this thread */

/* In every child, kin's or the application's own: see above. */
static void
in_child(void)
{
	kin_process *p;

	for (p = children; p != NULL; p = p->next) {
		kn_os_close(p->pidfd);
		kn_os_close(p->lifeline);
		kn_os_close(p->line);
		p->pidfd = p->lifeline = p->line = -1;
		p->slip = NULL;		/* a child does not inherit it */
		kn_streams_close_parent(&p->streams);
		if (p != starting)	/* else they are its own */
			kn_streams_close_child(&p->streams);
	}
	children = NULL;
}

__attribute__((constructor)) static void
watch_forks(void)
{
	pthread_atfork(NULL, NULL, in_child);
}

/* ---- the list ---- */

void
kn_children_enter(kin_process *p)
{
	kn_end_watch();
	kn_self_lock();
	p->holds = 1;
	p->serial = ++born;
	p->next = children;
	children = p;
	kn_self_unlock();
	starting = p;
}

void
kn_children_started(const kin_process *p)
{
	if (starting == p)	/* a start may need another: of a server */
		starting = NULL;
}

static void
unlist_locked(const kin_process *p)
{
	kin_process **at;

	for (at = &children; *at != NULL; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			return;
		}
}

void
kn_children_leave(kin_process *p)
{
	kn_self_lock();
	unlist_locked(p);
	kn_self_unlock();
}

/* True: nobody holds it any more, and it is in no list. */
static bool
release_locked(kin_process *p)
{
	if (--p->holds > 0)
		return false;
	unlist_locked(p);
	return true;
}

static void
release(kin_process *p)
{
	bool last;

	kn_self_lock();
	last = release_locked(p);
	kn_self_unlock();
	if (last)
		kn_process_free(p);
}

/* One that runs stays in the list, and so held. */
void
kn_children_close(kin_process *p)
{
	bool last = false;

	kn_self_lock();
	if (p->ended)
		last = release_locked(p);
	else
		p->left = true;
	kn_self_unlock();
	if (last)
		kn_process_free(p);
}

/*
 * Collect those that were closed while they ran and have ended since.  They
 * are let go of without the mutex, which the things that they gave may need.
 */
void
kn_children_collect(void)
{
	kin_process *p, *next, *over = NULL;

	kn_self_lock();
	for (p = children; p != NULL; p = next) {
		next = p->next;
		if (!p->left || kn_process_await(p, KIN_NOWAIT) <= 0)
			continue;
		kn_process_settle_locked(p);
		p->left = false;
		if (!release_locked(p))
			continue;
		p->next = over;
		over = p;
	}
	kn_self_unlock();
	for (p = over; p != NULL; p = next) {
		next = p->next;
		kn_process_log_end(p);
		kn_process_free(p);
	}
}

/* ---- looking at them ---- */

int
kin_process_children(struct kin_child *child)
{
	kin_process *p;

	kn_assert(child != NULL);
	kn_self_lock();
	p = children;
	/* Those apart are of kin's own: servers. */
	while (p != NULL && (p->apart || (child->serial != 0 &&
					  p->serial >= child->serial)))
		p = p->next;
	if (p != NULL) {
		child->serial = p->serial;
		child->process = p->left ? NULL : p;
		child->pid = p->pid;
		child->alive = !p->ended && kn_process_await(p, KIN_NOWAIT) == 0;
		memcpy(child->name, p->name, sizeof(child->name));
	}
	kn_self_unlock();
	return p != NULL;
}

/* ---- at this process's end ---- */

/* One that runs, and has to end before us; held.  Or NULL. */
static kin_process *
hold_next(bool daemons, uint64_t older_than)
{
	kin_process *p;

	kn_self_lock();
	for (p = children; p != NULL; p = p->next)
		if (p->serial < older_than && !p->ended && !p->detached &&
		    !p->apart && p->pidfd >= 0 && p->daemon == daemons)
			break;
	if (p != NULL)
		p->holds++;
	kn_self_unlock();
	return p;
}

static void
signal_daemons(int signal)
{
	uint64_t at = UINT64_MAX;
	kin_process *p;

	while ((p = hold_next(true, at)) != NULL) {
		at = p->serial;
		(void)kin_process_signal(p, signal);
		release(p);
	}
}

static void
await_all(bool daemons, kin_time deadline)
{
	uint64_t at = UINT64_MAX;
	kin_process *p;

	while ((p = hold_next(daemons, at)) != NULL) {
		if (kin_process_join(p, NULL, deadline) < 0)
			at = p->serial;		/* it cannot be helped */
		release(p);
	}
}

static bool
has(bool daemons)
{
	kin_process *p = hold_next(daemons, UINT64_MAX);

	if (p != NULL)
		release(p);
	return p != NULL;
}

/* Ctrl-C ends us: a handler that tells the program to end has nobody left. */
static void
heed_interrupts(void)
{
	struct sigaction now;

	if (kn_os_sigaction(SIGINT, NULL, &now) == 0 &&
	    now.sa_handler != SIG_IGN && now.sa_handler != SIG_DFL)
		kn_os_signal_default(SIGINT);
}

void
kn_children_end(void)
{
	if (has(true)) {
		signal_daemons(SIGTERM);
		await_all(true, kin_in_ms(GRACE_MS));
		signal_daemons(SIGKILL);
		await_all(true, KIN_FOREVER);
	}
	if (has(false)) {
		heed_interrupts();
		await_all(false, KIN_FOREVER);
	}
}
