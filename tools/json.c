/* SPDX-License-Identifier: MIT */
/*
 * json.c - what was seen, for programs
 */
#include <inttypes.h>
#include <stdio.h>

#include "tool.h"

/* kin's text is UTF-8 without control characters; we need not rely on it. */
static void
string(const char *text)
{
	const unsigned char *p;

	putchar('"');
	for (p = (const unsigned char *)text; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f)
			printf("\\u%04x", *p);
		else if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else
			putchar(*p);
	putchar('"');
}

static void
member(const char *key, const char *value)
{
	printf(", \"%s\": ", key);
	string(value);
}

static void
holders(const kin_inspection *all, const struct kin_seen_segment *seg)
{
	struct kin_seen_holder holder = { 0 };
	const char *comma = "";

	printf(",\n   \"holders\": [");
	while (kin_inspect_next_holder(all, seg, &holder) > 0) {
		printf("%s\n    {\"pid\": %d", comma, (int)holder.pid);
		member("command", holder.command);
		printf(", \"mapped\": %s, \"descriptors\": %u}",
		       holder.mapped ? "true" : "false", holder.descriptors);
		comma = ",";
	}
	printf("]");
}

/* An array, and not an object: keys come more than once. */
static void
facts(const kin_inspection *all, const struct kin_seen_segment *seg)
{
	struct kin_seen_fact fact = { 0 };
	const char *comma = "";

	printf(",\n   \"facts\": [");
	while (kin_inspect_next_fact(all, seg, &fact) > 0) {
		printf("%s\n    [", comma);
		string(fact.key);
		printf(", ");
		string(fact.value);
		printf("]");
		comma = ",";
	}
	printf("]");
}

void
tool_json_begin(struct tool_json *json, const kin_inspection *all,
		bool with_facts)
{
	*json = (struct tool_json){ .all = all, .facts = with_facts };
	printf("{\"hidden\": %u,\n \"segments\": [", kin_inspect_hidden(all));
}

void
tool_json_segment(struct tool_json *json, const struct kin_seen_segment *seg)
{
	printf("%s\n  {\"kind\": ", json->n++ > 0 ? "," : "");
	string(seg->kind);
	member("label", seg->label);
	member("name", seg->name);
	printf(",\n   \"bytes\": %" PRIu64 ", \"device\": %" PRIu64
	       ", \"inode\": %" PRIu64 ", \"uid\": %u, \"creator\": %d",
	       seg->bytes, seg->device, seg->inode, seg->uid,
	       (int)seg->creator);
	printf(", \"named\": %s, \"sealed\": %s",
	       seg->flags & KIN_SEEN_NAMED ? "true" : "false",
	       seg->flags & KIN_SEEN_SEALED ? "true" : "false");
	member("trouble", seg->trouble);
	holders(json->all, seg);
	if (json->facts)
		facts(json->all, seg);
	printf("}");
}

void
tool_json_end(const struct tool_json *json)
{
	printf("%s]}\n", json->n > 0 ? "\n " : "");
}
