/* SPDX-License-Identifier: MIT */
/*
 * show.c - kin show: all there is to know of some segments
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static bool
number(const char *text, uint64_t *ret)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0;
}

static bool
held_by(const kin_inspection *all, const struct kin_seen_segment *seg,
	uint64_t pid)
{
	struct kin_seen_holder holder = { 0 };

	while (kin_inspect_next_holder(all, seg, &holder) > 0)
		if ((uint64_t)holder.pid == pid)
			return true;
	return false;
}

/* A name, a label, an inode's number or a holder's pid; never nothing. */
static bool
matches(const kin_inspection *all, const struct kin_seen_segment *seg,
	const char *what)
{
	uint64_t n;

	if (what[0] == '\0')
		return false;
	if (strcmp(what, seg->name) == 0 || strcmp(what, seg->label) == 0)
		return true;
	return number(what, &n) && (n == seg->inode || held_by(all, seg, n));
}

static void
line_of(const char *key, const char *value)
{
	printf("  %-10s %s\n", key, value);
}

static void
print_holders(const kin_inspection *all, const struct kin_seen_segment *seg)
{
	struct kin_seen_holder holder = { 0 };

	printf("  %-10s %u\n", "holders", seg->holders);
	while (kin_inspect_next_holder(all, seg, &holder) > 0)
		printf("  %-10s pid %d, %s, %s, %u descriptor%s\n", "holder",
		       (int)holder.pid, holder.command,
		       holder.mapped ? "maps it" : "does not map it",
		       holder.descriptors, holder.descriptors == 1 ? "" : "s");
}

static void
print_segment(const kin_inspection *all, const struct kin_seen_segment *seg)
{
	struct kin_seen_fact fact = { 0 };
	char size[16];

	printf("%s '%s'\n", strcmp(seg->kind, "?") == 0 ? "unknown" :
	       seg->kind, seg->label);
	if (seg->trouble[0] != '\0')
		line_of("trouble", seg->trouble);
	line_of("name", seg->name[0] != '\0' ? seg->name : "none");
	printf("  %-10s %" PRIu64 " bytes (%s)\n", "size", seg->bytes,
	       tool_size(size, sizeof(size), seg->bytes));
	while (kin_inspect_next_fact(all, seg, &fact) > 0)
		line_of(fact.key, fact.value);
	print_holders(all, seg);
}

static unsigned
print(const kin_inspection *all, const struct tool_line *line)
{
	struct kin_seen_segment seg = { 0 };
	struct tool_json json;
	unsigned found = 0;

	if (line->json)
		tool_json_begin(&json, all, true);
	while (kin_inspect_next(all, &seg) > 0) {
		if (!matches(all, &seg, line->what))
			continue;
		if (line->json)
			tool_json_segment(&json, &seg);
		else {
			printf("%s", found > 0 ? "\n" : "");
			print_segment(all, &seg);
		}
		found++;
	}
	if (line->json)
		tool_json_end(&json);
	return found;
}

int
tool_show(const struct tool_line *line)
{
	kin_inspection *all;
	unsigned found;
	int r;

	r = kin_inspect(&all);
	if (r < 0)
		return kin_perror("kin", r);
	found = print(all, line);
	if (found == 0) {
		fprintf(stderr, "kin: no segment has that name, label, inode "
			"or holder\n");
		tool_tell_hidden(all);
	}
	kin_inspect_free(all);
	return found > 0 ? TOOL_OK : TOOL_NOTHING;
}
