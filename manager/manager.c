/* SPDX-License-Identifier: MIT */
/*
 * manager.c - start a server, connect to one, end it
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/process.h"
#include "manager/client.h"
#include "manager/manager.h"
#include "manager/message.h"
#include "manager/server.h"
#include "shm/error.h"
#include "shm/os.h"

struct kin_manager {
	struct kn_client *client;
	kin_process *process;		/* NULL: somebody else started it */
};

struct kn_client *
kn_manager_client(const kin_manager *m)
{
	kn_assert(m != NULL);
	return m->client;
}

/* ---- start ---- */

static int
start_process(kin_process **ret_p, int listener, const char *address,
	      const struct kin_manager_opts *opts)
{
	const char *name = opts->name != NULL ? opts->name : "kin-manager";

	return kin_process_start(ret_p, kn_serve,
				 KIN_ARGS(KIN_FD(listener), address,
					  opts->max_bytes),
				 KIN_OPTS(kin_process_opts, .name = name,
					  .context = kin_context_fork(),
					  .flags = opts->flags &
						   KIN_MANAGER_THREADS ?
						   KIN_PROCESS_THREADS : 0));
}

static int
check_opts(const struct kin_manager_opts *opts)
{
	if ((opts->flags & ~KIN_MANAGER_THREADS) != 0)
		return kn_fail(-EINVAL, "manager: flags %#x", opts->flags);
	return 0;
}

int
kin_manager_start(kin_manager **ret_m, const struct kin_manager_opts *user,
		  kin_time deadline)
{
	struct kin_manager_opts opts;
	char address[KN_ADDRESS_MAX];
	kin_process *process;
	int listener, r;

	kn_assert(ret_m != NULL);
	r = kn_opts_copy(&opts, sizeof(opts), user);
	if (r == 0)
		r = check_opts(&opts);
	if (r < 0)
		return r;
	listener = kn_address_listen(opts.name, deadline, address);
	if (listener < 0)
		return listener;
	r = start_process(&process, listener, address, &opts);
	kn_os_close(listener);
	if (r < 0) {
		kn_address_remove(address);
		return r;
	}
	r = kin_manager_connect(ret_m, address, deadline);
	if (r < 0) {
		(void)kin_process_signal(process, SIGKILL);
		kin_process_close(process);
		kn_address_remove(address);
		return r;
	}
	kn_process_apart(process);	/* it ends in order when we have */
	(*ret_m)->process = process;
	return 0;
}

/* ---- connect ---- */

int
kin_manager_connect(kin_manager **ret_m, const char *address,
		    kin_time deadline)
{
	kin_manager *m;
	int r;

	kn_assert(ret_m != NULL);
	kn_assert(address != NULL);
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return kn_fail(-ENOMEM, "a manager's handle");
	r = kn_client_connect(&m->client, address, deadline);
	if (r < 0) {
		free(m);
		return r;
	}
	*ret_m = m;
	return 0;
}

const char *
kin_manager_address(const kin_manager *m)
{
	kn_assert(m != NULL);
	return m->client->address;
}

pid_t
kin_manager_pid(const kin_manager *m)
{
	kn_assert(m != NULL);
	return __atomic_load_n(&m->client->pid, __ATOMIC_RELAXED);
}

/* ---- what it is asked ---- */

static int
ask(const kin_manager *m, const char *method, struct kin_args args,
    struct kin_slots places, kin_time deadline)
{
	kin_values *v;
	int r;

	kn_assert(m != NULL);
	r = kn_call(m->client, KN_SERVER_OBJECT, method, args, &v, NULL,
		    deadline);
	if (r < 0)
		return r;
	r = kin_values_take_all(v, places);
	kin_values_free(v);
	return r < 0 ? kn_fail(-EPROTO, KN_NONSENSE) : 0;
}

int
kin_manager_unlink(kin_manager *m, const char *name, kin_time deadline)
{
	kn_assert(name != NULL);
	return ask(m, "unlink", KIN_ARGS(name), KIN_TAKE(), deadline);
}

int
kin_manager_count(kin_manager *m, struct kin_manager_counts *ret,
		  kin_time deadline)
{
	struct kin_manager_counts c;
	int r;

	kn_assert(ret != NULL);
	r = ask(m, "count", KIN_ARGS(),
		KIN_TAKE(&c.objects, &c.names, &c.sessions, &c.underway,
			 &c.calls), deadline);
	if (r == 0)
		*ret = c;
	return r;
}

/* ---- the end ---- */

int
kin_manager_stop(kin_manager *m, kin_time deadline)
{
	int r = ask(m, "stop", KIN_ARGS(), KIN_TAKE(), deadline);

	if (r < 0 && r != -ECONNRESET)
		return r;
	r = kn_client_await_end(m->client, deadline);
	if (r == 0 && m->process != NULL)
		r = kin_process_join(m->process, NULL, deadline);
	return r == -ESTALE ? 0 : r;	/* a forked child is no parent */
}

void
kin_manager_close(kin_manager *m)
{
	int saved = errno;

	if (m == NULL)
		return;
	/* The server may end now, with its last client. */
	if (m->process != NULL)
		kn_call_tell(m->client, kn_client_session(m->client),
			     KN_SERVER_OBJECT, "leave", KIN_ARGS());
	kin_process_close(m->process);
	kn_client_drop(m->client);
	free(m);
	errno = saved;
}
