// SPDX-License-Identifier: GPL-2.0
/*
 * Seals an entry, and takes the host's next key. This is the only function that
 * computes with keys.
 *
 * It is not inline, so that the compiler can hold keys and the state of SipHash
 * in registers: inlined in the handlers there are not enough of them, and what
 * is moved to a task's stack remains there long after it is overwritten in
 * struct xft_cpu. Before it returns, the registers are cleared.
 */
#include "module.h"
#include "seal.h"

#ifndef __has_attribute
#define __has_attribute(x) 0
#endif
#if __has_attribute(__zero_call_used_regs__)
#define xft_clears_registers \
	__attribute__((__zero_call_used_regs__("used-gpr")))
#else
#define xft_clears_registers
#endif

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

noinline xft_clears_registers bool xft_seal(struct xft_cpu *cpu,
					    struct xft_entry *entry)
{
	u64 *words = (u64 *)entry;

	if (unlikely(!take_key(cpu, &entry->flags)))
		return false;
	/* An entry has the low half of its epoch. */
	entry->epoch = cpu->ack_epoch;
	entry->sequence = cpu->head + 1;
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
	return true;
}
