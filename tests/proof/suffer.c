/* SPDX-License-Identifier: MIT */
/*
 * suffer.c - a kind is used while a peer writes anything anywhere in it
 *
 *      suffer scribble KIND     a live peer, KIN_SECONDS (20) of it
 *      suffer adverse KIND      no peer: every load of a shared word gives now
 *                               and then what one could have written.  Takes a
 *                               build with KN_ADVERSE (shm/word.h)
 *      suffer --list            the kinds
 *
 * Under sanitizers no call may touch what is not its own; each has to return
 * soon after its deadline, and to say nothing that its header does not list.
 * KIN_SEED is printed, and repeats what chance decides.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/word.h"
#include "tests/proof/plays.h"

#define DEADLINE_MS	2
#define PATIENCE_S	30		/* a call beyond it has hung */
#define ROUNDS		200		/* of one handle, at most */

static uint32_t seed;
static unsigned seconds;

static uint32_t
chance(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A word that could do harm: near the truth, or far from it. */
static uint32_t
evil(uint32_t truth, uint32_t *random)
{
	uint32_t dice = chance(random);

	switch (dice >> 29) {
	case 0:
		return 0;
	case 1:
		return truth ^ 1u << (dice & 31);
	case 2:
		return truth + (dice & 0x3f) - 0x20;
	case 3:			/* a stamp, of a process or of a thread */
		return 0x20000000u | (dice & 0x10000c07u);
	case 4:
		return 0x80000000u | truth;
	case 5:
		return (uint32_t)getppid() + (dice & 3);
	case 6:
		return dice & 0xffff;
	default:
		return dice;
	}
}

/* ---- answers ---- */

static bool
may_say(const struct play *play, long r)
{
	static const int any[] = { -EUCLEAN, -ETIMEDOUT, -EPROTO,
				   -EPROTONOSUPPORT, -ENOSPC, -EINVAL, 0 };
	const int *number;

	for (number = any; *number != 0; number++)
		if (r == *number)
			return true;
	for (number = play->says; *number != 0; number++)
		if (r == *number)
			return true;
	return r >= 0;
}

static void
judge(const struct play *play, const char *what, long r)
{
	if (may_say(play, r))
		return;
	printf("# %s %s: %ld (%s): %s\n", play->kind, what, r,
	       kin_strerror((int)r), kin_errmsg());
	fflush(stdout);
	_exit(3);
}

static struct sums {
	volatile uint64_t calls, good, spoilt, handles;
} *sums;

/* One handle, until it has had enough. */
static void
use(const struct play *play, int fd, uint32_t *random)
{
	void *thing;
	long r;
	int i;

	alarm(PATIENCE_S);
	r = play->attach(&thing, fd);
	judge(play, "attach", r);
	if (r < 0)
		return;
	sums->handles++;
	for (i = 0; i < ROUNDS; i++) {
		alarm(PATIENCE_S);
		r = play->one(thing, chance(random), kin_in_ms(DEADLINE_MS));
		judge(play, "call", r);
		sums->calls++;
		sums->good += r >= 0;
		sums->spoilt += r == -EUCLEAN;
		/* It is sticky; some go on with it all the same. */
		if (r == -EUCLEAN && chance(random) % 4 != 0)
			break;
	}
	play->close(thing);
}

/* ---- the scribbler ---- */

static size_t
map(int fd, unsigned char **ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		err(1, "fstat");
	*ret = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
	if (*ret == MAP_FAILED)
		err(1, "mmap");
	return (size_t)st.st_size;
}

/*
 * Bursts into one place or another; then, so that others get far again, all as
 * it was at first.
 */
static void __attribute__((noreturn))
scribble(int fd, uint32_t random)
{
	const struct timespec rest = { 0, 200000 };
	unsigned char *base, *sound;
	size_t bytes = map(fd, &base);

	sound = malloc(bytes);
	if (sound == NULL)
		err(1, "malloc");
	memcpy(sound, base, bytes);
	for (;;) {
		uint32_t dice = chance(&random), i, n = dice >> 8 & 0x3f;
		size_t span = (size_t)64 << (dice % 8);
		size_t at;

		if (span > bytes)
			span = bytes;
		at = chance(&random) % (bytes - span + 1) & ~(size_t)3;
		for (i = 0; i < n; i++) {
			kn_word *w = (kn_word *)(void *)
			    (base + ((at + chance(&random) % span) &
				     ~(size_t)3));

			kn_store(w, evil(kn_load(w), &random));
		}
		if (dice >> 28 == 0)
			memcpy(base, sound, bytes);
		nanosleep(&rest, NULL);
	}
}

static pid_t
fork_one(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	return pid;
}

static void __attribute__((noreturn))
sufferer(const struct play *play, int fd, uint32_t random)
{
	kin_time end = kin_in_ms(1000 * (int64_t)seconds);

	while (kin_now().ns < end.ns)
		use(play, fd, &random);
	exit(0);
}

static int
verdict(const struct play *play, const char *how, int status)
{
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	printf("%sok 1 - %s %s: %llu calls, %llu of them good, %llu -EUCLEAN, "
	       "%llu handles, seed %u", good ? "" : "not ", how, play->kind,
	       (unsigned long long)sums->calls, (unsigned long long)sums->good,
	       (unsigned long long)sums->spoilt,
	       (unsigned long long)sums->handles, seed);
	if (WIFSIGNALED(status))
		printf("; %s", WTERMSIG(status) == SIGALRM
		       ? "a call did not return" : strsignal(WTERMSIG(status)));
	printf("\n1..1\n");
	return !good;
}

static int
suffer_scribbler(const struct play *play)
{
	int fd = play->make(), status;
	pid_t evil_one, one;

	evil_one = fork_one();
	if (evil_one == 0)
		scribble(fd, seed);
	one = fork_one();
	if (one == 0)
		sufferer(play, fd, seed + 1);
	if (waitpid(one, &status, 0) < 0)
		err(1, "waitpid");
	kill(evil_one, SIGKILL);
	waitpid(evil_one, NULL, 0);
	close(fd);
	return verdict(play, "scribble", status);
}

/* ---- adverse loads ---- */

#ifdef KN_ADVERSE
static uint32_t luck, rarity;

uint32_t
kn_adverse(uint32_t v)
{
	if (rarity == 0 || chance(&luck) % rarity != 0)
		return v;
	return evil(v, &luck);
}

uint64_t
kn_adverse_wide(uint64_t v)
{
	uint32_t low = kn_adverse((uint32_t)v);

	return low | (uint64_t)kn_adverse((uint32_t)(v >> 32)) << 32;
}

/* A new thing each time: what one load made others write stays in it. */
static void __attribute__((noreturn))
suffer_loads(const struct play *play)
{
	kin_time end = kin_in_ms(1000 * (int64_t)seconds);
	uint32_t random = seed;

	while (kin_now().ns < end.ns) {
		int fd, i;

		rarity = 0;
		fd = play->make();
		luck = chance(&random);
		for (i = 0; i < 16; i++) {
			rarity = 2u << (luck % 10);
			use(play, fd, &random);
		}
		rarity = 0;
		close(fd);
	}
	exit(0);
}

static int
suffer_adverse(const struct play *play)
{
	pid_t pid = fork_one();
	int status;

	if (pid == 0)
		suffer_loads(play);
	if (waitpid(pid, &status, 0) < 0)
		err(1, "waitpid");
	return verdict(play, "adverse", status);
}
#else
static int
suffer_adverse(const struct play *play)
{
	printf("1..0 # SKIP %s: this build's loads are honest\n", play->kind);
	return 0;
}
#endif

/* ---- */

static unsigned
number_in(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

int
main(int argc, char **argv)
{
	const struct play *const *play;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (play = plays; *play != NULL; play++)
			puts((*play)->kind);
		return 0;
	}
	if (argc != 3)
		errx(2, "usage: suffer scribble|adverse KIND");
	for (play = plays; *play != NULL; play++)
		if (strcmp((*play)->kind, argv[2]) == 0)
			break;
	if (*play == NULL)
		errx(2, "no such kind: %s", argv[2]);
	seconds = number_in("KIN_SECONDS", 20);
	seed = number_in("KIN_SEED", (unsigned)kin_now().ns | 1u);
	sums = mmap(NULL, sizeof(*sums), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sums == MAP_FAILED)
		err(1, "mmap");
	if (strcmp(argv[1], "adverse") == 0)
		return suffer_adverse(*play);
	return suffer_scribbler(*play);
}
