/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What the host and the module agree on: the pages they share.
 *
 * This file is the single source for both sides. The host's layout
 * (engine/seal/page/abi.ts) is read from it, so keep to this subset of C: #define
 * of plain numbers, and structs of fixed-width members, arrays and structs
 * defined above, without implicit padding. Little-endian.
 *
 * All addresses are GVAs, all times trace_clock_local() in nanoseconds.
 */
#ifndef _XFTRACE_H
#define _XFTRACE_H

#include <linux/types.h>

/* Raised whenever a layout or a meaning changes; the host refuses others. */
#define XFT_ABI_VERSION 3

/* Stands in memory only while the module is loaded: "XFTRACE" 0x01. */
#define XFT_MAGIC 0x0145434152544658

#define XFT_COMMAND_NONE 0
/* Only answers. */
#define XFT_COMMAND_PING 1
/* Takes struct xft_config from the mail: filter, roots, seal; registers. */
#define XFT_COMMAND_CONFIGURE 2
/* Leaves the function graph; the rings stay. */
#define XFT_COMMAND_UNREGISTER 3
/* Empties the rings and forgets the keys. Only while disabled. */
#define XFT_COMMAND_RESET 4
/* Mail: path below tracefs, NUL, text. argument: length of the text. */
#define XFT_COMMAND_TRACEFS_WRITE 5
/* As WRITE, but appends (opens with O_APPEND, as >> does). */
#define XFT_COMMAND_TRACEFS_APPEND 6
/* Mail: path, NUL. argument: offset to read from. Answer: bytes in the mail. */
#define XFT_COMMAND_TRACEFS_READ 7
/* Mail: name, NUL. Makes instances/NAME; -EEXIST when it is there. */
#define XFT_COMMAND_MAKE_INSTANCE 8
/* Mail: name, NUL. Removes instances/NAME; -EBUSY while it is used. */
#define XFT_COMMAND_REMOVE_INSTANCE 9

/* Progress of the command that runs: what the module's thread is doing. */
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
/* The caller jumped here: the address is that of the caller's caller. */
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
 * One entry of a ring. The seal covers all other bytes. With XFT_SEAL_XOR,
 * the members from time to flags are stored XORed with the key.
 *
 *   ENTRY      func, caller; argument: first system-call argument of a root;
 *              extra: system-call number + 1 of a root, else 0
 *   RETURN     func, caller; argument: time spent, where the kernel tells it
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
	/* From 1, without a gap; stored last. */
	__u64 sequence;
};

/*
 * One CPU. The host writes the slot: the key, and then its epoch. The next
 * entry on that CPU takes the key, clears it, and publishes what it took.
 */
struct xft_cpu {
	__u64 ring;
	/* A power of two. */
	__u64 ring_entries;
	/* Sequence number of the newest entry. Stored after the entry. */
	__u64 head;
	/* The epoch whose key was taken last, and its first entry's sequence. */
	__u64 ack_epoch;
	__u64 ack_sequence;
	__u64 keys_taken;
	/* Entries that were not written: in an NMI, without a key, nested. */
	__u64 dropped_nmi;
	__u64 dropped_unkeyed;
	__u64 dropped_nested;
	__u64 reserved0[7];

	__u64 slot_key[2];
	__u64 slot_epoch;
	__u64 reserved1[5];

	/* The module's own. */
	__u64 key[2];
	__u64 comm[2];
	__u32 comm_pid;
	__u32 busy;
	__u64 reserved2[3];
};

/* The control page. */
struct xft_control {
	__u64 magic;
	/* GVA of this page: a copy elsewhere gives itself away. */
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
	/* What Ftrace calls: checked from the host while tracing. */
	__u64 graph_ops;
	__u64 entry_handler;
	__u64 return_handler;
	/* Names of what the module could not find in its kernel, for messages. */
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
	/* The last command answered, how many there were, and its result. */
	__u64 command_answered;
	__u64 commands;
	__s64 command_result;
	__u32 answer_bytes;
	__u32 phase;
	/* What the module last said about a command. */
	char said[64];
	/* 1: `enabled` has been clear for long, and the filter is taken away. */
	__u32 parked;
	__u32 parkings;
};

/*
 * The mail of XFT_COMMAND_CONFIGURE: this, then root_count roots, then
 * filter_count functions, all as the addresses at which Ftrace knows them.
 */
struct xft_config {
	__u32 flags;
	__u32 seal;
	/* Levels below a root that are recorded, root included; 0: all. */
	__u32 max_depth;
	__u32 root_count;
	__u32 filter_count;
	__u32 range_count;
	/*
	 * Milliseconds of `enabled` being clear until the filter is taken away;
	 * setting the flag brings it back. 0: it stays.
	 */
	__u32 idle_ms;
	__u32 reserved0;
	/* Code whose direct callees are roots: the system-call dispatcher. */
	__u64 ranges[16];
	/* Which arguments of a system call are paths: one bit each. */
	__u8 path_arguments[512];
};

#endif /* _XFTRACE_H */
