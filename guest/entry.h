/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes an entry: 64 bytes into a ring, sealed, with interrupts off.
 * No kernel function is called here, because it could itself be traced.
 */
#ifndef _XFT_ENTRY_H
#define _XFT_ENTRY_H

#include "module.h"

/* Seals an entry and puts it into the ring. Interrupts must be off. */
static __always_inline void push(struct xft_cpu *cpu, struct xft_entry *entry)
{
	u64 *words = (u64 *)entry;
	u64 *to;
	u64 next;

	if (unlikely(!xft_seal(cpu, entry))) {
		cpu->dropped_unkeyed++;
		return;
	}
	next = entry->sequence;
	to = (u64 *)(unsigned long)cpu->ring +
	     ((next - 1) & (cpu->ring_entries - 1)) * 8;
	to[0] = words[0];
	to[1] = words[1];
	to[2] = words[2];
	to[3] = words[3];
	to[4] = words[4];
	to[5] = words[5];
	to[6] = words[6];
	/*
	 * The sequence number is stored last, so that a reader recognizes a
	 * half-written entry by its old number.
	 */
	smp_store_release(&to[7], words[7]);
	/* The host may read up to here. */
	smp_store_release(&cpu->head, next);
}

static __always_inline bool begin(struct xft_cpu *cpu)
{
	if (unlikely(cpu->busy)) {
		cpu->dropped_nested++;
		return false;
	}
	WRITE_ONCE(cpu->busy, 1);
	barrier();
	return true;
}

static __always_inline void end(struct xft_cpu *cpu)
{
	barrier();
	WRITE_ONCE(cpu->busy, 0);
}

#endif /* _XFT_ENTRY_H */
