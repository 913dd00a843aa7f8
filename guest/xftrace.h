/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The interface between the host and the module: the pages that they share.
 *
 * This file is the only definition for both sides. The host's layout
 * (engine/seal/page/abi.ts) is derived from it, so use only this subset of C:
 * #define of plain numbers, and structs of fixed-width members, arrays and
 * previously defined structs, without implicit padding. Little-endian.
 *
 * All addresses are GVAs; all times are trace_clock_local() in nanoseconds.
 */
#ifndef _XFTRACE_H
#define _XFTRACE_H

#include <linux/types.h>

/*
 * Incremented whenever a layout or a meaning changes; the host refuses any
 * other version.
 */
#define XFT_ABI_VERSION 3

/* Is in memory only while the module is loaded: "XFTRACE" 0x01. */
#define XFT_MAGIC 0x0145434152544658

#define XFT_COMMAND_NONE 0
/* Does nothing but answer. */
#define XFT_COMMAND_PING 1
/*
 * Reads struct xft_config from the mailbox (filter, roots, seal) and registers
 * with the function graph.
 */
#define XFT_COMMAND_CONFIGURE 2
/* Unregisters from the function graph; the rings stay. */
#define XFT_COMMAND_UNREGISTER 3
/* Empties the rings and discards the keys. Allowed only while disabled. */
#define XFT_COMMAND_RESET 4
/* Mailbox: path below tracefs, NUL, text. argument: length of the text. */
#define XFT_COMMAND_TRACEFS_WRITE 5
/* Like WRITE, but appends (opens with O_APPEND, as >> does). */
#define XFT_COMMAND_TRACEFS_APPEND 6
/*
 * Mailbox: path, NUL. argument: offset to read from. Answer: bytes in the
 * mailbox.
 */
#define XFT_COMMAND_TRACEFS_READ 7
/* Mailbox: name, NUL. Creates instances/NAME; -EEXIST if it exists. */
#define XFT_COMMAND_MAKE_INSTANCE 8
/* Mailbox: name, NUL. Removes instances/NAME; -EBUSY while it is in use. */
#define XFT_COMMAND_REMOVE_INSTANCE 9

/* Progress of the current command: what the module's thread is doing. */
#define XFT_PHASE_IDLE 0
#define XFT_PHASE_STARTED 1
#define XFT_PHASE_UNREGISTERING 2
#define XFT_PHASE_FILTERING 3
#define XFT_PHASE_REGISTERING 4
#define XFT_PHASE_TRACEFS 5

#define XFT_SEAL_NONE 0
#define XFT_SEAL_XOR 1
#define XFT_SEAL_SIPHASH 2
#define XFT_SEAL_RATCHET 3

/* xft_config.flags */
#define XFT_ALL_FUNCTIONS 1
#define XFT_INTERRUPTS 2
#define XFT_ARGUMENTS 4
/* Every function at the outermost depth is a root. */
#define XFT_ANY_ROOT 8

#define XFT_KIND_ENTRY 1
#define XFT_KIND_RETURN 2
#define XFT_KIND_COMM 3
#define XFT_KIND_ARGUMENTS 4
#define XFT_KIND_PATH 5
#define XFT_KIND_HEARTBEAT 6
#define XFT_KIND_COMMAND 7

/* xft_entry.flags */
#define XFT_ENTRY_ROOT 1
/* The caller was entered by a jump: the address is that of its own caller. */
#define XFT_ENTRY_TAIL_CALL 2
#define XFT_ENTRY_INTERRUPT 4
/* The first entry sealed with its epoch's key. */
#define XFT_ENTRY_REKEYED 8

#define XFT_MAX_ROOTS 512
#define XFT_MAX_RANGES 8
#define XFT_PATH_BYTES 32
#define XFT_PATH_PIECES 4
#define XFT_SYSCALLS 512

/*
 * One entry of a ring. The seal covers all its other bytes. With XFT_SEAL_XOR,
 * the members from time to flags are stored XORed with the key.
 *
 *   ENTRY      func, caller; argument: first system-call argument of a root;
 *              extra: system-call number + 1 of a root, else 0
 *   RETURN     func, caller; argument: time spent, where the kernel states it
 *   COMM       func, caller: the 16 bytes of comm; argument: tgid
 *   ARGUMENTS  time, func, caller, argument: system-call arguments 2 to 5;
 *              pid, extra: low and high half of the 6th
 *   PATH       time .. argument: 32 bytes of the string, NUL at its end;
 *              extra: argument's index << 8 | piece; piece 0xff: the (rest of
 *              the) string could not be read without a fault
 *   HEARTBEAT  func: the host's nonce; caller: bit 0 enabled, bit 1
 *              registered, bit 2 parked; argument: entries dropped on this CPU
 *   COMMAND    func: the command's number; caller: command; argument: result
 */
