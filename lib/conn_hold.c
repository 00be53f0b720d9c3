/* SPDX-License-Identifier: MIT */
/*
 * conn_hold.c - who holds an end of a connection, and whose turn it is
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/bundle.h"
#include "lib/conn.h"
#include "shm/error.h"
#include "shm/os.h"
#include "shm/self.h"
#include "shm/socket.h"

/* ---- hello and bye ---- */

static bool
owes(kin_conn *c)
{
	return (__atomic_load_n(&c->owed_hellos, __ATOMIC_RELAXED) |
		__atomic_load_n(&c->owed_byes, __ATOMIC_RELAXED)) != 0;
}

static int
say(kin_conn *c, uint16_t type)
{
	struct kn_frame head = { .type = type };
	int r = kn_stream_send(c->stream, &head, NULL, 0, NULL, 0, KN_KEEP);

	/* Where nobody hears it, nobody counts. */
	return r == -EPIPE || r == -ECONNRESET || r > 0 ? 0 : r;
}

/* The sender's turn is ours.  What cannot be said now is still owed. */
static int
say_all(kin_conn *c, uint32_t *owed, uint16_t type)
{
	int r = 0;

	while (r == 0 && __atomic_load_n(owed, __ATOMIC_RELAXED) > 0) {
		r = say(c, type);
		if (r == 0)
			__atomic_sub_fetch(owed, 1, __ATOMIC_RELAXED);
	}
	return r;
}

static int
say_owed(kin_conn *c)
{
	int r = say_all(c, &c->owed_hellos, KN_CONN_HELLO);

	return r < 0 ? r : say_all(c, &c->owed_byes, KN_CONN_BYE);
}

/* ---- forks ---- */

static void
renew_turn(struct kn_turn *turn)
{
	pthread_mutex_init(&turn->mutex, NULL);
	turn->changing = false;
}

/*
 * First use in a forked child, which is a user of its own.  The parent's
 * threads are not here, whatever they were at; what it has kept of a
 * message is for the parent to send.  If one of them was just taking bytes in,
 * nobody knows where the next message begins.  -ESTALE: it is none of ours.
 */
static int
renew(kin_conn *c)
{
	uint32_t mine = kn_self_generation();
	bool left;

	kn_self_lock();
	left = c->left;
	if (!left && c->generation != mine) {
		kn_stream_forget(c->stream, c->sending.changing);
		if (c->receiving.changing) {
			kn_stream_lose(c->stream);
			c->end = c->end != 0 ? c->end : -ESTALE;
		}
		renew_turn(&c->sending);
		renew_turn(&c->receiving);
		c->owed_hellos = c->owed_byes = 0;
		c->is_user = false;
		__atomic_store_n(&c->generation, mine, __ATOMIC_RELEASE);
	}
	kn_self_unlock();
	return left ? kn_conn_not_given(c) : 0;
}

static inline bool
is_ours(const kin_conn *c)
{
	return __atomic_load_n(&c->generation, __ATOMIC_ACQUIRE) ==
	       kn_self_generation();
}

static inline int
make_ours(kin_conn *c)
{
	return kn_likely(is_ours(c)) ? 0 : renew(c);
}

/* A call of the user's: see conn.h for why no sooner. */
static int
become_user(kin_conn *c)
{
	int r = make_ours(c);

	if (kn_unlikely(r < 0))
		return r;
	if (kn_unlikely(!__atomic_load_n(&c->is_user, __ATOMIC_RELAXED)) &&
	    !__atomic_exchange_n(&c->is_user, true, __ATOMIC_RELAXED))
		__atomic_add_fetch(&c->owed_hellos, 1, __ATOMIC_SEQ_CST);
	return 0;
}

/* ---- turns ---- */

/* On which side of the change a fork falls is seen in the child: see renew. */
void
kn_turn_changing(struct kn_turn *turn, bool changing)
{
	if (!changing)
		__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&turn->changing, changing, __ATOMIC_RELAXED);
	if (changing)
		__atomic_thread_fence(__ATOMIC_RELEASE);
}

static int
lock_until(pthread_mutex_t *mutex, kin_time deadline)
{
	struct timespec ts;
#if KN_TSAN	/* which knows nothing of clocklock */
	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += (deadline.ns - kin_now().ns) / 1000000000 + 1;
	return pthread_mutex_timedlock(mutex, &ts);
#else
	ts.tv_sec = deadline.ns / 1000000000;
	ts.tv_nsec = deadline.ns % 1000000000;
	return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &ts);
#endif
}

