/* SPDX-License-Identifier: MIT */
/*
 * ways.h - the ways of a 64-byte message from one process to the other
 *
 * A row's loop is written once and compiled for each way: with a way that is
 * known where it is called, and everything inline, there is no call through a
 * pointer left to measure.
 */
#ifndef WAYS_H
#define WAYS_H

#include <errno.h>
#include <unistd.h>

#include "duo.h"

#define WAY_WORDS	8
#define WAY_BYTES	(WAY_WORDS * sizeof(uint64_t))
#define WAY_INLINE	static inline __attribute__((always_inline))

/* Each waits, and returns 0, or -errno. */
struct way {
	int (*put)(struct duo *duo, int who, const uint64_t *msg);
	int (*get)(struct duo *duo, int who, uint64_t *msg);
};

/* ---- the message: what is read is what was written ---- */

#define WAY_LAST	UINT64_MAX	/* in the first word of the last one */

WAY_INLINE void
way_write(uint64_t *msg, uint64_t number)
{
	int i;

	for (i = 0; i < WAY_WORDS; i++)
		msg[i] = number + (uint64_t)i;
}

WAY_INLINE uint64_t
way_read(const uint64_t *msg)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < WAY_WORDS; i++)
		sum += msg[i];
	return sum;
}

#define WAY_SUM(number)	(WAY_WORDS * (number) + WAY_WORDS * (WAY_WORDS - 1) / 2)

/* Of n in a row: all there, and each as it was written. */
WAY_INLINE int
way_check(const struct duo *duo, uint64_t n, uint64_t sum)
{
	uint64_t pairs = n % 2 == 0 ? n / 2 * (n - 1) : (n - 1) / 2 * n;
	uint64_t right = WAY_WORDS * pairs +
			 WAY_WORDS * (WAY_WORDS - 1) / 2 * n;

	return n == duo->board->sent && sum == right ? 0 : -EPROTO;
}

/* ---- kin, as anybody would use it ---- */

WAY_INLINE int
way_kin_put(struct duo *duo, int who, const uint64_t *msg)
{
	return kin_queue_put(duo->wires[who].queue, msg, WAY_BYTES,
			     duo->deadline);
}

WAY_INLINE int
way_kin_get(struct duo *duo, int who, uint64_t *msg)
{
	ssize_t n = kin_queue_get(duo->wires[!who].queue, msg, WAY_BYTES,
				  duo->deadline);

	return n < 0 ? (int)n : n == WAY_BYTES ? 0 : -EPROTO;
}

/* ---- a bare ring, by spinning ---- */

WAY_INLINE int
way_ring_put(struct duo *duo, int who, const uint64_t *msg)
{
	uint32_t spins = 0;

	while (!bare_put(duo->wires[who].ring, msg, WAY_BYTES))
		if (duo_patience(duo, &spins) < 0)
			return -ETIMEDOUT;
	return 0;
}

WAY_INLINE int
way_ring_get(struct duo *duo, int who, uint64_t *msg)
{
	uint32_t spins = 0;
	ssize_t n;

	while ((n = bare_get(duo->wires[!who].ring, msg, WAY_BYTES)) ==
	       -EAGAIN)
		if (duo_patience(duo, &spins) < 0)
			return -ETIMEDOUT;
	return n < 0 ? (int)n : n == WAY_BYTES ? 0 : -EPROTO;
}

/* ---- a bare futex: for ever, until whoever started us ends it; or not ---- */

WAY_INLINE int
way_box_put(struct duo *duo, int who, const uint64_t *msg)
{
	return bare_post(duo->wires[who].box, msg, WAY_BYTES);
}

WAY_INLINE int
way_box_get(struct duo *duo, int who, uint64_t *msg)
{
	struct duo_wire *wire = &duo->wires[!who];

	return bare_collect(wire->box, &wire->seen, msg, WAY_BYTES, 0);
}

WAY_INLINE int
way_late_get(struct duo *duo, int who, uint64_t *msg)
{
	struct duo_wire *wire = &duo->wires[!who];

	return bare_collect(wire->box, &wire->seen, msg, WAY_BYTES,
			    duo->deadline.ns);
}

/* ---- a pipe ---- */

WAY_INLINE int
way_pipe_put(struct duo *duo, int who, const uint64_t *msg)
{
	ssize_t n = write(duo->wires[who].pipe[1], msg, WAY_BYTES);

	return n < 0 ? -errno : n == WAY_BYTES ? 0 : -EPROTO;
}

WAY_INLINE int
way_pipe_get(struct duo *duo, int who, uint64_t *msg)
{
	ssize_t n = read(duo->wires[!who].pipe[0], msg, WAY_BYTES);

	return n < 0 ? -errno : n == WAY_BYTES ? 0 : -EPROTO;
}

#define WAY_KIN		((struct way){ way_kin_put, way_kin_get })
#define WAY_RING	((struct way){ way_ring_put, way_ring_get })
#define WAY_BOX		((struct way){ way_box_put, way_box_get })
#define WAY_LATE	((struct way){ way_box_put, way_late_get })
#define WAY_PIPE	((struct way){ way_pipe_put, way_pipe_get })

#endif
