/**
 * Generates keys, logs them, and sends each CPU its next key once it has taken
 * the previous one.
 *
 * @module
 */
import { allocateWords } from "../../base/allocate.ts";
import { CPU } from "../page/abi.ts";
import {
  type ControlPage,
  type CpuArea,
  storeU64,
} from "../page/control_page.ts";
import type { Klog } from "./klog.ts";
import { KLOG, type KlogRecord } from "./klog_format.ts";
import type { PresenceFinding } from "../page/presence.ts";

/** The keys sent to and taken by a CPU. */
interface Slot {
  readonly area: CpuArea;
  /** Epoch of the newest key sent; 0: none. */
  sent: number;
  key: Int32Array;
  /** Epoch of the newest key known to be taken. */
  taken: number;
  /** First entry sealed with that key. */
  takenAt: number;
  /** How many keys this CPU is known to have taken. */
  count: number;
  /** The foreign epoch that has been reported, so that it is reported once. */
  reported: number;
}

/** Receives keys as they are sent and taken. */
export interface KeyEvents {
  /** A key was written for a CPU; it begins epoch `epoch`. */
  sent(cpu: number, epoch: number, key: Int32Array): void;
  /** A CPU took its key; `first` is the first entry sealed with it. */
  taken(cpu: number, epoch: number, first: number): void;
}

/** Random words from the operating system. */
export function randomWords(count: number): Int32Array {
  return crypto.getRandomValues(
    allocateWords(Int32Array, count, 1024, "random words"),
  );
}

/** Manages the keys of all CPUs of a guest. */
export class KeyController {
  readonly #page: ControlPage;
  readonly #klog: Klog;
  readonly #events: KeyEvents;
  readonly #slots: Slot[];
  readonly #word = new Uint8Array(16);

