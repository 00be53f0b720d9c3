/* SPDX-License-Identifier: MIT */
/*
 * ls.c - kin ls: a line for each segment
 *
 *      KIND     SIZE      HOLDERS  LABEL   NAME    WHO
 *      queue    76.0 KiB        2  jobs    -       812 crawl, 813 index
 *      segment  1.0 GiB         0  corpus  corpus  -
 */
#include <stdio.h>
#include <string.h>

#include "tool.h"

#define WHO_MOST	3u		/* holders that are named */

/* Columns that stand to the left; the last one is as wide as it likes. */
enum { KIND, SIZE, LABEL, NAME, COLUMNS };

struct table {
	const kin_inspection *all;
	int width[COLUMNS];
};

struct row {
	const char *cell[COLUMNS];
	char size[16];
};

/* Characters, not bytes: what printf counts is bytes. */
static int
width_of(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

static void
make_row(struct row *row, const struct kin_seen_segment *seg)
{
	row->cell[KIND] = seg->kind;
	row->cell[SIZE] = tool_size(row->size, sizeof(row->size), seg->bytes);
	row->cell[LABEL] = tool_dash(seg->label);
	row->cell[NAME] = tool_dash(seg->name);
}

static void
widen(struct table *table, const struct row *row)
{
	int i;

	for (i = 0; i < COLUMNS; i++)
		if (width_of(row->cell[i]) > table->width[i])
			table->width[i] = width_of(row->cell[i]);
}

static void
print_cell(const struct table *table, const struct row *row, int column)
{
	printf("%s%*s", row->cell[column],
	       table->width[column] - width_of(row->cell[column]) + 2, "");
}

/* What follows is the holders' number, and after two more columns the rest. */
static void
print_row(const struct table *table, const struct row *row,
	  const char *holders)
{
	print_cell(table, row, KIND);
	print_cell(table, row, SIZE);
	printf("%7s  ", holders);
	print_cell(table, row, LABEL);
	print_cell(table, row, NAME);
}

static void
print_who(const struct table *table, const struct kin_seen_segment *seg)
{
	struct kin_seen_holder holder = { 0 };

	if (seg->holders == 0)
		printf("-");
	while (kin_inspect_next_holder(table->all, seg, &holder) > 0) {
		if (holder.index > WHO_MOST) {
			printf(", and %u more", seg->holders - WHO_MOST);
			break;
		}
		printf("%s%d %s", holder.index > 1 ? ", " : "",
		       (int)holder.pid, holder.command);
	}
	if (seg->trouble[0] != '\0')
		printf("  (! %s)", seg->trouble);
	printf("\n");
}

static void
print_table(const kin_inspection *all)
{
	struct row row = { .cell = { "KIND", "SIZE", "LABEL", "NAME" } };
	struct kin_seen_segment seg = { 0 };
	struct table table = { .all = all };
	struct row head = row;
	char holders[16];

	widen(&table, &head);
	while (kin_inspect_next(all, &seg) > 0) {
		make_row(&row, &seg);
		widen(&table, &row);
	}
	print_row(&table, &head, "HOLDERS");
	printf("WHO\n");
	memset(&seg, 0, sizeof(seg));
	while (kin_inspect_next(all, &seg) > 0) {
		make_row(&row, &seg);
		snprintf(holders, sizeof(holders), "%u", seg.holders);
		print_row(&table, &row, holders);
		print_who(&table, &seg);
	}
}

static void
print_json(const kin_inspection *all)
{
	struct kin_seen_segment seg = { 0 };
	struct tool_json json;

	tool_json_begin(&json, all, false);
	while (kin_inspect_next(all, &seg) > 0)
		tool_json_segment(&json, &seg);
	tool_json_end(&json);
}

int
tool_ls(const struct tool_line *line)
{
	kin_inspection *all;
	int r;

	r = kin_inspect(&all);
	if (r < 0)
		return kin_perror("kin", r);
	if (line->json)
		print_json(all);
	else
		print_table(all);
	tool_tell_hidden(all);
	kin_inspect_free(all);
	return TOOL_OK;
}