/* Cancelled while it has the turn, a thread would never give it back. */
static bool
take_turn(struct kn_turn *turn, kin_time deadline)
{
	int state, r;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	r = pthread_mutex_trylock(&turn->mutex);
	if (kn_unlikely(r != 0) && deadline.ns == INT64_MAX)
		r = pthread_mutex_lock(&turn->mutex);
	else if (kn_unlikely(r != 0) && deadline.ns > 0)
		r = lock_until(&turn->mutex, deadline);
	if (r != 0) {
		pthread_setcancelstate(state, &state);
		return false;
	}
	turn->cancel_state = state;
	kn_turn_changing(turn, true);
	return true;
}

static void
give_turn(struct kn_turn *turn)
{
	int state = turn->cancel_state;

	kn_turn_changing(turn, false);
	pthread_mutex_unlock(&turn->mutex);
	pthread_setcancelstate(state, &state);
}

/*
 * Say what is owed if nobody is sending; else whoever is does so at the end of
 * its turn: it lets go first and looks second, we add first and try second.
 */
static int
settle(kin_conn *c)
{
	int r;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!owes(c) || !take_turn(&c->sending, KIN_NOWAIT))
		return 0;
	r = say_owed(c);
	give_turn(&c->sending);
	return r;
}

int
kn_conn_say(kin_conn *c, uint16_t type)
{
	uint32_t *owed = type == KN_CONN_HELLO ? &c->owed_hellos :
			 &c->owed_byes;
	int r = make_ours(c);

	if (kn_unlikely(r < 0))
		return r;
	__atomic_add_fetch(owed, 1, __ATOMIC_SEQ_CST);
	return settle(c);
}

int
kn_conn_begin_send(kin_conn *c, kin_time deadline)
{
	int r = become_user(c);

	if (kn_unlikely(r < 0))
		return r;
	if (!take_turn(&c->sending, deadline))
		return kn_fail(-ETIMEDOUT, "conn '%s': another thread was "
			       "sending until the deadline", c->label);
	r = kn_unlikely(owes(c)) ? say_owed(c) : 0;
	if (r < 0) {
		give_turn(&c->sending);
		return kn_conn_named(c, r);
	}
	return 0;
}

void
kn_conn_end_send(kin_conn *c)
{
	give_turn(&c->sending);
	(void)settle(c);
}

int
kn_conn_begin_recv(kin_conn *c, kin_time deadline)
{
	int r = become_user(c);

	if (kn_unlikely(r < 0))
		return r;
	if (kn_unlikely(owes(c)))
		r = settle(c);
	if (r < 0)
		return kn_conn_named(c, r);
	if (!take_turn(&c->receiving, deadline))
		return kn_fail(-ETIMEDOUT, "conn '%s': another thread was "
			       "receiving until the deadline", c->label);
	return 0;
}

void
kn_conn_end_recv(kin_conn *c)
{
	give_turn(&c->receiving);
}

/* ---- the last word ---- */

/*
 * The socket may be full of what was sent before.  It takes our bye all the
 * same if its room is enlarged; else the close would look like a death.
 */
