/* SPDX-License-Identifier: MIT */
/*
 * token.c - proxies under way
 *
 * A token's number is nobody's to guess: it is a count under a secret key.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "manager/object.h"
#include "shm/error.h"

_Static_assert(crypto_shorthash_KEYBYTES ==
	       sizeof(((struct kn_store *)NULL)->token_key), "key");
_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "number");

/* ---- whose they are ---- */

static void
join(struct kn_token_owner *owner, struct kn_token *token)
{
	token->from = owner;
	token->prev = owner->last;
	token->next = NULL;
	if (owner->last != NULL)
		owner->last->next = token;
	else
		owner->first = token;
	owner->last = token;
	owner->n++;
}

static void
part(struct kn_token *token)
{
	struct kn_token_owner *owner = token->from;

	if (token->prev != NULL)
		token->prev->next = token->next;
	else
		owner->first = token->next;
	if (token->next != NULL)
		token->next->prev = token->prev;
	else
		owner->last = token->prev;
	owner->n--;
}

/* ---- making and claiming ---- */

/* 0 is no number: a proxy that holds nothing has it. */
static uint64_t
new_number(struct kn_store *store)
{
	unsigned char count[crypto_shorthash_BYTES];
	uint64_t number;

	do {
		store->token_count++;
		memcpy(count, &store->token_count, sizeof(count));
		crypto_shorthash((unsigned char *)&number, count,
				 sizeof(count), store->token_key);
	} while (number == 0 ||
		 kn_table_find(&store->tokens, &number, 8) != NULL);
	return number;
}

int
kn_token_make(struct kn_store *store, struct kn_object *o,
	      struct kn_token_owner *from, uint64_t *ret_number)
{
	struct kn_token *token;
	struct kn_table_row *row;
	int r;

	/*
	 * Some never arrive: a child that was given one and has not used it.
	 * For these nothing may ever be refused, so the oldest goes.
	 */
	if (from->n >= KN_TOKENS_MAX)
		kn_token_claim(store, from->first->number);
	token = calloc(1, sizeof(*token));
	if (token == NULL)
		return kn_fail(-ENOMEM, "a proxy under way");
	token->number = new_number(store);
	token->object = o;
	r = kn_table_add_lent(&store->tokens, &token->number, 8, &row);
	if (r < 0) {
		free(token);
		return r;
	}
	row->value = token;
	join(from, token);
	kn_object_ref(o);
	*ret_number = token->number;
	return 0;
}

void
kn_token_claim(struct kn_store *store, uint64_t number)
{
	struct kn_table_row *row = kn_table_find(&store->tokens, &number, 8);
	struct kn_token *token;
	struct kn_object *o;

	if (row == NULL)
		return;
	token = row->value;
	o = token->object;
	kn_table_remove(&store->tokens, row);
	part(token);
	free(token);
	kn_object_unref(store, o, 1);
}

void
kn_tokens_arrive(struct kn_store *store, struct kn_span values)
{
	struct kn_head thing;

	while (store->tokens.live > 0 && kn_thing_next(&values, &thing))
		if (kn_is_own(store, &thing))
			kn_token_claim(store,
				       kn_wire_little(thing.data +
						      KN_PROXY_TOKEN, 8));
}

/* ---- after their session ---- */

void
kn_tokens_orphan(struct kn_store *store, struct kn_token_owner *from)
{
	int64_t until = kin_now().ns + KN_TOKEN_GRACE;
	struct kn_token *token;

	while ((token = from->first) != NULL) {
		part(token);
		token->until_ns = until;
		join(&store->orphans, token);
	}
}

int64_t
kn_tokens_expire(struct kn_store *store, int64_t now_ns)
{
	struct kn_token *token;

	while ((token = store->orphans.first) != NULL &&
	       token->until_ns <= now_ns)
		kn_token_claim(store, token->number);
	return token != NULL ? token->until_ns : INT64_MAX;
}