struct xft_entry {
	__u64 seal;
	__u64 time;
	__u64 func;
	__u64 caller;
	__u64 argument;
	__u32 pid;
	__u16 depth;
	__u8 kind;
	__u8 flags;
	__u32 epoch;
	__u32 extra;
	/* Counts from 1 without gaps; stored last. */
	__u64 sequence;
};

/*
 * One CPU. The host writes the slot: first the key, then its epoch. The next
 * entry on that CPU takes the key, clears it, and publishes which epoch it
 * took.
 */
struct xft_cpu {
	__u64 ring;
	/* A power of two. */
	__u64 ring_entries;
	/* Sequence number of the newest entry. Stored after the entry. */
	__u64 head;
	/*
	 * The epoch of the last key taken, and the sequence number of the first
	 * entry sealed with it.
	 */
	__u64 ack_epoch;
	__u64 ack_sequence;
	__u64 keys_taken;
	/*
	 * Entries that were not written because they occurred in an NMI,
	 * without a key, or nested.
	 */
	__u64 dropped_nmi;
	__u64 dropped_unkeyed;
	__u64 dropped_nested;
	__u64 reserved0[7];

	__u64 slot_key[2];
	__u64 slot_epoch;
	__u64 reserved1[5];

	/* Used by the module only. */
	__u64 key[2];
	__u64 comm[2];
	__u32 comm_pid;
	__u32 busy;
	__u64 reserved2[3];
};

/* The control page. */
struct xft_control {
	__u64 magic;
	/* GVA of this page, so that a copy at another address is detected. */
	__u64 self;
	__u32 abi_version;
	__u32 control_bytes;
	__u32 cpu_bytes;
	__u32 entry_bytes;
	__u64 nonce[2];
	/* GVA of struct xft_cpu[cpu_count]. */
	__u64 cpus;
	__u32 cpu_count;
	__u32 mail_bytes;
	__u64 mail;
	/* What Ftrace calls; the host checks it while tracing. */
	__u64 graph_ops;
	__u64 entry_handler;
	__u64 return_handler;
	/*
	 * Names of what the module could not find in the kernel, for messages.
	 */
	char missing[64];
	__u64 reserved0[2];

	/* Written by the host. */
	__u32 enabled;
	__u32 reserved1;
	__u64 heartbeat_nonce;
	__u64 command_number;
	__u32 command;
	__u32 command_bytes;
	__u64 command_argument;
	__u64 reserved2[3];

	/* Written by the module. */
	__u32 registered;
	__u32 seal;
	__u32 flags;
	__u32 max_depth;
	__u64 generation;
	__u64 heartbeat_seen;
	__u64 heartbeats;
	/*
	 * The number of the last command answered, how many were answered, and
	 * the result of the last one.
	 */
	__u64 command_answered;
	__u64 commands;
	__s64 command_result;
	__u32 answer_bytes;
	__u32 phase;
	/* The module's last message about a command. */
	char said[64];
	/*
	 * 1: `enabled` has been clear for a while, and the filter has been
	 * replaced.
	 */
	__u32 parked;
	__u32 parkings;
};

/*
 * The mailbox content for XFT_COMMAND_CONFIGURE: this struct, then root_count
 * roots, then filter_count functions, all as the addresses by which Ftrace
 * knows them.
 */
struct xft_config {
	__u32 flags;
	__u32 seal;
	/*
	 * How many levels are recorded, counted from a root at level 1; 0: all.
	 */
	__u32 max_depth;
	__u32 root_count;
	__u32 filter_count;
	__u32 range_count;
	/*
	 * How many milliseconds `enabled` must be clear before the filter is
	 * replaced; setting the flag restores it. 0: it is never replaced.
	 */
	__u32 idle_ms;
	__u32 reserved0;
	/* Code whose direct callees are roots: the system-call dispatcher. */
	__u64 ranges[16];
	/*
	 * Which arguments of a system call are paths: one bit for each
	 * argument.
	 */
	__u8 path_arguments[512];
};

#endif /* _XFTRACE_H */
