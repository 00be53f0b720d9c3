/* SPDX-License-Identifier: MIT */
/*
 * spare.c - the memory of calls under way
 *
 * Calls that have ended are used again, since malloc is slow for who makes
 * many at once.  They are given back by anybody, and taken up, all at once, by
 * who has the client's lock.
 */
#include <stdlib.h>

#include "manager/client.h"
#include "shm/self.h"

/* The room for an answer is left as it is. */
static void
init_call(struct kin_pending *call, struct kn_client *client)
{
	call->next = NULL;
	call->client = client;
	call->id = 0;
	call->session = 0;
	call->generation = kn_self_generation();
	call->answered = false;
	call->r = 0;
	call->body = NULL;
	call->len = 0;
	call->undo = NULL;
	call->given_up = false;
}

void
kn_call_give_back(struct kn_client *client, struct kin_pending *call)
{
	call->next = __atomic_load_n(&client->ended, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&client->ended, &call->next, call,
					    true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		continue;
}

struct kin_pending *
kn_call_new(struct kn_client *client)
{
	struct kin_pending *call = client->spare;

	if (call == NULL)
		call = __atomic_exchange_n(&client->ended, NULL,
					   __ATOMIC_ACQUIRE);
	if (call != NULL)
		client->spare = call->next;
	else
		call = malloc(sizeof(*call));
	if (call != NULL)
		init_call(call, client);
	return call;
}

static void
free_calls(struct kin_pending *call)
{
	struct kin_pending *next;

	for (; call != NULL; call = next) {
		next = call->next;
		free(call);
	}
}

void
kn_calls_free(struct kn_client *client)
{
	free_calls(client->spare);
	free_calls(client->ended);
}
