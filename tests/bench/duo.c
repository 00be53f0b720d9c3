/* SPDX-License-Identifier: MIT */
/*
 * duo.c - two processes on chosen CPUs, and the wires between them
 *
 * Both sides' processes, kin's and the bare ones', are started, placed, and
 * collected here, and so in the same way.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "duo.h"

#define GRACE_MS	5000		/* beyond what a run is to take */

/* ---- CPUs ---- */

/* The core that cpu is a thread of, or its own number where nobody says. */
static long
core_of(int cpu)
{
	char path[96];
	long core = cpu;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/"
				     "thread_siblings_list", cpu);
	f = fopen(path, "r");
	if (f == NULL)
		return core;
	if (fscanf(f, "%ld", &core) != 1)
		core = cpu;
	fclose(f);
	return core;
}

int
duo_cpus(int ret_cpu[2])
{
	int cpu[2] = { -1, -1 };
	cpu_set_t set;
	int i;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set))
			continue;
		if (cpu[0] < 0)
			cpu[0] = i;
		else if (cpu[1] < 0 || core_of(cpu[1]) == core_of(cpu[0]))
			cpu[1] = i;
	}
	if (ret_cpu != NULL)
		memcpy(ret_cpu, cpu, sizeof(cpu));
	return cpu[1] < 0 ? 1 : 2;
}

int
duo_stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

/* ---- wires ---- */

static int
share(size_t bytes, void *ret)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	memcpy(ret, &at, sizeof(at));
	return 0;
}

static void
cut(struct duo_wire *wire)
{
	kin_queue_close(wire->queue);
	if (wire->ring != NULL)
		munmap(wire->ring, sizeof(*wire->ring));
	if (wire->box != NULL)
		munmap(wire->box, sizeof(*wire->box));
	if (wire->pipe[0] >= 0)
		close(wire->pipe[0]);
	if (wire->pipe[1] >= 0)
		close(wire->pipe[1]);
}

static int
lay(struct duo_wire *wire)
{
	int r;

	r = kin_queue_create(&wire->queue, NULL);
	if (r == 0)
		r = share(sizeof(*wire->ring), &wire->ring);
	if (r == 0)
		r = share(sizeof(*wire->box), &wire->box);
	if (r == 0 && pipe(wire->pipe) < 0)
		r = -errno;
	return r;
}

/* ---- what goes both ways ---- */

static void
cut_both(struct duo *duo)
{
	int i;

	for (i = 0; i < 2; i++) {
		cut(&duo->wires[i]);
		kin_conn_close(duo->ends[i]);
		if (duo->socks[i] >= 0)
			close(duo->socks[i]);
	}
	munmap(duo->board, sizeof(*duo->board));
}

static int
lay_both(struct duo *duo)
{
	static const struct duo_wire none = { .pipe = { -1, -1 } };
	int r;

	duo->wires[0] = duo->wires[1] = none;
	duo->ends[0] = duo->ends[1] = NULL;
	duo->socks[0] = duo->socks[1] = -1;
	r = share(sizeof(*duo->board), &duo->board);
	if (r < 0)
		return r;
	r = lay(&duo->wires[0]);
	if (r == 0)
		r = lay(&duo->wires[1]);
	if (r == 0)
		r = kin_pipe(&duo->ends[0], &duo->ends[1], NULL);
	if (r == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				 duo->socks) < 0)
		r = -errno;
	if (r < 0)
		cut_both(duo);
	return r;
}

/* ---- the two ---- */

/* Use the queues for the first time in this process. */
static int
join(struct duo *duo)
{
	char buf[64];
	int i;

	for (i = 0; i < 2; i++) {
		ssize_t n = kin_queue_get(duo->wires[i].queue, buf,
					  sizeof(buf), KIN_NOWAIT);

		if (n != -ETIMEDOUT)
			return n < 0 ? (int)n : -EPROTO;
	}
	return 0;
}

/*
 * Where both are to be on one CPU, kin has to know it when it joins.  Where
 * they are to be on two, it has to see two, as it would without our pinning.
 */
static int
take_place(struct duo *duo, int who)
{
	int r;

	if (!duo->apart) {
		r = duo_stay_on(duo->cpu[0]);
		return r < 0 ? r : join(duo);
	}
	r = join(duo);
	return r < 0 ? r : duo_stay_on(duo->cpu[who]);
}

/* Our memory as it was is the child's own, and so are addresses in it. */
struct part {
	struct duo *duo;
	int who;
};

static int
play(kin_call *call)
{
	struct part part;
	const void *bytes;
	kin_conn *end;
	size_t len;
	int r;

	r = kin_call_take(call, KIN_BIN(&bytes, &len), &end);
	if (r < 0)
		return r;
	memcpy(&part, bytes, sizeof(part));
	part.duo->ends[part.who] = end;
	r = take_place(part.duo, part.who);
	if (r == 0)
		r = duo_meet(part.duo);
	if (r == 0)
		r = part.duo->play(part.duo, part.who);
	return r;
}

int
duo_meet(struct duo *duo)
{
	uint32_t *here = &duo->board->here;

	__atomic_add_fetch(here, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(here, __ATOMIC_SEQ_CST) % 2 != 0) {
		if (kin_now().ns >= duo->deadline.ns)
			return -ETIMEDOUT;
		sched_yield();
	}
	return 0;
}

static int
result_of(const struct kin_status *status)
{
	return status->how == KIN_EXITED ? status->code : -ECHILD;
}

/* Wait for both; if one fails or is late, neither outlives this. */
static int
collect(struct duo *duo, kin_process *p[2])
{
	kin_time deadline = { duo->deadline.ns + 1000000000 };
	struct kin_status status;
	int i, r = 0;

	for (i = 0; i < 2; i++) {
		int r2;

		if (r < 0)
			(void)kin_process_signal(p[i], SIGKILL);
		r2 = kin_process_join(p[i], &status, deadline);
		if (r2 == -ETIMEDOUT)
			(void)kin_process_signal(p[i], SIGKILL);
		if (r == 0)
			r = r2 < 0 ? r2 : result_of(&status);
	}
	return r;
}

static int
cast(struct duo *duo)
{
	struct part parts[2] = { { duo, 0 }, { duo, 1 } };
	kin_process *p[2];
	int r;

	r = kin_process_start(&p[0], play,
			      KIN_ARGS(KIN_BIN(&parts[0], sizeof(*parts)),
				       duo->ends[0]),
			      NULL);
	if (r < 0)
		return r;
	r = kin_process_start(&p[1], play,
			      KIN_ARGS(KIN_BIN(&parts[1], sizeof(*parts)),
				       duo->ends[1]),
			      NULL);
	if (r == 0) {
		r = collect(duo, p);
		kin_process_close(p[1]);
	} else {
		(void)kin_process_signal(p[0], SIGKILL);
	}
	kin_process_close(p[0]);
	return r;
}

int
duo_run(struct duo *duo, double *ret)
{
	int r;

	duo->deadline = kin_in_ms((int64_t)(duo->seconds * 1000) + GRACE_MS);
	(void)duo_cpus(duo->cpu);
	r = lay_both(duo);
	if (r < 0)
		return r;
	r = cast(duo);
	*ret = duo->board->figure;
	cut_both(duo);
	return r;
}
