/**
 * Reads the rings of a trace into its recording, while its keys go on being
 * changed.
 *
 * @module
 */
import { ENTRY } from "../page/abi.ts";
import type { PresenceFinding } from "../page/presence.ts";
import type { RingVisitor } from "../page/ring_reader.ts";
import type { Running } from "./running_trace.ts";

/** Told of what is wrong. */
export type Report = (finding: PresenceFinding) => void;

/**
 * Reads what there is now, a part at a time: keys do not wait for it.
 *
 * @param rotate whether keys are to be changed when it is time
 * @throws {MemoryError} when the guest's memory is gone.
 */
export function readRings(
  running: Running,
  rotate: boolean,
  report: Report,
): void {
  const visitor: RingVisitor = {
    entries: (cpu, sequence, bytes) => {
      running.recording?.entries(cpu, sequence, bytes);
      running.entries += bytes.length / ENTRY.bytes;
      running.backlog.entries(cpu, bytes);
    },
    lost: (cpu, sequence, count) => {
      running.recording?.lost(cpu, sequence, count);
      running.lost += count;
      running.backlog.lost(cpu, count);
    },
    movedBack: (cpu, from, to) =>
      report({
        problem: "head moved back",
        detail: `the ring of CPU ${cpu} went back from ${from} to ${to}`,
      }),
    movedAhead: (cpu, from, to) =>
      report({
        problem: "head moved ahead",
        detail:
          `the ring of CPU ${cpu} went from ${from} to ${to}, which no CPU can`,
      }),
  };
  // Heads before acknowledgements: what is read then has its key known.
  const heads = running.rings.map((ring) => ring.head());
  let more = true;
  while (more) {
    tendKeys(running, rotate, report);
    more = false;
    running.rings.forEach((ring, i) => {
      if (ring.read(heads[i], visitor)) more = true;
    });
  }
}

/** Looks which keys were taken, and sends the next ones when it is time. */
function tendKeys(running: Running, rotate: boolean, report: Report): void {
  for (const finding of running.keys.watch()) report(finding);
  const now = performance.now();
  if (!rotate || now < running.nextRotation) return;
  running.nextRotation = now + (running.options.rotateMs ?? 100);
  running.keys.rotate();
}
