/**
 * A writer that records its calls, and traces without a guest, for tests of
 * what passes events to writers.
 *
 * @module
 */
import { x86_64 } from "../arch/x86_64/mod.ts";
import { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import { LAYOUT_6_1 } from "../ftrace/ring/layout_fixture.ts";
import type { TraceMeta } from "./text/environment.ts";
import { FLAGS_BEFORE_LAZY } from "./text/guest/entry_flags.ts";
import { DEFAULT_TEXT_OPTIONS } from "./text/options.ts";
import type {
  EventRun,
  Loss,
  TraceSource,
  TraceTotals,
  TraceWriter,
} from "./writer.ts";

/** A meta without any knowledge of the guest. */
export const BARE_META: TraceMeta = {
  arch: x86_64,
  layout: LAYOUT_6_1,
  entryFlags: () => FLAGS_BEFORE_LAZY,
  tracer: "nop",
  nrCpuIds: 1,
  onlineCpus: 1,
  clockInNs: true,
  timeStart: 0n,
  symbols: {
    bare: (lo) => `f${lo}`,
    ps: (lo) => `f${lo}`,
    pS: (lo) => `f${lo}+0x0/0x10`,
    pB: (lo) => `f${lo}+0x0/0x10`,
  },
  comm: () => undefined,
  tgid: () => 0,
  format: () => undefined,
  string: () => undefined,
};

/** A guest about which nothing is known. */
export const BARE_GUEST: {
  readonly meta: TraceMeta;
  readonly options: TraceSource["options"];
} = { meta: BARE_META, options: DEFAULT_TEXT_OPTIONS };

/** Records each call as a line; events by CPU and times. */
export class NotingWriter implements TraceWriter {
  readonly notes: string[] = [];
  /** All rows received, in order: `cpu@time`. */
  readonly rows: string[] = [];
  readonly #takesNext: (run: EventRun) => boolean;

  /** @param takesNext whether it consumes the event after a run as well */
  constructor(takesNext: (run: EventRun) => boolean = () => false) {
    this.#takesNext = takesNext;
  }

  begin([source]: readonly [TraceSource, ...TraceSource[]]): void {
    const { kind, target, counts } = source;
    this.notes.push(
      `begin ${kind} ${target ?? "-"} ${JSON.stringify(counts ?? null)}`,
    );
  }

  events(run: EventRun): void {
    const { columns, from, to, next, nextTs } = run;
    const times: number[] = [];
    for (let row = from; row < to; row++) {
      times.push(columns.ts[row]);
      this.rows.push(`${columns.cpu[row]}@${columns.ts[row]}`);
    }
    let note = `cpu ${columns.cpu[from]}: ${times.join(" ")}`;
    if (next >= 0) note += `, next here ${columns.ts[next]}`;
    if (nextTs === nextTs) note += `, next ${nextTs}`;
    if (next >= 0 && this.#takesNext(run)) {
      note += ", taken";
      this.rows.push(`${columns.cpu[next]}@${columns.ts[next]}`);
      run.takeNext();
    }
    this.notes.push(note);
  }

  lost({ cpu, count, before }: Loss): void {
    this.notes.push(`lost ${count} of cpu ${cpu} before ${before}`);
  }

  refresh(): void {
    this.notes.push("refresh");
  }

  flush(): void {
    this.notes.push("flush");
  }

  end({ events, lost, dropped }: TraceTotals): void {
    this.notes.push(`end ${events} events, ${lost} lost, ${dropped} dropped`);
  }
}

/**
 * An event as written in tests: its CPU, its time, and the losses before it.
 */
export type TestEvent = readonly [cpu: number, ts: number, lost?: number];

/** Columns with these events in this order; times count from one second. */
export function rowsOf(
  events: readonly TestEvent[],
): { columns: EventColumns; arena: PageArena } {
  const columns = new EventColumns(1_000_000_000n);
  columns.reserve(events.length);
  events.forEach(([cpu, ts, lost], row) => {
    columns.cpu[row] = cpu;
    columns.ts[row] = ts;
    if (lost !== undefined) columns.lost.push({ row, cpu, count: lost });
  });
  columns.length = events.length;
  return { columns, arena: new PageArena(64) };
}
