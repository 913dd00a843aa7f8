/**
 * The format `html`: one page with everything in it, for a browser. Sums cover
 * all events; the page also gets the first million of them one by one.
 *
 * @module
 */
import { VERSION } from "../../base/version.ts";
import { KIND } from "../../ftrace/ring/columns.ts";
import { integerAt } from "../../ftrace/ring/field_values.ts";
import type { PageData, PageGuest, PageVerdict } from "../page/data.ts";
import { ROW_KIND } from "../page/packed.ts";
import { PageFile } from "../page/page_file.ts";
import type {
  EventRun,
  Loss,
  OutputSink,
  TraceFormat,
  TraceSource,
  TraceTotals,
  TraceWriter,
  WriterOptions,
} from "../writer.ts";
import { EventTypes } from "./event_types.ts";
import { CallSums, GuestCalls } from "./html_calls.ts";
import { PageNames, ThreadList } from "./html_names.ts";
import { MOST_ROWS, type PageRow, PageRows } from "./html_rows.ts";
import { SyscallSums } from "./html_syscalls.ts";
import { GuestLines } from "./jsonl.ts";

/** Spans of time of which events are counted; they grow with the trace. */
const SPANS = 1024;

/** A page for a browser. */
export const HTML: TraceFormat = {
  name: "html",
  about: "a page for a browser, in one file",
  writer: (sink, options) => new HtmlWriter(sink, MOST_ROWS, options?.page),
};

/** One guest. */
class Guest {
  readonly source: TraceSource;
  readonly calls: GuestCalls;
  readonly lines: GuestLines;
  readonly types: EventTypes;
  gaps = 0;
  missing = 0;

  constructor(source: TraceSource, calls: GuestCalls, names: PageNames) {
    this.source = source;
    this.calls = calls;
    this.lines = new GuestLines(source, "");
    this.types = new EventTypes(source, names, this.lines);
  }
}

