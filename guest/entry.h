/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Writes an entry: 64 bytes into a ring, sealed, with interrupts off.
 * Everything is inline, because a kernel function that was called here could
 * itself be traced.
 */
#ifndef _XFT_ENTRY_H
#define _XFT_ENTRY_H

#include "module.h"
#include "seal.h"

/*
 * Takes the host's next key, if there is one. Returns false when the CPU has no
 * key at all yet.
 */
static __always_inline bool take_key(struct xft_cpu *cpu, u8 *flags)
{
	u64 epoch = READ_ONCE(cpu->slot_epoch);
	u64 key0, key1;

	if (likely(!epoch))
		return cpu->ack_epoch != 0;

	/* Pairs with the host, which stores the key before its epoch. */
	smp_rmb();
	key0 = READ_ONCE(cpu->slot_key[0]);
	key1 = READ_ONCE(cpu->slot_key[1]);
	WRITE_ONCE(cpu->slot_key[0], 0);
	WRITE_ONCE(cpu->slot_key[1], 0);
	if (xft_control.seal == XFT_SEAL_RATCHET) {
		xft_rekey(cpu->key, key0, key1);
	} else {
		cpu->key[0] = key0;
		cpu->key[1] = key1;
	}
	cpu->keys_taken++;
	WRITE_ONCE(cpu->ack_sequence, cpu->head + 1);
	/* A reader that sees the epoch also sees its first sequence number. */
	smp_store_release(&cpu->ack_epoch, epoch);
	/* Empties the slot, so that the host may store the next key in it. */
	smp_store_release(&cpu->slot_epoch, 0);
	*flags |= XFT_ENTRY_REKEYED;
	return true;
}

/* Seals an entry and puts it into the ring. Interrupts must be off. */
static __always_inline void push(struct xft_cpu *cpu, struct xft_entry *entry)
{
	u64 *words = (u64 *)entry;
	u64 *to;
	u64 next;

	if (unlikely(!take_key(cpu, &entry->flags))) {
		cpu->dropped_unkeyed++;
		return;
	}
	next = cpu->head + 1;
	entry->epoch = cpu->ack_epoch;
	entry->sequence = next;
	switch (xft_control.seal) {
	case XFT_SEAL_RATCHET:
		words[0] = xft_mac(cpu->key, words);
		xft_ratchet(cpu->key);
		break;
	case XFT_SEAL_SIPHASH:
		words[0] = xft_mac(cpu->key, words);
		break;
	case XFT_SEAL_XOR:
		xft_xor(cpu->key, words);
		break;
	default:
		words[0] = 0;
	}
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
