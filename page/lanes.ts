/**
 * What the time line shows: lanes of CPUs and threads, made of rows of events.
 *
 * @module
 */
import type { PageTrace } from "../engine/output/page/data.ts";
import { ROW_KIND } from "../engine/output/page/packed.ts";
import type { Rows } from "./load.ts";

/** Calls at one depth, one after the other: none overlaps another. */
export class Layer {
  readonly start: number[] = [];
  readonly end: number[] = [];
  /** Index of a name; of a thread in the lane of a CPU. */
  readonly what: number[] = [];

  /** Index of the first one that ends at a time or later. */
  firstEndingAt(time: number): number {
    return lowerBound(this.end, time);
  }

  /** Index of the first one that starts at a time or later. */
  firstStartingAt(time: number): number {
    return lowerBound(this.start, time);
  }
}

/** A lane: what one CPU or thread did. */
export interface Lane {
  readonly kind: "cpu" | "thread";
  /** The CPU, or the index of the thread. */
  readonly of: number;
  /** From the outermost to the innermost. */
  readonly layers: readonly Layer[];
  /** Times at which events are missing. */
  readonly lost: readonly number[];
}

/** The part of a trace that is seen. */
export interface Sight {
  /** From this time on. */
  from: number;
  to: number;
  /** How far the lanes are scrolled, in CSS pixels. */
  top: number;
}

/** Lanes of threads; a trace may have thousands. */
const MOST_THREADS = 300;

function lowerBound(list: readonly number[], value: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What a thread did so far. */
class ThreadLane {
  /** System calls by their events, then other events, then calls by depth. */
  readonly syscalls = new Layer();
  readonly instants = new Layer();
  readonly depths: Layer[] = [];
  readonly open: boolean[] = [];
  syscall = -1;
  /** Time of the last event. */
  last = 0;

  enter(depth: number, ts: number, name: number): void {
    this.close(depth, ts);
    while (this.depths.length <= depth) this.depths.push(new Layer());
    const { start, end, what } = this.depths[depth];
    start.push(ts);
    end.push(ts);
    what.push(name);
    this.open[depth] = true;
  }

  leave(depth: number, ts: number): void {
    this.close(depth, ts);
  }

  /** Ends open calls at this depth and deeper. */
  close(depth: number, ts: number): void {
    for (let at = this.open.length - 1; at >= depth; at--) {
      if (!this.open[at]) continue;
      const { end } = this.depths[at];
      end[end.length - 1] = ts;
      this.open[at] = false;
    }
    if (this.open.length > depth) this.open.length = depth;
  }
}

/** Makes lanes of all rows. */
export function lanesOf(trace: PageTrace, rows: Rows): Lane[] {
  const cpus: { layer: Layer; lost: number[] }[] = [];
  const threads: ThreadLane[] = [];
  for (let row = 0; row < rows.length; row++) {
    const ts = rows.ts[row];
    const cpu = cpus[rows.cpu[row]] ??= { layer: new Layer(), lost: [] };
    const kind = rows.kind[row];
    if (kind === ROW_KIND.lost) {
      cpu.lost.push(ts);
      continue;
    }
    const index = rows.thread[row];
    const { start, end, what } = cpu.layer;
    if (what[what.length - 1] === index) end[end.length - 1] = ts;
    else {
      start.push(ts);
      end.push(ts);
      what.push(index);
    }
    const thread = threads[index] ??= new ThreadLane();
    const name = rows.name[row];
    thread.last = ts;
    if (kind === ROW_KIND.entry) thread.enter(rows.depth[row], ts, name);
    else if (kind === ROW_KIND.return) thread.leave(rows.depth[row], ts);
    else takeEvent(thread, trace.calls[name] ?? "", ts, name);
  }
  const lanes: Lane[] = [];
  cpus.forEach(({ layer, lost }, cpu) => {
    lanes.push({ kind: "cpu", of: cpu, layers: [layer], lost });
  });
  const { events } = trace.threads;
  const shownThreads = threads.flatMap((lane, index) => [{ lane, index }])
    .sort((a, b) => events[b.index] - events[a.index]).slice(0, MOST_THREADS);
  for (const { lane, index } of shownThreads) {
    // A call without a return, such as that of exit, ends with its thread.
    lane.close(0, lane.last);
    const layers = [lane.syscalls, lane.instants, ...lane.depths]
      .filter(({ start }) => start.length > 0);
    lanes.push({ kind: "thread", of: index, layers, lost: [] });
  }
  return lanes;
}

function takeEvent(
  thread: ThreadLane,
  call: string,
  ts: number,
  name: number,
): void {
  const layer = call === "" ? thread.instants : thread.syscalls;
  const { start, end, what } = layer;
  if (call.startsWith("-")) {
    if (thread.syscall >= 0) end[end.length - 1] = ts;
    thread.syscall = -1;
    return;
  }
  start.push(ts);
  end.push(ts);
  what.push(name);
  if (call !== "") thread.syscall = name;
}
