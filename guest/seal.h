/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seals: SipHash-2-4 over an entry's words, unrolled and inline, because
 * the kernel's own siphash() can be traced and would recurse.
 */
#ifndef _XFT_SEAL_H
#define _XFT_SEAL_H

#include <linux/bitops.h>
#include <linux/types.h>

struct xft_sip {
	u64 v0, v1, v2, v3;
};

static __always_inline void xft_sip_round(struct xft_sip *s)
{
	s->v0 += s->v1;
	s->v1 = rol64(s->v1, 13) ^ s->v0;
	s->v0 = rol64(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rol64(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rol64(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rol64(s->v1, 17) ^ s->v2;
	s->v2 = rol64(s->v2, 32);
}

static __always_inline void xft_sip_start(struct xft_sip *s, const u64 *key)
{
	s->v0 = key[0] ^ 0x736f6d6570736575ULL;
	s->v1 = key[1] ^ 0x646f72616e646f6dULL;
	s->v2 = key[0] ^ 0x6c7967656e657261ULL;
	s->v3 = key[1] ^ 0x7465646279746573ULL;
}

static __always_inline void xft_sip_word(struct xft_sip *s, u64 word)
{
	s->v3 ^= word;
	xft_sip_round(s);
	xft_sip_round(s);
	s->v0 ^= word;
}

static __always_inline u64 xft_sip_finish(struct xft_sip *s)
{
	xft_sip_round(s);
	xft_sip_round(s);
	xft_sip_round(s);
	xft_sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* The last block contains the length in bytes, as the standard requires. */
static __always_inline u64 xft_sip_end(struct xft_sip *s, u64 bytes)
{
	xft_sip_word(s, bytes << 56);
	s->v2 ^= 0xff;
	return xft_sip_finish(s);
}

/* The MAC over words 1 to 7 of an entry; it will be stored in word 0. */
static __always_inline u64 xft_mac(const u64 *key, const u64 *words)
{
	struct xft_sip s;

	xft_sip_start(&s, key);
	xft_sip_word(&s, words[1]);
	xft_sip_word(&s, words[2]);
	xft_sip_word(&s, words[3]);
	xft_sip_word(&s, words[4]);
	xft_sip_word(&s, words[5]);
	xft_sip_word(&s, words[6]);
	xft_sip_word(&s, words[7]);
	return xft_sip_end(&s, 56);
}

/*
 * Computes the key of the next entry, from which the old key cannot be
 * computed. This is the 128-bit SipHash-2-4 of an empty message.
 */
static __always_inline void xft_ratchet(u64 *key)
{
	struct xft_sip s;

	xft_sip_start(&s, key);
	s.v1 ^= 0xee;
	xft_sip_word(&s, 0);
	s.v2 ^= 0xee;
	key[0] = xft_sip_finish(&s);
	s.v1 ^= 0xdd;
	key[1] = xft_sip_finish(&s);
}

/*
 * Mixes the host's key into the chain, so that the content of the slot alone
 * does not reveal the key.
 */
static __always_inline void xft_rekey(u64 *key, u64 host0, u64 host1)
{
	struct xft_sip s;
	u64 next;

	xft_sip_start(&s, key);
	xft_sip_word(&s, host0);
	xft_sip_word(&s, host1);
	xft_sip_word(&s, 3);
	next = xft_sip_end(&s, 24);
	xft_sip_start(&s, key);
	xft_sip_word(&s, host0);
	xft_sip_word(&s, host1);
	xft_sip_word(&s, 4);
	key[1] = xft_sip_end(&s, 24);
	key[0] = next;
}

/*
 * The seal of the paper: a sum of the plain words; then the entry is XORed with
 * the key.
 */
static __always_inline void xft_xor(const u64 *key, u64 *words)
{
	u64 sum = words[1] ^ words[2] ^ words[3] ^ words[4] ^ words[5] ^
		  words[6] ^ words[7];

	words[0] = sum ^ key[0];
	words[1] ^= key[1];
	words[2] ^= key[0];
	words[3] ^= key[1];
	words[4] ^= key[0];
	words[5] ^= key[1];
}

#endif /* _XFT_SEAL_H */
