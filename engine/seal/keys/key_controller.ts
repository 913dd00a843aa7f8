/**
 * Key_Controller: draws keys, logs them, and hands each CPU its next one when
 * it has taken the one before.
 *
 * @module
 */
import { CPU } from "../page/abi.ts";
import {
  type ControlPage,
  type CpuArea,
  storeU64,
} from "../page/control_page.ts";
import { KLOG, type Klog, type KlogEntry, type KlogRecord } from "./klog.ts";
import type { PresenceFinding } from "../page/presence.ts";

/** What a CPU has been sent and has taken. */
interface Slot {
  readonly area: CpuArea;
  /** Epoch of the newest key that was sent; 0: none. */
  sent: number;
  key: Int32Array;
  /** Epoch of the newest key that was seen to be taken. */
  taken: number;
  /** First entry under it. */
  takenAt: number;
  /** How many keys this CPU has taken, as we know. */
  count: number;
  /** A foreign epoch that has been reported, so that it is only once. */
  reported: number;
}

/** Told of keys and of their being taken. */
export interface KeyEvents {
  /** A key was written for a CPU, to begin with `epoch`. */
  sent(cpu: number, epoch: number, key: Int32Array): void;
  /** A CPU took its key; `first` is the first entry sealed with it. */
  taken(cpu: number, epoch: number, first: number): void;
}

/** Random words from the operating system. */
export function randomWords(count: number): Int32Array {
  return crypto.getRandomValues(new Int32Array(count));
}

/** Keeps the keys of all CPUs of one guest. */
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

  /** Keys that were taken, all CPUs together. */
  get switches(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.count, 0);
  }

  /**
   * Takes over from a collector that has ended: tells of all keys and
   * acknowledgements that it logged in the trace, and goes on behind them.
   */
  resume(records: readonly KlogRecord[]): void {
    const keys = new Map<number, { epoch: number; key: Int32Array }>();
    const acks = new Map<
      number,
      { epoch: number; first: number; count: number }
    >();
    for (const { type, cpu, a, b, key } of records) {
      if (type === KLOG.key) {
        keys.set(cpu, { epoch: a, key });
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
      // Logged, but the collector ended before it sent it.
      if (taken < key.epoch && there === 0) this.#store(slot);
    }
  }

  /** Looks which keys have been taken; what should not be is reported. */
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
      // The counter goes up before the acknowledgement does. So it may be one
      // ahead while a key is on its way, and only then: it also tells of a
      // foreign key that was there between two looks.
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

  /** A key that waits must be the one that was sent. */
  #checkSlot(slot: Slot, findings: PresenceFinding[]): void {
    const page = this.#page;
    const { area } = slot;
    const before = page.cpuNumber(area, CPU.slot_epoch);
    if (before === 0) return;
    page.kernel.memory.read(area.gpa + CPU.slot_key, this.#word);
    const key = new Int32Array(this.#word.buffer);
    // The CPU clears the key before the epoch: zeros say it is at it now.
    const same = key.every((word, i) => word === slot.key[i] || word === 0);
    // Taken meanwhile: the slot says nothing any more.
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
   * Draws a key for each CPU that has taken its last one, logs them all, and
   * sends them. Returns how many.
   *
   * @throws {XftraceError} when the log cannot be written; nothing was sent.
   */
  rotate(): number {
    // A CPU that was interrupted between its acknowledgement and emptying its
    // slot would empty the next key out of it.
    const due = this.#slots.filter(({ taken, sent, area }) =>
      taken === sent &&
      (sent === 0 || this.#page.cpuNumber(area, CPU.slot_epoch) !== sent)
    );
    if (due.length === 0) return 0;
    const entries: KlogEntry[] = [];
    for (const slot of due) {
      slot.sent++;
      slot.key = randomWords(4);
      entries.push({
        type: KLOG.key,
        cpu: slot.area.cpu,
        a: slot.sent,
        key: slot.key,
      });
    }
    this.#klog.append(entries);
    for (const slot of due) {
      this.#events.sent(slot.area.cpu, slot.sent, slot.key);
      this.#store(slot);
    }
    return due.length;
  }

  /** The key first, then its epoch: the guest looks at the epoch. */
  #store({ area, key, sent }: Slot): void {
    const { kernel } = this.#page;
    kernel.memory.write(
      area.gpa + CPU.slot_key,
      new Uint8Array(key.slice().buffer),
    );
    storeU64(kernel, area.gpa + CPU.slot_epoch, BigInt(sent));
  }
}
