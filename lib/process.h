/* SPDX-License-Identifier: MIT */
/*
 * process.h - a child, as its parent knows it
 */
#ifndef KN_PROCESS_H
#define KN_PROCESS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include <kin/process.h>

#include "lib/bundle.h"
#include "lib/child.h"
#include "lib/crash.h"
#include "lib/family.h"
#include "lib/fork_client.h"
#include "shm/word.h"

/* The sentence of an entry that failed, cut to this. */
#define KN_SAID		256u

#define KN_SLIP_HEAD	88u
#define KN_SLIP_ROOM	(KN_PAGE - KN_SLIP_HEAD - KN_SAID)

/*
 * What parent and child tell each other, in a page that both map: when to
 * begin; the value, since the exit status has 8 bits and an entry's value has
 * 32; and what the entry gave, if it is short.  What is not short, and
 * descriptors, lie in the line between them.  Stored last, returned makes all
 * of it true at once.
 */
#define KN_GO		1u
#define KN_GO_NOT	2u		/* the start has failed */

struct kn_slip {
	kn_word go;			/* KN_GO, or KN_GO_NOT; 0 = wait */
	kn_word returned;		/* the entry did, with value */
	kn_word value;			/* an int32_t */
	kn_word given;			/* KN_GIVEN_... */
	kn_word lost;			/* 0, or why it could not be passed */
	kn_word nfds;			/* of the result, in the line */
	kn_word len;			/* in bytes[] */
	kn_word refused;		/* value says why no entry ran */
	struct kn_starter starter;	/* told by the parent, before go */
	char said[KN_SAID];		/* if value is negative */
	unsigned char bytes[KN_SLIP_ROOM];
};

#define KN_GIVEN_NOTHING	0u
#define KN_GIVEN_HERE		1u
#define KN_GIVEN_FILE		2u	/* the line's first descriptor */

_Static_assert(sizeof(struct kn_slip) == KN_PAGE, "a slip is a page");

/* After it comes a page for what a child leaves that dies by a signal. */
#define KN_SLIP_BYTES	(2 * KN_PAGE)

static inline struct kn_crash *
kn_slip_crash(struct kn_slip *slip)
{
	return (struct kn_crash *)(void *)(slip + 1);
}

#define KN_CHILD_OF_OURS	0u
#define KN_OURSELVES		1u	/* these two are family.c's, */
#define KN_PARENT_OF_OURS	2u	/* and have no more than a name */

struct kin_process {
	uint32_t role;
	pid_t pid;
	int pidfd;
	int lifeline;			/* the child is killed when it closes */
	int line;			/* of what it gives; see os_pass.h */
	struct kn_slip *slip;
	char name[16];			/* as long as the kernel keeps it */
	uint32_t generation;		/* of the process that started it */
	bool ended;
	bool left;			/* closed while it ran */
	bool daemon, detached;
	bool apart;			/* sees to its own end when we end */
	struct kin_status status;	/* once ended */
	uint64_t sent;			/* bit s: we have sent it signal s */
	kin_time started;
	kin_process *next;		/* of all that this process started */
	uint32_t holds;			/* see children.c */
	uint64_t serial;
	struct kn_served served;	/* if by a fork server */

	struct kn_child *child;		/* what it is made with; or NULL */
	struct kn_streams streams;

	struct kn_frozen **frozen;	/* its arguments: not frozen anew while
					   we hold them */
	uint32_t nfrozen;
	unsigned char *pledged;		/* things among them that the child may
					   not have taken; see pledge.h */
	size_t npledged;		/* bytes */
	pthread_mutex_t taking;
	kin_values *result;		/* NULL = not looked for, or none */
};

/* What is to be started. */
struct kn_start {
	kin_context *context;
	kin_entry_fn *fn;
	struct kn_bundle *args;		/* as they were after it */
	bool threads;			/* others run here */
	const struct kn_child *child;	/* what it is made with; or NULL */
	int streams[3];			/* those that child speaks of */
	int refused;			/* in the child: -errno, and its
					   sentence, why fn cannot run */
};

/* What a child holds: of its parent's pipe, and of the line back. */
struct kn_ends {
	int lifeline;
	int line;
};

/* Both, of which p has the other ends then. */
int kn_start_ends_open(kin_process *p, struct kn_ends *ret);
void kn_start_ends_close(const struct kn_ends *ends);

/* What is printed so far appears before what the child prints. */
void kn_start_flush(bool threads);

/* Let the child begin, or end: KN_GO, KN_GO_NOT. */
void kn_start_tell(struct kn_slip *slip, uint32_t what);

/* Our ends of what is between us go: it ends, if there is one. */
void kn_start_cut(kin_process *p);

/* It runs, but it will not be had: it ends by its lifeline, and is collected. */
void kn_start_undo(kin_process *p);

/* It is as it should be, or it has ended: by itself, or by its lifeline. */
int kn_start_await(kin_process *p);

/*
 * Start it; fills in pid, pidfd, lifeline, line and slip.  Returns in the
 * parent.  A fork's child may run any function; the others' an entry, in an
 * image of its own.
 */
int kn_start_fork(kin_process *p, struct kn_start *how);
int kn_start_spawn(kin_process *p, struct kn_start *how);

/*
 * The child, however it was started: from its lifeline to its end.
 */
void kn_start_run(const struct kn_start *how, const char *name,
		  const struct kn_ends *ends, struct kn_slip *slip)
	__attribute__((noreturn));

/* In a child: its own two descriptors; and letting go of all else (strip.c). */
void kn_start_ends(int *ret_lifeline, int *ret_line);
void kn_process_strip(const kin_call *call);

/* In the child, which ends now: leave value and result for the parent. */
void kn_result_leave(kin_call *call, int value, struct kn_slip *slip,
		     int line);

/* In the parent, which lets go: nobody will take it any more. */
void kn_result_forget(kin_process *p);

/* Free it: nobody holds it any more. */
void kn_process_free(kin_process *p);

/* It was started by another process than this one; check says so. */
bool kn_process_is_foreign(const kin_process *p);
int kn_process_check(const kin_process *p);

/* > 0: it has ended, 0: not until then. */
int kn_process_await(kin_process *p, kin_time deadline);

/* It has ended: what is known of that becomes its status. */
void kn_process_settle_locked(kin_process *p);

/*
 * The same, of one whose status is for somebody else to collect: where the
 * kernel keeps it, once that has happened.
 */
void kn_process_recall(kin_process *p, kin_time until);

/* The things on the way to a child that has ended are the parent's again. */
void kn_process_take_back(kin_process *p);

/* To the log, without kin's mutex. */
void kn_process_log_end(const kin_process *p);

/* It may die of that signal, and then it was we who sent it. */
void kn_process_note(kin_process *p, int signal);

/* Its lifeline goes. */
int kn_process_cut_loose(kin_process *p);

/* It sees to its own end when its parent ends, and is not waited for. */
void kn_process_apart(kin_process *p);

/* children.c: all that this process has started. */
void kn_children_enter(kin_process *p);	/* this thread is to start it */
void kn_children_started(const kin_process *p);	/* or has tried to */
void kn_children_leave(kin_process *p);
void kn_children_close(kin_process *p);	/* its user has no use for it */
void kn_children_collect(void);		/* those closed that have ended */
void kn_children_end(void);		/* all: at our own end */

#endif
