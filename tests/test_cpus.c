/* SPDX-License-Identifier: MIT */
/*
 * test_cpus.c - how many processes there is room for: affinity, and the quotas
 * of control groups that are made of plain files
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kin/cpu.h>

#include "lib/cpus.h"
#include "tests/kit.h"

static char root[64];

static void
make_root(void)
{
	snprintf(root, sizeof(root), "/tmp/kin-cpus-%d", (int)getpid());
	ck_assert_int_eq(mkdir(root, 0700), 0);
}

static void
remove_root(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
}

/* With the directories that it needs. */
static void
put(const char *name, const char *text)
{
	char path[256], *slash;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (slash = strchr(path + strlen(root) + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static int
quota(const char *groups)
{
	char path[128];

	put("groups", groups);
	snprintf(path, sizeof(path), "%s/groups", root);
	return kn_cpus_quota(path, root);
}

START_TEST(version_2)
{
	put("a/b/cpu.max", "max 100000\n");
	ck_assert_int_eq(quota("0::/a/b\n"), KN_NO_QUOTA);
	put("a/b/cpu.max", "150000 100000\n");
	ck_assert_int_eq(quota("0::/a/b\n"), 2);
	put("a/b/cpu.max", "1000 100000\n");
	ck_assert_int_eq(quota("0::/a/b\n"), 1);
	put("a/cpu.max", "300000 100000\n");
	put("a/b/cpu.max", "800000 100000\n");
	ck_assert_int_eq(quota("0::/a/b\n"), 3);
	ck_assert_int_eq(quota("0::/a\n"), 3);
	ck_assert_int_eq(quota("0::/\n"), KN_NO_QUOTA);
}
END_TEST

START_TEST(version_1)
{
	put("cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
	put("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
	ck_assert_int_eq(quota("4:memory:/x\n3:cpu,cpuacct:/a\n"), KN_NO_QUOTA);
	put("cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n");
	ck_assert_int_eq(quota("4:memory:/x\n3:cpu,cpuacct:/a\n"), 3);
	put("cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
	put("cpu,cpuacct/cpu.cfs_period_us", "50000\n");
	ck_assert_int_eq(quota("3:cpu,cpuacct:/a\n0::/a"), 1);
	ck_assert_int_eq(quota("3:cpuacct:/a\n5:cpuset:/a\n"), KN_NO_QUOTA);
}
END_TEST

/* A container sees the host's path, and its own group at the root. */
START_TEST(a_path_that_is_not_there)
{
	put("cpu.max", "200000 100000\n");
	ck_assert_int_eq(quota("0::/docker/0123456789\n"), 2);
}
END_TEST

START_TEST(rubbish_is_no_quota)
{
	static const char *const groups[] = {
		"", "\n", "0\n", ":\n", "0:\n", "::\n", "0::\n", "0::..\n",
		":cpu:", "0::/a",
	};
	static const char *const maxima[] = {
		"", "max", "1", "x y", "0 0", "-5 10", "5 -10", "1 0",
	};
	size_t i, j;

	for (i = 0; i < sizeof(maxima) / sizeof(maxima[0]); i++) {
		put("a/cpu.max", maxima[i]);
		for (j = 0; j < sizeof(groups) / sizeof(groups[0]); j++)
			ck_assert_int_eq(quota(groups[j]), KN_NO_QUOTA);
	}
	put("a/cpu.max", "9223372036854775807 1");
	ck_assert_int_eq(quota("0::/a"), KN_NO_QUOTA);
	ck_assert_int_eq(kn_cpus_quota("/no/such", "/no/such"), KN_NO_QUOTA);
}
END_TEST

START_TEST(affinity)
{
	cpu_set_t one;

	ck_assert_int_ge(kin_cpu_count(), 1);
	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	ck_assert_int_eq(kin_cpu_count(), 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cpus");
	TCase *tc = kit_case(suite, "cpus");

	tcase_add_checked_fixture(tc, make_root, remove_root);
	tcase_add_test(tc, version_2);
	tcase_add_test(tc, version_1);
	tcase_add_test(tc, a_path_that_is_not_there);
	tcase_add_test(tc, rubbish_is_no_quota);
	tcase_add_test(tc, affinity);
	return kit_run(suite);
}