  constructor(page: ControlPage, klog: Klog, events: KeyEvents) {
    this.#page = page;
    this.#klog = klog;
    this.#events = events;
    this.#slots = page.cpus.map((area) => ({
      area,
      sent: 0,
      key: new Int32Array(4),
      taken: 0,
      takenAt: 0,
      count: 0,
      reported: 0,
    }));
  }

  /** Number of keys taken, over all CPUs. */
  get switches(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.count, 0);
  }

  /**
   * Takes over from a collector that has ended: reports all keys and
   * acknowledgements of the trace in its log, and continues after them.
   */
  resume(records: Iterable<KlogRecord>): void {
    const keys = new Map<number, { epoch: number; key: Int32Array }>();
    const acks = new Map<
      number,
      { epoch: number; first: number; count: number }
    >();
    for (const { type, cpu, a, b, key } of records) {
      if (type === KLOG.key) {
        // The record's own key is wiped.
        const last = keys.get(cpu)?.key ?? new Int32Array(4);
        last.set(key);
        keys.set(cpu, { epoch: a, key: last });
        this.#events.sent(cpu, a, key);
      } else if (type === KLOG.ack) {
        const count = (acks.get(cpu)?.count ?? 0) + 1;
        acks.set(cpu, { epoch: a, first: b, count });
        this.#events.taken(cpu, a, b);
      }
    }
    for (const slot of this.#slots) {
      const key = keys.get(slot.area.cpu);
      const ack = acks.get(slot.area.cpu);
      if (ack !== undefined) {
        slot.taken = ack.epoch;
        slot.takenAt = ack.first;
        slot.count = ack.count;
      }
      if (key === undefined) continue;
      slot.sent = key.epoch;
      slot.key = key.key;
      const { area } = slot;
      const there = this.#page.cpuNumber(area, CPU.slot_epoch);
      const taken = this.#page.cpuNumber(area, CPU.ack_epoch);
      // It was logged, but the collector ended before sending it.
      if (taken < key.epoch && there === 0) this.#store(slot);
    }
  }

  /** Finds out which keys have been taken, and reports irregularities. */
  watch(): PresenceFinding[] {
    const findings: PresenceFinding[] = [];
    const page = this.#page;
    for (const slot of this.#slots) {
      const { area } = slot;
      const epoch = page.cpuNumber(area, CPU.ack_epoch);
      if (epoch === slot.sent && slot.taken !== slot.sent) {
        const first = page.cpuNumber(area, CPU.ack_sequence);
        const head = page.cpuNumber(area, CPU.head);
        slot.count++;
        slot.taken = epoch;
        if (first <= slot.takenAt || first > head + 1) {
          findings.push({
            problem: "key not taken as sent",
            detail:
              `CPU ${area.cpu} claims to have taken the key of epoch ${epoch} at entry ${first}, between ${slot.takenAt} and ${head}`,
          });
          continue;
        }
        slot.takenAt = first;
        this.#klog.append(
          [{ type: KLOG.ack, cpu: area.cpu, a: epoch, b: first }],
          false,
        );
        this.#events.taken(area.cpu, epoch, first);
      } else if (epoch !== slot.taken && slot.reported !== epoch) {
        slot.reported = epoch;
        findings.push({
          problem: "foreign key",
          detail:
            `CPU ${area.cpu} has taken a key of epoch ${epoch}; the host sent none after ${slot.sent}`,
        });
      }
      // The counter is incremented before the acknowledgement, so it may be one
      // ahead, but only while a key is being taken. It thus also reveals a
      // foreign key that was taken between two checks.
      const onTheWay = slot.taken === slot.sent ? 0 : 1;
      const keys = page.cpuNumber(area, CPU.keys_taken);
      if (keys > slot.count + onTheWay && slot.reported !== -keys) {
        slot.reported = -keys;
        findings.push({
          problem: "foreign key",
          detail:
            `CPU ${area.cpu} has taken ${keys} keys; the host knows of ${slot.count}`,
        });
      }
      this.#checkSlot(slot, findings);
    }
    return findings;
  }

  /** Checks that a waiting key is the one that was sent. */
  #checkSlot(slot: Slot, findings: PresenceFinding[]): void {
    const page = this.#page;
    const { area } = slot;
    const before = page.cpuNumber(area, CPU.slot_epoch);
    if (before === 0) return;
    page.kernel.memory.read(area.gpa + CPU.slot_key, this.#word);
    const key = new Int32Array(this.#word.buffer);
    // The CPU clears the key before the epoch: zeros mean that it is taking the
    // key.
    const same = key.every((word, i) => word === slot.key[i] || word === 0);
    // It has been taken meanwhile, so the slot's content means nothing.
    if (page.cpuNumber(area, CPU.slot_epoch) !== before) return;
    if (before === slot.sent && (same || slot.taken === slot.sent)) return;
    const mark = before + 0.5;
    if (slot.reported === mark) return;
    slot.reported = mark;
    findings.push({
      problem: "foreign key",
      detail:
        `the key slot of CPU ${area.cpu} holds a key of epoch ${before} that the host did not put there`,
    });
  }

  /**
   * Generates a key for each CPU that has taken its last one, logs all of them,
   * and sends them. Returns how many.
   *
   * @throws {XftraceError} when the log cannot be written; nothing was sent.
   */
  rotate(): number {
    // If a CPU was interrupted between its acknowledgement and emptying its
    // slot, it would remove the next key from the slot.
    const due = this.#slots.filter(({ taken, sent, area }) =>
      taken === sent &&
      (sent === 0 || this.#page.cpuNumber(area, CPU.slot_epoch) !== sent)
    );
    if (due.length === 0) return 0;
    const entries = due.map(({ area, sent }) => ({
      type: KLOG.key,
      cpu: area.cpu,
      a: sent + 1,
      key: randomWords(4),
    }));
    this.#klog.append(entries);
    for (const [i, slot] of due.entries()) {
      slot.sent = entries[i].a;
      slot.key = entries[i].key;
      this.#events.sent(slot.area.cpu, slot.sent, slot.key);
      this.#store(slot);
    }
    return due.length;
  }

  /** Wipes the keys that were sent; the controller is of no use afterwards. */
  wipe(): void {
    for (const { key } of this.#slots) key.fill(0);
    this.#word.fill(0);
  }

  /** The key first, then its epoch, since the guest checks the epoch. */
  #store({ area, key, sent }: Slot): void {
    const { kernel } = this.#page;
    const bytes = new Uint8Array(key.slice().buffer);
    kernel.memory.write(area.gpa + CPU.slot_key, bytes);
    bytes.fill(0);
    storeU64(kernel, area.gpa + CPU.slot_epoch, BigInt(sent));
  }
}
