/**
 * Reads the rings of all CPUs: what it read goes into the recording and to
 * the verifier's backlog, what the guest overwrote before is counted.
 *
 * @module
 */
import { ENTRY } from "../page/abi.ts";
import type { ControlPage } from "../page/control_page.ts";
import type { PresenceFinding } from "../page/presence.ts";
import { RingReader, type RingVisitor } from "../page/ring_reader.ts";
import type { Backlog } from "../recording/backlog.ts";
import type {
  RecordingBlock,
  RecordingWriter,
} from "../recording/recording.ts";

/** Where what was read goes. */
export interface RingSinks {
  /** `undefined`: entries are not kept. */
  readonly recording: RecordingWriter | undefined;
  readonly backlog: Backlog;
  /** Told of heads that moved as no CPU moves them. */
  report(finding: PresenceFinding): void;
}

/** Follows the rings of one trace. */
export class RingFollower {
  readonly rings: readonly RingReader[];
  readonly #visitor: RingVisitor;
  #entries = 0;
  #lost = 0;

  constructor(page: ControlPage, sinks: RingSinks) {
    this.rings = page.cpus.map((area) => new RingReader(page, area));
    const { recording, backlog } = sinks;
    this.#visitor = {
      entries: (cpu, sequence, bytes) => {
        recording?.entries(cpu, sequence, bytes);
        this.#entries += bytes.length / ENTRY.bytes;
        backlog.entries(cpu, bytes);
      },
      lost: (cpu, sequence, count) => {
        recording?.lost(cpu, sequence, count);
        this.#lost += count;
        backlog.lost(cpu, count);
      },
      movedBack: (cpu, from, to) =>
        sinks.report({
          problem: "head moved back",
          detail: `the ring of CPU ${cpu} went back from ${from} to ${to}`,
        }),
      movedAhead: (cpu, from, to) =>
        sinks.report({
          problem: "head moved ahead",
          detail:
            `the ring of CPU ${cpu} went from ${from} to ${to}, which no CPU can`,
        }),
    };
  }

  /** Entries that were read. */
  get entries(): number {
    return this.#entries;
  }

  /** Entries that were overwritten before they were read. */
  get lost(): number {
    return this.#lost;
  }

  /** Of each CPU, the sequence number of the last entry that was read. */
  positions(): [cpu: number, sequence: number][] {
    return this.rings.map((ring) => [ring.area.cpu, ring.next - 1]);
  }

  /**
   * Goes on behind what a recording holds already.
   *
   * @param skipped told of each CPU's next entry
   */
  skip(
    blocks: readonly RecordingBlock[],
    skipped: (cpu: number, next: number) => void,
  ): void {
    for (const ring of this.rings) {
      const last = blocks.findLast((b) => b.cpu === ring.area.cpu);
      ring.next = last === undefined ? 1 : last.sequence + last.count;
      skipped(ring.area.cpu, ring.next);
    }
  }

  /**
   * Reads what there is now, a part of each ring at a time.
   *
   * @param between called before each part
   * @throws {MemoryError} when the guest's memory is gone.
   */
  read(between: () => void): void {
    // Heads before acknowledgements: what is read then has its key known.
    const heads = this.rings.map((ring) => ring.head());
    let more = true;
    while (more) {
      between();
      more = false;
      this.rings.forEach((ring, i) => {
        if (ring.read(heads[i], this.#visitor)) more = true;
      });
    }
  }
}
