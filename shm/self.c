/* SPDX-License-Identifier: MIT */
/*
 * self.c - this process: has it been forked, and whose turn is it
 */
#include <pthread.h>
#include <sys/mman.h>

#include "shm/os.h"
#include "shm/self.h"

/* Where a page cannot be had, pthread_atfork alone tells of forks. */
static uint32_t no_page;
uint32_t *kn_self_page = &no_page;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int cancel_state;		/* of the mutex's holder, before */
static uint32_t generation;

/* Cancelled while it holds the mutex, a thread would never give it back. */
void
kn_self_lock(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&mutex);
	cancel_state = state;
}

void
kn_self_unlock(void)
{
	int state = cancel_state;

	pthread_mutex_unlock(&mutex);
	pthread_setcancelstate(state, &state);
}

static void
in_child(void)
{
	__atomic_store_n(kn_self_page, 0, __ATOMIC_RELEASE);
	kn_self_unlock();
}

__attribute__((constructor)) static void
watch_forks(void)
{
	void *page;

	if (kn_os_map(-1, KN_PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, &page) == 0)
		kn_self_page = page;
	/* Fails on kernels before 4.14; there, raw clone goes unseen. */
	(void)kn_os_advise(kn_self_page, KN_PAGE, MADV_WIPEONFORK);
	pthread_atfork(kn_self_lock, kn_self_unlock, in_child);
}

uint32_t
kn_self_renew(void)
{
	uint32_t mine;

	kn_self_lock();
	mine = kn_self_known();
	if (mine == 0) {
		mine = ++generation;
		__atomic_store_n(kn_self_page, mine, __ATOMIC_RELEASE);
	}
	kn_self_unlock();
	return mine;
}