static void
enlarge(int fd)
{
	int bytes;

	/* What is told is the double of what is to be asked for. */
	if (kn_os_sockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes) == 0)
		(void)kn_os_set_sockopt(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

static void
say_last(struct kn_stream *s)
{
	struct kn_frame bye = { .type = KN_CONN_BYE };

	if (kn_stream_send(s, &bye, NULL, 0, NULL, 0, KN_LATER) < 0 ||
	    kn_stream_flush(s) != 0)
		return;
	enlarge(kn_stream_fd(s));
	(void)kn_stream_flush(s);
}

void
kn_conn_say_bye(kin_conn *c)
{
	struct kn_sentence sentence;

	kn_sentence_save(&sentence);
	if (!is_ours(c)) {
		(void)renew(c);	/* what was being changed is not to be freed */
	} else {
		/* From here on, whatever a child of another thread's finds. */
		kn_turn_changing(&c->receiving, true);
		kn_turn_changing(&c->sending, true);
		(void)say_owed(c);
		if (c->is_user)
			say_last(c->stream);
		else
			(void)kn_stream_flush(c->stream);
	}
	kn_sentence_restore(&sentence);
}

static void
count(void *arg, uint16_t type)
{
	int64_t *users = arg;

	*users += type == KN_CONN_HELLO ? 1 : type == KN_CONN_BYE ? -1 : 0;
}

int64_t
kn_conn_users(kin_conn *c)
{
	int64_t users = c->users;

	kn_stream_each(c->stream, count, &users);
	return users;
}

/* ---- as a thing that travels ---- */

/* What goes along with the descriptor; then the label. */
struct luggage {
	uint64_t users, max_bytes, max_copy_bytes;
};

/* It never arrived: the hello that was said for it is taken back. */
static void
back(const struct kn_lent *lent)
{
	(void)kn_conn_say(lent->thing, KN_CONN_BYE);
}

/* The packing thread may not wait, and other threads' business is theirs. */
static int64_t
look_at_received(kin_conn *c, size_t *ret_waiting)
{
	int64_t users = 0;

	*ret_waiting = 0;
	if (!take_turn(&c->receiving, KIN_NOWAIT))
		return users;
	users = kn_conn_users(c);
	*ret_waiting = kn_stream_waiting(c->stream);
	give_turn(&c->receiving);
	return users;
}

/*
 * The place of one user goes along.  If it was ours it is not ours any more,
 * so that our close says nothing while somebody else is sending.
 */
static int
hand_over(kin_conn *c)
{
	if (__atomic_exchange_n(&c->is_user, false, __ATOMIC_RELAXED))
		return 0;
	return kn_conn_say(c, KN_CONN_HELLO);
}

static int
pack(const void *thing, struct kn_pack *to)
{
	unsigned char bytes[sizeof(struct luggage) + KN_CONN_LABEL];
	struct luggage with;
	size_t waiting, len;
	kin_conn *c;
	int r;

	memcpy(&c, &thing, sizeof(c));	/* it is going to owe a word */
	r = make_ours(c);
	if (r < 0)
		return r;
	r = hand_over(c);
	if (r < 0)
		return kn_conn_named(c, r);
	with.users = htole64((uint64_t)look_at_received(c, &waiting));
	with.max_bytes = htole64(c->max_bytes);
	with.max_copy_bytes = htole64(c->max_copy_bytes);
	if (waiting > 0) {
		(void)kn_conn_say(c, KN_CONN_BYE);
		return kn_fail(-EBUSY, "conn '%s' has received %zu bytes that "
			       "were not asked for yet, and would lose them",
			       c->label, waiting);
	}
	len = strlen(c->label);
	memcpy(bytes, &with, sizeof(with));
	memcpy(bytes + sizeof(with), c->label, len);
	r = kn_pack_by_fd(to, kn_stream_fd(c->stream), false, bytes,
			  sizeof(with) + len, back, c);
	if (r < 0)
		(void)kn_conn_say(c, KN_CONN_BYE);
	return r;
}

/* From outside: nothing that could spoil a sentence. */
static void
copy_label(char *label, const unsigned char *from, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		label[i] = from[i] < ' ' || from[i] > '~' ? '?' :
			   (char)from[i];
	label[len] = '\0';
}

static int
unpack(void **ret, const struct kn_unpack *from)
{
	char label[KN_CONN_LABEL] = "";
	struct kin_conn_opts opts = { .size = sizeof(opts), .label = label };
	struct luggage with;
	kin_conn *c;
	int r;

	if (from->way != KN_BY_FD || from->len < sizeof(with) ||
	    from->len - sizeof(with) >= sizeof(label))
		return kn_fail(-EPROTO, "a connection came in a form that is "
			       "none of kin's");
	memcpy(&with, from->more, sizeof(with));
	copy_label(label, from->more + sizeof(with),
		   from->len - sizeof(with));
	opts.max_bytes = le64toh(with.max_bytes);
	opts.max_copy_bytes = le64toh(with.max_copy_bytes);
	r = kin_conn_attach(&c, from->fd, &opts);
	if (r < 0)
		return r;
	c->users = (int32_t)le64toh(with.users);
	/* Hello was said by who packed it, once; another says its own. */
	c->is_user = !from->again;
	*ret = c;
	return 0;
}

static void
close_it(void *thing)
{
	kin_conn_close(thing);
}

/* What it stands for is still to be taken: the other end hears nothing. */
static void
undo(void *thing)
{
	kin_conn *c = thing;

	c->is_user = false;
	kin_conn_close(c);
}

/* Nobody ever made a handle of it: say what that one's close would have. */
static void
unclaimed(int fd)
{
	struct kn_sentence sentence;
	struct kn_stream *s;
	int own;

	kn_sentence_save(&sentence);
	own = kn_os_dup(fd);
	if (own >= 0 && kn_stream_new(&s, own) == 0) {
		say_last(s);
		kn_stream_free(s);
	}
	kn_sentence_restore(&sentence);
}

static const struct kn_thing thing = {
	.a = "a connection",
	.pack = pack,
	.unpack = unpack,
	.close = close_it,
	.unclaimed = unclaimed,
	.undo = undo,
};

__attribute__((constructor)) static void
enter(void)
{
	kn_thing_enter(KIN_THING_CONN, &thing);
}