/** Writes a page; `mostRows` is lower in tests. */
export class HtmlWriter implements TraceWriter {
  readonly #about: NonNullable<WriterOptions["page"]>;
  readonly #file: PageFile;
  readonly #rows: PageRows;
  readonly #names = new PageNames();
  readonly #sums = new CallSums(this.#names);
  /** By events of entry and exit, and by the functions of system calls. */
  readonly #syscalls = new SyscallSums();
  readonly #syscallFunctions = new SyscallSums();
  readonly #density = new Density();
  readonly #guests = new Map<TraceSource, Guest>();
  readonly #row: PageRow = {
    ts: 0,
    cpu: 0,
    thread: 0,
    kind: 0,
    name: 0,
    depth: 0,
    duration: 0,
  };
  #threads = new ThreadList([]);
  #start: bigint | undefined;
  #end = 0;
  #notKept = 0;
  #notKeptLosses = 0;

  constructor(
    sink: OutputSink,
    mostRows: number = MOST_ROWS,
    about: WriterOptions["page"] = {},
  ) {
    this.#about = about;
    this.#file = new PageFile(sink);
    this.#rows = new PageRows(this.#file, mostRows);
  }

  begin(sources: readonly [TraceSource, ...TraceSource[]]): void {
    this.#threads = new ThreadList(sources);
    for (const source of sources) {
      const calls = new GuestCalls(
        source,
        this.#sums,
        this.#names,
        this.#threads,
        (thread, name, duration) =>
          this.#syscallFunctions.call(
            this.#threads.processOf(thread),
            name,
            duration,
          ),
      );
      this.#guests.set(source, new Guest(source, calls, this.#names));
    }
    this.#file.begin(this.#title());
  }

  events(run: EventRun): void {
    const { source, columns, from, to } = run;
    const guest = this.#guests.get(source)!;
    const number = this.#threads.guestOf(source);
    this.#start ??= columns.timeAt(from);
    const zero = Number(columns.epoch - this.#start);
    const row = this.#row;
    for (let at = from; at < to; at++) {
      const cpu = columns.cpu[at];
      const kind = columns.kind[at];
      const ts = Math.max(0, zero + columns.ts[at]);
      const thread = this.#threads.index(number, source, columns.pid[at], cpu);
      this.#threads.count(thread, 1);
      this.#density.add(ts);
      if (ts > this.#end) this.#end = ts;
      let text = "";
      if (kind === KIND.other) {
        text = this.#event(guest, run, at, thread, ts);
      } else {
        guest.calls.take(run, at, at + 1);
        row.name = guest.calls.nameOf(columns, at);
        row.kind = kind === KIND.return ? ROW_KIND.return : ROW_KIND.entry;
        row.depth = columns.depth[at];
        if (!this.#rows.full) text = callText(guest.lines.rest(run, at));
      }
      if (this.#rows.full) {
        this.#notKept++;
        continue;
      }
      row.ts = ts;
      row.cpu = cpu;
      row.thread = thread;
      row.duration = columns.duration[at];
      this.#rows.add(row, text);
    }
  }

  lost({ source, cpu, count, before }: Loss): void {
    const guest = this.#guests.get(source)!;
    guest.gaps++;
    guest.missing += Math.max(0, count);
    if (this.#rows.full) {
      this.#notKeptLosses++;
      return;
    }
    this.#start ??= before;
    this.#rows.add({
      ts: Math.max(0, Number(before - this.#start)),
      cpu,
      thread: this.#threads.index(
        this.#threads.guestOf(source),
        source,
        0,
        cpu,
      ),
      kind: ROW_KIND.lost,
      name: this.#names.index("events lost"),
      depth: 0,
      duration: count < 0 ? 0 : count + 1,
    }, "");
  }

  refresh(): void {
    this.#threads.refresh();
    for (const { lines } of this.#guests.values()) lines.refresh();
  }

  end(totals: TraceTotals): void {
    for (const { calls } of this.#guests.values()) calls.calls.end();
    this.#threads.refresh();
    this.#rows.flush();
    this.#file.end(this.#data(totals));
  }

  leftOut(): readonly string[] {
    return this.#leftOut(this.#shownSyscalls);
  }

  /** Of those of events and those of functions, the ones that are shown. */
  get #shownSyscalls(): SyscallSums {
    return this.#syscalls.empty ? this.#syscallFunctions : this.#syscalls;
  }

  /** Takes an event that is no call; returns its fields as JSON. */
  #event(
    guest: Guest,
    run: EventRun,
    row: number,
    thread: number,
    ts: number,
  ): string {
    const known = guest.types.of(run, row);
    this.#row.name = known.name;
    this.#row.kind = ROW_KIND.event;
    this.#row.depth = 0;
    const { call, exit, result } = known;
    const keep = !this.#rows.full;
    const text = keep || call !== undefined && !exit
      ? fieldsOf(guest.lines.rest(run, row))
      : "";
    if (call === undefined) return text;
    if (exit) {
      const value = result === undefined ? NaN : integerAt(run, row, result);
      this.#syscalls.left(thread, call, ts, value);
    } else {
      const process = this.#threads.processOf(thread);
      this.#syscalls.entered(thread, process, call, ts, argumentsOf(text));
    }
    return text;
  }

  #title(): string {
    const targets = [...this.#guests.keys()].map(({ target }) => target ?? "-");
    return `Trace of ${targets.join(", ")}`;
  }

  #data({ events, lost, dropped }: TraceTotals): PageData {
    const guests = [...this.#guests.values()];
    const names = this.#names;
    const syscalls = this.#shownSyscalls;
    return {
      title: this.#title(),
      by: `xftrace ${VERSION}`,
      ...sealVerdict(guests.map(({ source }) => source)),
      ...this.#about,
      facts: [
        ...this.#about.facts ?? [],
        ...guests.map(({ source }) => sealFact(source, guests.length > 1)),
        ...guests.flatMap(({ source }) => clockFact(source)),
      ],
      trace: {
        guests: guests.map(pageGuest),
        unit: guests.every(({ source }) => source.meta.clockInNs)
          ? "ns"
          : "ticks",
        start: String(this.#start ?? 0n),
        length: this.#end,
        events,
        lost,
        dropped,
        rows: this.#rows.kept,
        functions: this.#sums.times(),
        syscalls: syscalls.times(),
        tree: this.#sums.tree(),
        foreign: this.#sums.foreignCalls(),
        processes: syscalls.processes(),
        threads: this.#threads.page(),
        names: names.list,
        calls: names.calls,
        density: this.#density.page(),
        leftOut: this.#leftOut(syscalls),
      },
    };
  }

  #leftOut(syscalls: SyscallSums): string[] {
    const count = (number: number) => number.toLocaleString("en-US");
    const said: string[] = [];
    if (this.#notKept > 0) {
      said.push(
        `The time line and the list of events have the first ${
          count(this.#rows.kept)
        } events; the other ${
          count(this.#notKept)
        } are in all sums (flame graph, call tree, times, system calls).`,
      );
    }
    if (this.#notKeptLosses > 0) {
      said.push(
        `${
          count(this.#notKeptLosses)
        } further places where events are missing are not in the list of events.`,
      );
    }
    if (this.#sums.leftOut > 0) {
      said.push(
        `${
          count(this.#sums.leftOut)
        } calls of further call stacks are in the times of functions, but not in the flame graph and the call tree.`,
      );
    }
    if (syscalls.leftOut > 0) {
      said.push(
        `${
          count(syscalls.leftOut)
        } system calls of further processes are in the times of system calls only.`,
      );
    }
    if (this.#threads.full) {
      said.push("There are too many threads: the last ones are one thread.");
    }
    if (this.#names.full) {
      said.push("There are too many names: the last ones are one name.");
    }
    return said;
  }
}

/** What is said of a source's seal, also if it has none. */
function sealFact(
  { target, seal }: TraceSource,
  several: boolean,
): [string, string] {
  return [
    several ? `Seal of ${target ?? "-"}` : "Seal verdict",
    seal?.text ??
      "not sealed: whoever controls the guest could have changed these events",
  ];
}

/** The worst verdict on seals, unless a good one would cover what has none. */
function sealVerdict(
  sources: readonly TraceSource[],
): { verdict?: PageVerdict } {
  const seals = sources.flatMap(({ target, seal }) =>
    seal === undefined ? [] : [{
      kind: seal.kind,
      text: sources.length > 1 ? `${target ?? "-"}: ${seal.text}` : seal.text,
    }]
  );
  const of = (kind: PageVerdict["kind"]) =>
    seals.find((seal) => seal.kind === kind);
  const worst = of("bad") ?? of("unknown") ??
    (seals.length === sources.length ? seals[0] : undefined);
  return worst === undefined ? {} : { verdict: worst };
}

/** How well the times of a guest are known that shares a time line. */
function clockFact({ target, aligned }: TraceSource): [string, string][] {
  if (aligned === undefined) return [];
  const { clock, errorNs, torn } = aligned;
  const wrong = errorNs === null
    ? "how wrong they are is not known"
    : `wrong by at most ${errorNs.toLocaleString("en-US")} ns${
      torn.length === 0
        ? ""
        : `, and by more in ${torn.length} spans, where it stood still or its clock was set`
    }`;
  return [[`Times of ${target ?? "-"}`, `${clock}, ${wrong}`]];
}

function pageGuest({ source, gaps, missing }: Guest): PageGuest {
  const { meta, target } = source;
  return {
    target: target ?? "-",
    release: meta.release ?? "",
    tracer: meta.tracer,
    cpus: meta.onlineCpus,
    gaps,
    missing,
  };
}

/** The fields in what {@linkcode GuestLines.rest} returns, as JSON. */
function fieldsOf(rest: string): string {
  // Within a string, the quotation mark behind the word would be escaped.
  return rest.slice(rest.indexOf('"fields":') + '"fields":'.length);
}

/** The arguments of a system call without its number, which its name tells. */
function argumentsOf(json: string): string {
  return json.replace(/^\{"(?:__syscall_)?nr":-?\d+,?/, "{");
}

/** What there is of a call besides what the columns have, as JSON. */
function callText(rest: string): string {
  const more = /,"(?:retaddr|args|retval)":/.exec(rest);
  return more === null ? "" : `{${rest.slice(more.index + 1)}`;
}

/** Counts events in spans of time, of which there are so many at most. */
class Density {
  #width = 1000;
  readonly #counts = new Float64Array(SPANS);
  #last = 0;

  add(ts: number): void {
    while (ts >= this.#width * SPANS) {
      for (let i = 0; i < SPANS; i++) {
        this.#counts[i] = 2 * i + 1 < SPANS
          ? this.#counts[2 * i] + this.#counts[2 * i + 1]
          : 0;
      }
      this.#width *= 2;
      this.#last = Math.floor(this.#last / 2);
    }
    const span = Math.floor(ts / this.#width);
    this.#counts[span]++;
    if (span > this.#last) this.#last = span;
  }

  page(): { width: number; counts: number[] } {
    return {
      width: this.#width,
      counts: [...this.#counts.subarray(0, this.#last + 1)],
    };
  }
}
