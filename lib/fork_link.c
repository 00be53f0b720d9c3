/* SPDX-License-Identifier: MIT */
/*
 * fork_link.c - what a fork server tells
 *
 * Any number of threads wait for it.  One of them at a time reads, and hands
 * what came to whom it is for; the others sleep until something did.
 */
#include <errno.h>
#include <time.h>

#include "lib/fork_link.h"
#include "shm/os.h"
#include "shm/socket.h"

static struct kn_served *
find(struct kn_server *s, uint64_t serial)
{
	struct kn_served *served;

	for (served = s->served; served != NULL; served = served->next)
		if (served->serial == serial)
			return served;
	return NULL;
}

static void
hear(struct kn_server *s, const struct kn_tell *t, int pidfd)
{
	struct kn_served *to = t->what == KN_TELL_HELLO ? &s->hello
							: find(s, t->serial);

	if (to != NULL && t->what == KN_TELL_ENDED && !to->ended) {
		to->end = *t;
		to->ended = true;
	} else if (to != NULL && t->what != KN_TELL_ENDED && !to->started) {
		to->start = *t;
		to->pidfd = pidfd;
		to->started = true;
		pidfd = -1;
	}
	kn_os_close(pidfd);		/* of one that was given up */
}

/* All that is there. */
void
kn_link_read(struct kn_server *s)
{
	int fds[KN_SOCKET_FDS];
	uint32_t nfds, i;
	struct kn_tell t;
	bool lost;
	ssize_t n;

	while (!s->dead) {
		nfds = 0;
		lost = false;
		n = kn_os_recvmsg(s->socket, &t, sizeof(t), fds, &nfds, &lost);
		if (n == -EAGAIN || n == -ENOMEM || n == -ENOBUFS)
			break;
		if (n != sizeof(t)) {
			s->dead = true;
			nfds = n > 0 ? nfds : 0;
		} else {
			if (lost && t.number == 0)
				t.number = -EMFILE;
			hear(s, &t, nfds > 0 ? fds[0] : -1);
		}
		for (i = n == sizeof(t) ? 1 : 0; i < nfds; i++)
			kn_os_close(fds[i]);
	}
	pthread_cond_broadcast(&s->moved);
}

static void
sleep_on(struct kn_server *s, kin_time until)
{
	struct timespec t = { until.ns / 1000000000, until.ns % 1000000000 };

	if (until.ns == KIN_FOREVER.ns)
		pthread_cond_wait(&s->moved, &s->mutex);
	else
		pthread_cond_timedwait(&s->moved, &s->mutex, &t);
}

/* One turn of waiting; the mutex is held before and after. */
static int
wait_for_more(struct kn_server *s, kin_time deadline)
{
	struct pollfd fd = { .fd = s->socket, .events = POLLIN };
	int r;

	if (s->reading) {
		sleep_on(s, deadline);
		return kin_now().ns < deadline.ns ? 1 : 0;
	}
	s->reading = true;
	pthread_mutex_unlock(&s->mutex);
	r = kn_os_poll(&fd, 1, deadline);
	pthread_mutex_lock(&s->mutex);
	s->reading = false;
	kn_link_read(s);
	return r;
}

/* Until *told, or it is dead: 0; -ETIMEDOUT. */
int
kn_link_await(struct kn_server *s, const bool *told, kin_time deadline)
{
	int r = 1, state;

	/* Cancelled with the mutex, a thread would never give it back. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&s->mutex);
	if (!*told && !s->dead && !s->reading)
		kn_link_read(s);
	while (!*told && !s->dead && r > 0)
		r = wait_for_more(s, deadline);
	if (*told || s->dead)
		r = 1;
	pthread_mutex_unlock(&s->mutex);
	pthread_setcancelstate(state, &state);
	return r > 0 ? 0 : r < 0 ? r : -ETIMEDOUT;
}
