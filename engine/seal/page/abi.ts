/**
 * The interface between the host and the guest's module: guest/xftrace.h in
 * TypeScript. A test compares every number here with that header; at run time
 * the module states its version and sizes, and any mismatch is refused.
 *
 * @module
 */

/** XFT_ABI_VERSION: incremented with every change of a layout or a meaning. */
export const ABI_VERSION = 3;

/** XFT_MAGIC, the first word of a control page. */
export const PAGE_MAGIC = 0x0145434152544658n;

/** XFT_COMMAND_*: commands for the module's thread. */
export const COMMAND = {
  none: 0,
  ping: 1,
  configure: 2,
  unregister: 3,
  reset: 4,
  tracefs_write: 5,
  tracefs_append: 6,
  tracefs_read: 7,
  make_instance: 8,
  remove_instance: 9,
} as const;

/** XFT_PHASE_*: what the thread is doing during a command. */
export const PHASE = {
  idle: 0,
  started: 1,
  unregistering: 2,
  filtering: 3,
  registering: 4,
  tracefs: 5,
} as const;

/** XFT_SEAL_*: how entries are sealed. */
export const SEAL = { none: 0, xor: 1, siphash: 2, ratchet: 3 } as const;

/** A seal by its user-visible name; `siphash+ratchet` is the default. */
export type SealName = "none" | "xor" | "siphash" | "siphash+ratchet";

/**
 * Numbers of the seals by name.
 *
 * @example
 * ```ts
 * import { SEAL_NUMBER } from "xftrace/seal";
 *
 * console.log(Object.keys(SEAL_NUMBER)); // names of the seals
 * ```
 */
export const SEAL_NUMBER: Readonly<Record<SealName, number>> = {
  "none": SEAL.none,
  "xor": SEAL.xor,
  "siphash": SEAL.siphash,
  "siphash+ratchet": SEAL.ratchet,
};

/** XFT_*: bits of `xft_config.flags`. */
export const CONFIG_FLAG = {
  all_functions: 1,
  interrupts: 2,
  arguments: 4,
  any_root: 8,
} as const;

/** XFT_KIND_*: kinds of entries. */
export const ENTRY_KIND = {
  entry: 1,
  return: 2,
  comm: 3,
  arguments: 4,
  path: 5,
  heartbeat: 6,
  command: 7,
} as const;

/** XFT_ENTRY_*: bits of an entry's flags. */
export const ENTRY_FLAG = {
  root: 1,
  tail_call: 2,
  interrupt: 4,
  rekeyed: 8,
} as const;

/** Limits of the module. */
export const MAX_ROOTS = 512;
/** Maximum number of code ranges whose direct callees are roots. */
export const MAX_RANGES = 8;
/** Bytes of a string that fit into one entry of kind `path`. */
export const PATH_BYTES = 32;
/** Maximum number of entries for one string. */
export const PATH_PIECES = 4;
/** Number of system calls for which path arguments can be configured. */
export const SYSCALLS = 512;

/** `struct xft_entry`: offsets in bytes. */
export const ENTRY = {
  seal: 0,
  time: 8,
  func: 16,
  caller: 24,
  argument: 32,
  pid: 40,
  depth: 44,
  kind: 46,
  flags: 47,
  epoch: 48,
  extra: 52,
  sequence: 56,
  bytes: 64,
} as const;

/** Size of an entry in 32-bit words. */
export const ENTRY_WORDS = ENTRY.bytes / 4;

/** Offsets in an entry, counted in 32-bit words. */
export const WORD = {
  time: ENTRY.time / 4,
  func: ENTRY.func / 4,
  caller: ENTRY.caller / 4,
  argument: ENTRY.argument / 4,
  pid: ENTRY.pid / 4,
  /** Contains the depth (16 bits), the kind (8) and the flags (8). */
  shape: ENTRY.depth / 4,
  epoch: ENTRY.epoch / 4,
  extra: ENTRY.extra / 4,
} as const;

/** The kind (`ENTRY_KIND`) of the entry at a word index. */
export function kindAt(words: Int32Array, at: number): number {
  return (words[at + WORD.shape] >>> 16) & 0xff;
}

/** `struct xft_cpu`: offsets in bytes. */
export const CPU = {
  ring: 0,
  ring_entries: 8,
  head: 16,
  ack_epoch: 24,
  ack_sequence: 32,
  keys_taken: 40,
  dropped_nmi: 48,
  dropped_unkeyed: 56,
  dropped_nested: 64,
  reserved0: 72,
  slot_key: 128,
  slot_epoch: 144,
  reserved1: 152,
  key: 192,
  comm: 208,
  comm_pid: 224,
  busy: 228,
  reserved2: 232,
  bytes: 256,
} as const;

/** `struct xft_control`: offsets in bytes. */
export const CONTROL = {
  magic: 0,
  self: 8,
  abi_version: 16,
  control_bytes: 20,
  cpu_bytes: 24,
  entry_bytes: 28,
  nonce: 32,
  cpus: 48,
  cpu_count: 56,
  mail_bytes: 60,
  mail: 64,
  graph_ops: 72,
  entry_handler: 80,
  return_handler: 88,
  missing: 96,
  reserved0: 160,
  enabled: 176,
  reserved1: 180,
  heartbeat_nonce: 184,
  command_number: 192,
  command: 200,
  command_bytes: 204,
  command_argument: 208,
  reserved2: 216,
  registered: 240,
  seal: 244,
  flags: 248,
  max_depth: 252,
  generation: 256,
  heartbeat_seen: 264,
  heartbeats: 272,
  command_answered: 280,
  commands: 288,
  command_result: 296,
  answer_bytes: 304,
  phase: 308,
  said: 312,
  parked: 376,
  parkings: 380,
  bytes: 384,
} as const;

/** `struct xft_config`: offsets in bytes. */
export const CONFIG = {
  flags: 0,
  seal: 4,
  max_depth: 8,
  root_count: 12,
  filter_count: 16,
  range_count: 20,
  idle_ms: 24,
  reserved0: 28,
  ranges: 32,
  path_arguments: 160,
  bytes: 672,
} as const;
