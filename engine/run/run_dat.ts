/**
 * Runs compiled queries over the events of a trace.dat: what they need of a
 * guest is its names, its formats, and its events.
 *
 * @module
 */
import { archNamed } from "../arch/all.ts";
import { SyscallNames } from "../arch/syscall_names.ts";
import { globRegExp } from "../base/glob.ts";
import { nearNames } from "../base/near_names.ts";
import type { EventFormat } from "../ftrace/events/formats.ts";
import { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import type { FunctionIndex } from "../kernel/functions/index.ts";
import { bytesOf } from "../output/tracecmd/write_report.ts";
import { datMeta } from "../output/write_dat.ts";
import type { GuestNames } from "../passes/fields/stream_access.ts";
import { appendRow } from "../passes/rows.ts";
import { StreamRun } from "../passes/stream.ts";
import type { ProcessSpec } from "../query/expression.ts";
import type { TargetFacts } from "../query/facts.ts";
import type { Program } from "../query/program.ts";
import type { DatRun, DatTrace } from "../tracedat/dat_trace.ts";
import type { RunOptions, RunResult } from "./run_types.ts";

/** Rows that are processed at once. */
const BATCH_ROWS = 65_536;
/** Bytes of entries are kept in slots of this size. */
const SLOT = 4 << 20;
/** Forks that are noted. */
const MOST_FORKS = 1 << 20;

/** How the file's kernel names the functions of system calls. */
function syscallNames({ functions }: DatTrace): SyscallNames {
  const { names } = archNamed().syscalls;
  if (functions.addressOf(names.entry("sys_read")) !== undefined) return names;
  for (let i = 0; i < functions.size; i++) {
    // `__ARCH_sys_read`, beside inner functions of the same form.
    const [, prefix, inner] =
      /^(__([a-z0-9]+)_sys_)read$/.exec(functions.at(i).name) ?? [];
    if (prefix !== undefined && inner !== "se" && inner !== "do") {
      return new SyscallNames([prefix]);
    }
  }
  return new SyscallNames(["sys_", "SyS_"]);
}

/**
 * The facts for which queries on a trace.dat are compiled.
 *
 * @param target as the user names it
 */
export function datFacts(trace: DatTrace, target: string): TargetFacts {
  const { header, layout } = trace;
  const meta = datMeta(trace);
  const release = meta.release ?? "unknown";
  return {
    target,
    kernel: release,
    live: false,
    cpus: header.cpuCount,
    bufferBytes: 0,
    tracer: meta.tracer,
    recording: false,
    roots: [],
    maxDepth: 0,
    returnValues: layout.trace.graphReturn.retval >= 0,
    functions: functionIndex(trace, release),
    events: {
      // What was enabled is not in the file: what there is of an event is.
      all: header.events.map(({ id, system, name }) => ({
        id,
        system,
        name,
        enabled: true,
      })),
      format: formatOf(trace),
    },
    capabilities: { writes: false, roots: 0, depth: false, mute: false },
  };
}

/** Formats; the arguments of system calls are words of 64 bits elsewhere. */
function formatOf(trace: DatTrace): (id: number) => EventFormat | undefined {
  const meta = datMeta(trace);
  return (id) => {
    const format = meta.format(id);
    if (format?.syscall === undefined || trace.header.longSize === 8) {
      return format;
    }
    const { syscall: _, ...rest } = format;
    return rest;
  };
}

function functionIndex(trace: DatTrace, kernel: string): FunctionIndex {
  const { functions } = trace;
  let byName: Map<string, bigint[]> | undefined;
  const names = () => {
    if (byName !== undefined) return byName;
    byName = new Map();
    for (let i = 0; i < functions.size; i++) {
      const { name, address } = functions.at(i);
      const found = byName.get(name);
      if (found === undefined) byName.set(name, [address]);
      else found.push(address);
    }
    return byName;
  };
  return {
    kernel,
    syscalls: syscallNames(trace),
    offsets: archNamed().ftraceSites.offsets,
    addresses: (name) => names().get(name) ?? [],
    glob: (pattern) => {
      const regExp = globRegExp(pattern);
      return [...names().keys()].filter((name) => regExp.test(name));
    },
    near: (name) => nearNames(name, [...names().keys()]),
    state: () => "unknown",
  };
}

/** Names of functions and threads, as queries use them. */
class DatNames implements GuestNames {
  readonly #trace: DatTrace;
  readonly #syscalls: SyscallNames;
  readonly #functions = new Map<string, string>();

  constructor(trace: DatTrace) {
    this.#trace = trace;
    this.#syscalls = syscallNames(trace);
  }

  func(lo: number, hi: number): string {
    const key = `${hi}:${lo}`;
    let name = this.#functions.get(key);
    if (name === undefined) {
      const address = BigInt(hi) << 32n | BigInt(lo);
      const found = this.#trace.functions.find(address);
      name = found === undefined
        ? `0x${address.toString(16)}`
        : this.short(found.name);
      this.#functions.set(key, name);
    }
    return name;
  }

  short(name: string): string {
    return this.#syscalls.short(name);
  }

  foreign(lo: number, hi: number): boolean {
    const address = BigInt(hi) << 32n | BigInt(lo);
    return this.#trace.functions.find(address) === undefined;
  }

  comm(pid: number): string {
    const comm = this.#trace.comms.get(pid);
    return comm === undefined ? "<...>" : bytesOf(comm);
  }
}

/** Parents of processes, as far as the trace shows forks. */
class DatProcesses {
  readonly #parents = new Map<number, number>();
  readonly #fork: { id: number; parent: number; child: number } | undefined;

  constructor({ header }: DatTrace) {
    const event = header.events.find(({ system, name }) =>
      system === "sched" && name === "sched_process_fork"
    );
    const at = (name: string) =>
      event?.fields.find((field) => field.name === name)?.offset;
    const parent = at("parent_pid");
    const child = at("child_pid");
    this.#fork = event === undefined || parent === undefined ||
        child === undefined
      ? undefined
      : { id: event.id, parent, child };
  }

  note(columns: EventColumns, row: number, { view }: PageArena): void {
    const fork = this.#fork;
    if (fork === undefined || columns.type[row] !== fork.id) return;
    const size = columns.size[row];
    if (fork.parent + 4 > size || fork.child + 4 > size) return;
    if (this.#parents.size >= MOST_FORKS) return;
    const at = columns.offset[row];
    this.#parents.set(
      view.getInt32(at + fork.child, true),
      view.getInt32(at + fork.parent, true),
    );
  }

  test(
    { match, children }: ProcessSpec,
    comm: (pid: number) => string,
  ): (pid: number) => boolean {
    const regExp = typeof match === "string" ? globRegExp(match) : undefined;
    const is = (pid: number) =>
      regExp === undefined ? pid === match : regExp.test(comm(pid));
    return (pid) => {
      const seen = new Set<number>();
      for (
        let at: number | undefined = pid;
        at !== undefined && at > 0 && !seen.has(at);
        at = this.#parents.get(at)
      ) {
        if (is(at)) return true;
        if (!children) return false;
        seen.add(at);
      }
      return false;
    };
  }
}

/** Rows of all CPUs, with their entries in one place. */
class DatBatch {
  readonly columns: EventColumns;
  readonly arena = new PageArena(SLOT, 1);
  #slot = -1;
  #used = SLOT;

  constructor(epoch: bigint) {
    this.columns = new EventColumns(epoch, BATCH_ROWS);
  }

  /** Adds a row. */
  add(from: EventColumns, row: number, { bytes }: PageArena): void {
    const size = from.size[row];
    if (this.#used + size > SLOT) {
      this.#slot = this.arena.acquire();
      this.#used = 0;
    }
    const at = this.#slot + this.#used;
    const start = from.offset[row];
    this.arena.bytes.set(bytes.subarray(start, start + size), at);
    appendRow(this.columns, from, row);
    this.columns.offset[this.columns.length - 1] = at;
    // Entries stay aligned.
    this.#used += (size + 7) & ~7;
  }

  clear(): void {
    this.columns.clear();
    this.arena.clear();
    this.#used = SLOT;
  }
}

/**
 * Runs a program over a trace.dat.
 *
 * @param program compiled for {@linkcode datFacts}
 */
export function runDat(
  program: Program,
  trace: DatTrace,
  options: Pick<RunOptions, "write" | "window">,
  instance?: string,
): RunResult {
  const names = new DatNames(trace);
  const processes = new DatProcesses(trace);
  const streams = program.streams.map((stream) =>
    new StreamRun(stream, {
      names,
      env: datMeta(trace),
      format: formatOf(trace),
      graphRetval: trace.layout.trace.graphReturn.retval,
      process: (who) => processes.test(who, (pid) => names.comm(pid)),
      userString: undefined,
      write: options.write,
      window: options.window ?? options.write,
    })
  );
  let batch: DatBatch | undefined;
  let origin = NaN;
  let read = 0;
  const take = () => {
    if (batch === undefined || batch.columns.length === 0) return;
    const { columns, arena } = batch;
    if (Number.isNaN(origin)) origin = columns.ts[0];
    read += columns.length;
    for (const stream of streams) {
      stream.take({ columns, arena, ordered: true }, origin);
    }
    batch.clear();
  };
  const { lost, problems, damaged } = trace.read({
    events({ columns, arena, from, to }: DatRun) {
      batch ??= new DatBatch(columns.epoch);
      for (let row = from; row < to; row++) {
        processes.note(columns, row, arena);
        batch.add(columns, row, arena);
        if (batch.columns.length === BATCH_ROWS) take();
      }
    },
    lost: () => {},
  }, { instance: instance ?? "" });
  take();
  const warnings = [...problems];
  if (damaged > problems.length) {
    warnings.push(`${damaged - problems.length} more pages as these`);
  }
  const results: unknown[] = [];
  const texts: string[] = [];
  const events: number[] = [];
  const open: number[] = [];
  for (const run of streams) {
    run.finish(origin);
    run.stream.sinks.forEach(({ query }, i) => {
      results[query] = run.result(i);
      texts[query] = run.text(i);
      events[query] = run.events;
      open[query] = run.open;
    });
    if (run.cut > 0) {
      warnings.push(
        `${run.cut} calls are left out of the calls in which they happened: those held more than can be kept`,
      );
    }
    for (const sink of run.sinks) {
      if (sink.leftOut !== undefined) warnings.push(sink.leftOut);
    }
  }
  return {
    results,
    texts,
    read,
    events,
    lost,
    overwritten: 0,
    open,
    ended: streams.every(({ done }) => done) ? "until" : "end of recording",
    warnings,
  };
}
