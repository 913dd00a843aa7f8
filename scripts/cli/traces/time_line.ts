/**
 * Records several guests at once, and the host's own trace beside them, on one
 * time line: that of the host's monotonic clock.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  durationText,
  END_TEXT,
  EXIT,
  type Guest,
  GuestGoneError,
  type HostWriteError,
  XftraceError,
} from "xftrace";
import { ClockPair, DatTrace, type ReadableClock } from "xftrace/ftrace";
import { HOST_CLOCKS, HostClock } from "xftrace/live";
import {
  alignmentOf,
  datRuns,
  datSource,
  type TimedSource,
  type TraceFormat,
  writeTimeLine,
} from "xftrace/output";
import { FileSink } from "../../collector/file_sink.ts";
import { usage } from "../option_values.ts";
import { count, note, warn } from "../terminal.ts";
import type { FollowOptions } from "./follow.ts";
import { Writing } from "./writing.ts";
import { SealedBeside, sealedExit } from "./sealed_beside.ts";
import { GuestRecorder, type Recorded } from "./guest_recorder.ts";

/** What to record. */
export interface TimeLineOptions extends FollowOptions {
  readonly output: string;
  /** Path of a trace.dat of the host's, which exists when recording ends. */
  readonly host?: string;
  /** Paths of sealed recordings, which exist when recording ends. */
  readonly sealed?: readonly string[];
}

/**
 * Records until Ctrl-C, a time, or the end of all guests; then writes the file.
 *
 * @throws {XftraceError} when the format holds the trace of one guest only.
 * @throws {GuestGoneError} when a guest ended meanwhile; the file is written.
 * @throws {XftraceError} when what came could not be kept to the end; so is what
 * was kept.
 */
