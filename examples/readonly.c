/* SPDX-License-Identifier: MIT */
/*
 * readonly.c - a table that many processes read, and a bug that is caught
 *
 *      config ──freeze──▶ one sealed copy ──▶ bill ─┐
 *                                    │                ├─▶ totals
 *                                    └──────▶ bill ─┘
 *
 * Each child bills its share of the orders by the same prices, which are in
 * memory once.  With --bug, one of them rounds a price "for itself", and so
 * for everybody: the store does not happen, and kin says who tried it, on what
 * and where.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kin/kin.h>

#define CHILDREN	3
#define PRICES		1000
#define ORDERS		30000

struct price {
	char item[24];
	int64_t cents;
};

static struct price config[PRICES];

static int
failed(const char *what, int r)
{
	fprintf(stderr, "readonly: %s: %s: %s\n", what, kin_strerror(r),
		kin_errmsg());
	return r;
}

/* In the children */

/* What an order costs: a fifth less from ten pieces on. */
static int64_t
cost(const struct price *price, int64_t pieces)
{
	int64_t cents = price->cents * pieces;

	return pieces >= 10 ? cents * 4 / 5 : cents;
}

/* The bug: whoever wrote this thought that the prices were a copy. */
static int64_t
rounded_cost(struct price *price, int64_t pieces)
{
	price->cents = (price->cents + 50) / 100 * 100;
	return cost(price, pieces);
}

static int
bill(kin_call *call)
{
	const struct price *prices;
	int64_t first, total = 0;
	bool bug;
	size_t len;
	int r;

	r = kin_call_take(call, KIN_RO(&prices, &len), &first, &bug);
	if (r < 0)
		return failed("take the prices", r);
	for (int64_t i = first; i < ORDERS; i += CHILDREN) {
		size_t item = (size_t)(i * 7) % (len / sizeof(*prices));

		if (bug)
			total += rounded_cost((struct price *)&prices[item],
					      i % 20);
		else
			total += cost(&prices[item], i % 20);
	}
	return kin_call_return(call, total);
}
KIN_ENTRY(bill);

/* In the parent */

static void
fill_config(void)
{
	for (int i = 0; i < PRICES; i++) {
		snprintf(config[i].item, sizeof(config[i].item), "item %d", i);
		config[i].cents = 95 + i * 13 % 700;
	}
}

static int
start_all(kin_process **children, bool bug)
{
	for (int i = 0; i < CHILDREN; i++) {
		int r = kin_process_start(&children[i], bill,
		    KIN_ARGS(KIN_RO(config, sizeof(config)), i,
			     KIN_BOOL(bug && i == 1)), NULL);

		if (r < 0)
			return failed("start a child", r);
	}
	return 0;
}

/* Its share of the total, or how it failed to give one. */
static int
finish(kin_process *child, int64_t *total)
{
	struct kin_status status;
	char words[80];
	int64_t share;
	int r;

	r = kin_process_join(child, &status, kin_in_ms(60000));
	if (r < 0)
		return failed("wait for a child", r);
	printf("child %d %s\n", (int)kin_process_pid(child),
	       kin_status_words(&status, words, sizeof(words)));
	r = kin_process_result(child, KIN_TAKE(&share), kin_in_ms(60000));
	if (r < 0)
		return failed("a child's share", r);
	*total += share;
	return 0;
}

static int64_t
bill_alone(void)
{
	int64_t total = 0;

	for (int64_t i = 0; i < ORDERS; i++)
		total += cost(&config[i * 7 % PRICES], i % 20);
	return total;
}

int
main(int argc, char **argv)
{
	kin_process *children[CHILDREN] = { NULL };
	bool bug = argc > 1 && strcmp(argv[1], "--bug") == 0;
	bool whole = true;
	int64_t total = 0;
	int r;

	r = kin_init(argc, argv);
	if (r < 0)
		return failed("kin_init", r), EXIT_FAILURE;
	fill_config();
	r = start_all(children, bug);
	for (int i = 0; i < CHILDREN; i++) {
		if (r == 0 && finish(children[i], &total) < 0)
			whole = false;
		kin_process_close(children[i]);
	}
	if (r < 0)
		return EXIT_FAILURE;

	printf("total %" PRId64 ", alone %" PRId64 ", copied %" PRIu64
	       " bytes for %d children\n", total, bill_alone(),
	       kin_copied_bytes(), CHILDREN);
	return whole && total == bill_alone() ? EXIT_SUCCESS : EXIT_FAILURE;
}
