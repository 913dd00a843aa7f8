/**
 * A trace while it runs: what its parts are, and how they are put together
 * again from a key log.
 *
 * @module
 */
import type { Backlog } from "./backlog.ts";
import type { KeyController } from "./key_controller.ts";
import { KLOG, type Klog, type KlogRecord } from "./klog.ts";
import type { RecordingWriter } from "./recording.ts";
import type { RingReader } from "./ring_reader.ts";
import type { SealedOptions } from "./sealed_types.ts";
import type { SealVerifier } from "./verifier.ts";

/** What is running. */
export interface Running {
  readonly options: SealedOptions;
  readonly seal: number;
  readonly generation: number;
  readonly klog: Klog;
  /** `undefined`: entries are not kept. */
  readonly recording: RecordingWriter | undefined;
  readonly keys: KeyController;
  readonly rings: readonly RingReader[];
  readonly verifier: SealVerifier;
  readonly backlog: Backlog;
  entries: number;
  lost: number;
  nextRotation: number;
  nextHeartbeat: number;
  nextCheck: number;
  checks: number;
  nonce: bigint;
  nonceSent: number;
  readonly seen: Set<string>;
  /** Addresses in the trace: low halves of those in the top 4 GiB, others. */
  readonly low: Set<number>;
  readonly addresses: Set<bigint>;
}

/** Kernel and module text lies in the top 4 GiB: its low halves suffice. */
export function noteAddress(
  { low, addresses }: Running,
  words: Int32Array,
  at: number,
): void {
  if (words[at + 1] === -1) low.add(words[at]);
  else {
    addresses.add(
      (BigInt(words[at + 1] >>> 0) << 32n) | BigInt(words[at] >>> 0),
    );
  }
}

/** All addresses that were noted. */
export function allAddresses({ low, addresses }: Running): Set<bigint> {
  const all = new Set(addresses);
  for (const word of low) all.add(0xffffffff00000000n | BigInt(word >>> 0));
  return all;
}

/** Keys and acknowledgements out of a log, into verifier and controller. */
export function restoreKeys(
  records: readonly KlogRecord[],
  { verifier, keys }: Running,
): void {
  const newest = new Map<number, { epoch: number; key: Int32Array }>();
  const acks = new Map<
    number,
    { epoch: number; first: number; count: number }
  >();
  for (const { type, cpu, a, b, key } of records) {
    if (type === KLOG.key) {
      newest.set(cpu, { epoch: a, key });
      verifier.key(cpu, a, key);
    } else if (type === KLOG.ack) {
      acks.set(cpu, {
        epoch: a,
        first: b,
        count: (acks.get(cpu)?.count ?? 0) + 1,
      });
      verifier.taken(cpu, a, b);
    }
  }
  keys.resume(newest, acks);
}
