/**
 * A trace while it runs: what its parts are, and how they are put together
 * again from a key log.
 *
 * @module
 */
import { CONTROL } from "../page/abi.ts";
import { Backlog } from "../recording/backlog.ts";
import type { CallSites } from "../page/call_sites.ts";
import type { ControlPage } from "../page/control_page.ts";
import { KeyController } from "../keys/key_controller.ts";
import { KLOG, type Klog, type KlogRecord } from "../keys/klog.ts";
import type { RecordingWriter } from "../recording/recording.ts";
import { RingReader } from "../page/ring_reader.ts";
import type { SealedOptions } from "./sealed_types.ts";
import { SealVerifier } from "../recording/verifier.ts";

/** Where a trace is kept. */
export interface TraceFiles {
  readonly klog: Klog;
  /** `undefined`: entries are not kept. */
  readonly recording: RecordingWriter | undefined;
}

/** What is running. */
export interface Running extends TraceFiles {
  readonly options: SealedOptions;
  readonly seal: number;
  readonly generation: number;
  readonly keys: KeyController;
  readonly rings: readonly RingReader[];
  readonly verifier: SealVerifier;
  readonly backlog: Backlog;
  entries: number;
  lost: number;
  nextRotation: number;
  nextHeartbeat: number;
  nextCheck: number;
  nextNames: number;
  checks: number;
  nonce: bigint;
  nonceSent: number;
  /** When the module last answered a heartbeat, or the trace began. */
  answered: number;
  /** Taken over from a collector that had ended. */
  resumed: boolean;
  /** That collector had begun to stop the trace. */
  closing: boolean;
  /** The host has switched recording off for now, or on. */
  on: boolean;
  /** When it did. */
  switched: number;
  /** Where the roots begin; `undefined` in a trace that was taken over. */
  sites: CallSites | undefined;
  readonly seen: Set<string>;
  /** Addresses in the trace: low halves of those in the top 4 GiB, others. */
  readonly low: Set<number>;
  readonly addresses: Set<bigint>;
  /** Addresses whose names the recording has. */
  readonly named: Set<bigint>;
}

/** What a trace begins as, with nothing read and no key sent. */
export function beginTrace(
  page: ControlPage,
  options: SealedOptions,
  files: TraceFiles,
  seal: number,
  generation: number,
  visit: (words: Int32Array, at: number) => void,
): Running {
  const now = performance.now();
  const verifier = new SealVerifier(seal, (cpu, sequence, words, at) => {
    visit(words, at);
    options.onEntry?.(cpu, sequence, words, at);
  });
  const keys = new KeyController(page, files.klog, {
    sent: (cpu, epoch, key) => verifier.key(cpu, epoch, key),
    taken: (cpu, epoch, first) => verifier.taken(cpu, epoch, first),
  });
  return {
    ...files,
    options,
    seal,
    generation,
    keys,
    verifier,
    backlog: new Backlog(verifier),
    rings: page.cpus.map((area) => new RingReader(page, area)),
    entries: 0,
    lost: 0,
    nextRotation: now + (options.rotateMs ?? 100),
    nextHeartbeat: now,
    nextCheck: now + (options.checkMs ?? 5000),
    nextNames: now,
    checks: 0,
    nonce: page.u64(CONTROL.heartbeat_seen),
    nonceSent: now,
    answered: now,
    resumed: false,
    closing: false,
    on: true,
    switched: now,
    sites: undefined,
    seen: new Set(),
    low: new Set(),
    addresses: new Set(),
    named: new Set(),
  };
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

/** Addresses that were noted and have no name in the recording. */
export function unnamedAddresses(
  { low, addresses, named }: Running,
): bigint[] {
  if (low.size + addresses.size === named.size) return [];
  const all = [...addresses];
  for (const word of low) all.push(0xffffffff00000000n | BigInt(word >>> 0));
  return all.filter((address) => !named.has(address));
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
