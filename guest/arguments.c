// SPDX-License-Identifier: GPL-2.0
/*
 * Arguments of system calls, and the strings that some of them point to.
 */
#include <linux/kernel.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "entry.h"

static u8 path_arguments[XFT_SYSCALLS];

void xft_set_path_arguments(const u8 *bits)
{
	memcpy(path_arguments, bits, sizeof(path_arguments));
}

/*
 * Reads up to XFT_PATH_BYTES of a string. A missing page causes no fault; the
 * result is then false.
 */
static __always_inline bool copy_piece(u64 *words, u64 address)
{
	char *text = (char *)words;
	u32 size = min_t(u32, XFT_PATH_BYTES,
			 PAGE_SIZE - offset_in_page(address));

	memset(words, 0, XFT_PATH_BYTES);
	if (copy_from_user_nofault(text, (void __user *)address, size))
		return false;
	/* The next page is needed only if the string does not end before it. */
	return size == XFT_PATH_BYTES || memchr(text, 0, size) ||
	       !copy_from_user_nofault(text + size,
				       (void __user *)(address + size),
				       XFT_PATH_BYTES - size);
}

/* Writes the string of a path argument, in pieces. */
static noinline void push_path(struct xft_cpu *cpu, u32 index, u64 address,
			       u16 depth)
{
	struct xft_entry entry = {};
	u64 words[XFT_PATH_BYTES / 8];
	u32 piece, length = XFT_PATH_BYTES;

	for (piece = 0; piece < XFT_PATH_PIECES && length == XFT_PATH_BYTES;
	     piece++) {
		entry.extra = index << 8 | piece;
		if (copy_piece(words, address)) {
			length = strnlen((char *)words, XFT_PATH_BYTES);
			memset((char *)words + length, 0,
			       XFT_PATH_BYTES - length);
		} else {
			entry.extra = index << 8 | 0xff;
			memset(words, 0xff, sizeof(words));
			length = 0;
		}
		entry.time = words[0];
		entry.func = words[1];
		entry.caller = words[2];
		entry.argument = words[3];
		entry.pid = current->pid;
		entry.depth = depth;
		entry.kind = XFT_KIND_PATH;
		entry.flags = 0;
		push(cpu, &entry);
		address += XFT_PATH_BYTES;
	}
}

void xft_push_arguments(struct xft_cpu *cpu, const struct pt_regs *regs,
			u32 nr, u16 depth)
{
	struct xft_entry entry = {};
	u64 value[6] = { regs->di, regs->si, regs->dx,
			 regs->r10, regs->r8, regs->r9 };
	u32 i, paths;

	entry.kind = XFT_KIND_ARGUMENTS;
	entry.time = value[1];
	entry.func = value[2];
	entry.caller = value[3];
	entry.argument = value[4];
	entry.pid = value[5];
	entry.extra = value[5] >> 32;
	entry.depth = depth;
	push(cpu, &entry);
	paths = nr < XFT_SYSCALLS ? path_arguments[nr] : 0;
	for (i = 0; i < 6; i++)
		if (paths & 1 << i && value[i])
			push_path(cpu, i, value[i], depth);
}