export async function recordTimeLine(
  guests: readonly Pick<Guest, "session">[],
  format: TraceFormat,
  options: TimeLineOptions,
): Promise<void> {
  requireSeveral(format);
  const clock = new HostClock();
  const host = options.host === undefined
    ? undefined
    : new HostTrace(options.host, clock);
  const sealed = (options.sealed ?? []).map((path) =>
    new SealedBeside(path, clock)
  );
  // Opened now, so that a place that cannot be written costs nobody a trace.
  using file = new FileSink(options.output, { rescue: true });
  const folder = temporaryFolder(options.output);
  try {
    const recorders = guests.map((guest, i) =>
      new GuestRecorder(guest, options, clock, join(folder, `${i}.spool`))
    );
    await runAll(recorders, options);
    write(recorders, { host, sealed }, format, file);
    const exit = sealedExit(sealed);
    if (exit !== EXIT.ok) Deno.exitCode = exit;
    tellEnds(recorders, file);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** @throws {XftraceError} when a format holds the trace of one guest only. */
export function requireSeveral({ name, single }: TraceFormat): void {
  if (single !== true) return;
  throw usage(
    `the format ${name} holds the trace of one guest; use perfetto, jsonl, html or parquet for several`,
  );
}

/** A folder for what is kept until the end: beside the output, if possible. */
function temporaryFolder(output: string): string {
  const prefix = ".xftrace-record-";
  try {
    return Deno.makeTempDirSync({ dir: dirname(resolve(output)), prefix });
  } catch {
    return Deno.makeTempDirSync({ prefix });
  }
}

async function runAll(
  recorders: readonly GuestRecorder[],
  options: TimeLineOptions,
): Promise<void> {
  let stop = false;
  const end = () => {
    stop = true;
  };
  const until = options.for === undefined
    ? Infinity
    : performance.now() + options.for * 1000;
  Deno.addSignalListener("SIGINT", end);
  Deno.addSignalListener("SIGTERM", end);
  try {
    await Promise.all(
      recorders.map((each) =>
        each.run(() => stop || performance.now() >= until)
      ),
    );
  } finally {
    Deno.removeSignalListener("SIGINT", end);
    Deno.removeSignalListener("SIGTERM", end);
  }
}

/** Says that a file is not where it was to be, and where it is. */
export function movedError(
  failed: HostWriteError,
  { path }: Pick<FileSink, "path">,
): XftraceError {
  return new XftraceError(
    `${failed.message}; what was traced until then is in ${path}`,
    { cause: failed },
  );
}

function write(
  recorders: readonly GuestRecorder[],
  { host, sealed }: {
    readonly host: HostTrace | undefined;
    readonly sealed: readonly SealedBeside[];
  },
  format: TraceFormat,
  file: FileSink,
): void {
  using opened = new DisposableStack();
  const recorded = recorders.map((each) => opened.use(each.recorded()));
  // What the guests wrote is not lost because of another file.
  const beside = [
    host?.timed(opened),
    ...sealed.map((each) => each.timed()),
  ].filter((each) => each !== undefined);
  const sources = [...recorded.map(({ timed }) => timed), ...beside];
  const [first, ...others] = sources;
  using writing = new Writing(format, (chunk) => file.write(chunk));
  writeTimeLine([first, ...others], writing.writer);
  file.commit();
  writing.tellLeftOut();
  recorded.forEach(tell);
  for (const timed of beside) {
    const { target, seal } = timed.source;
    const verdict = seal === undefined ? "" : `${seal.text}; `;
    note(`${target}: ${verdict}${alignedText(timed)}`);
  }
}

function tell({ timed, kept }: Recorded): void {
  const { events, lost, dropped } = kept();
  note(
    `${timed.source.target}: ${count(events)} events, ${count(lost)} lost${
      dropped > 0 ? `, ${count(dropped)} dropped by the guest` : ""
    }; ${alignedText(timed)}`,
  );
}

function alignedText({ source: { aligned } }: TimedSource): string {
  if (aligned === undefined || aligned.errorNs === null) {
    return "its times could not be compared with the host's clock (too few events): how wrong they are is not known";
  }
  const torn = aligned.torn.length === 0
    ? ""
    : ` (more in ${aligned.torn.length} spans, in which no even rate keeps to all that is known: it stood still, or its clock jumped)`;
  return `times of the host's clock, wrong by at most ${
    durationText(aligned.errorNs)
  }${torn}`;
}

function tellEnds(
  recorders: readonly GuestRecorder[],
  file: FileSink,
): void {
  const failed = recorders.filter(({ failed }) => failed !== undefined);
  if (failed.length > 0) {
    throw new XftraceError(
      `not all was kept: ${
        failed.map(({ target, failed }) => `of ${target}: ${failed}`).join("; ")
      }; what was traced until then is in ${file.path}`,
    );
  }
  if (file.failed !== undefined) throw movedError(file.failed, file);
  const ends = recorders.filter(({ end }) => end !== undefined);
  const [first] = ends;
  if (first === undefined) return;
  throw new GuestGoneError(
    `${
      ends.map(({ target, end }) => `${target} ${END_TEXT[end ?? "ended"]}`)
        .join(", ")
    }; what was traced until then is in ${file.path}`,
  );
}

/** A trace.dat of the host, which may be complete only at the end. */
class HostTrace {
  readonly #path: string;
  readonly #clock: ReadableClock;
  /** The clocks that it may have, compared with that of the time line. */
  readonly #pairs: ReadonlyMap<string, { clock: HostClock; pair: ClockPair }>;

  /** @throws {XftraceError} when there is a file with another clock. */
  constructor(path: string, clock: ReadableClock) {
    this.#path = path;
    this.#clock = clock;
    this.#pairs = new Map(
      (Object.keys(HOST_CLOCKS) as (keyof typeof HOST_CLOCKS)[]).map((name) => {
        const own = new HostClock(name);
        return [name, { clock: own, pair: new ClockPair(own, clock) }];
      }),
    );
    if (existsSync(path)) {
      using trace = DatTrace.open(path);
      this.#pairOf(trace);
    }
  }

  #pairOf({ header: { clock = "", tsc } }: DatTrace) {
    const pair = tsc === undefined ? this.#pairs.get(clock) : undefined;
    if (pair !== undefined) return pair;
    throw new XftraceError(
      `${this.#path} has times of the trace clock ${
        JSON.stringify(clock)
      }, which cannot be compared with others; record the host with \`trace-cmd record -C mono\``,
    );
  }

  /** Its events on the time line; `undefined`, with a warning, without them. */
  timed(opened: DisposableStack): TimedSource | undefined {
    try {
      const trace = opened.use(DatTrace.open(this.#path));
      const { clock, pair } = this.#pairOf(trace);
      pair.look();
      const map = pair.map();
      const { base } = this.#clock;
      const shift = Number(clock.base - base);
      return {
        source: {
          ...datSource(trace, `host (${this.#path})`),
          aligned: alignmentOf(map, base),
        },
        // From ns since the base of the time line to those of its own clock.
        runs: datRuns(trace, base, (ts) => map.at(ts - shift)),
      };
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      warn(`${error.message}; the file holds the guests alone`);
      return undefined;
    }
  }
}
