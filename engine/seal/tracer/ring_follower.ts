/**
 * Reads the rings of all CPUs: entries go to the recording and to the
 * verifier's backlog; those that the guest overwrote first are counted.
 *
 * @module
 */
import { ENTRY } from "../page/abi.ts";
import type { ControlPage } from "../page/control_page.ts";
import type { PresenceFinding } from "../page/presence.ts";
import { RingReader, type RingVisitor } from "../page/ring_reader.ts";
import type { Backlog } from "../recording/backlog.ts";
import type { RecordingWriter } from "../recording/recording.ts";

/** Where entries go. */
export interface RingSinks {
  /** `undefined`: entries are not stored. */
  readonly recording: RecordingWriter | undefined;
  readonly backlog: Backlog;
  /** Receives findings about heads that moved in an impossible way. */
  report(finding: PresenceFinding): void;
}

/** Reads the rings during one trace. */
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

  /** Number of entries read. */
  get entries(): number {
    return this.#entries;
  }

  /** Number of entries that were overwritten before they were read. */
  get lost(): number {
    return this.#lost;
  }

  /** The sequence number of the last entry read from each CPU. */
  positions(): [cpu: number, sequence: number][] {
    return this.rings.map((ring) => [ring.area.cpu, ring.next - 1]);
  }

  /**
   * Continues after what a recording already contains.
   *
   * @param next the next sequence number of each CPU that is in it
   * @param skipped called with the next sequence number of each CPU
   */
  skip(
    next: ReadonlyMap<number, number>,
    skipped: (cpu: number, next: number) => void,
  ): void {
    for (const ring of this.rings) {
      ring.next = next.get(ring.area.cpu) ?? 1;
      skipped(ring.area.cpu, ring.next);
    }
  }

  /**
   * Reads what is new now, one part of each ring at a time.
   *
   * @param between called before each part
   * @throws {MemoryError} when the guest's memory can no longer be read.
   */
  read(between: () => void): void {
    // Heads are read before acknowledgements, so that the key of every entry
    // read is known.
    let unread = this.rings.map((ring) => ({ ring, head: ring.head() }));
    do {
      between();
      // A ring that has been read up to its head is left out: the guest may
      // have gone around it meanwhile, and the old head would seem to have
      // moved back.
      unread = unread.filter(({ ring, head }) =>
        ring.read(head, this.#visitor)
      );
    } while (unread.length > 0);
  }
}
