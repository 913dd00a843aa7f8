/**
 * An open guest, running or recorded: runs queries, and gives scripts access to
 * the kernel's objects.
 *
 * @module
 */
import { shown } from "../../engine/base/shown.ts";
import { GuestGoneError, XftraceError } from "../../engine/base/errors.ts";
import { lookAt } from "../../engine/control/look.ts";
import type { Plan } from "../../engine/control/plan.ts";
import { selectChecks } from "../../engine/detect/checks.ts";
import type { CheckOptions } from "../../engine/detect/core/context.ts";
import { type CheckRun, runChecks } from "../../engine/detect/core/runner.ts";
import {
  type ListedEvent,
  listEvents,
} from "../../engine/ftrace/events/event_list.ts";
import { findEvents } from "../../engine/ftrace/events/find_events.ts";
import { openInstance } from "../../engine/ftrace/ring/open_instance.ts";
import { findFunctions } from "../../engine/kernel/functions/find_functions.ts";
import type { TraceableFunction } from "../../engine/kernel/functions/traceable.ts";
import { GuestKernel } from "../../engine/kernel/view/guest_kernel.ts";
import type { SymbolBlob } from "../../engine/kernel/symbols/symbol_blob.ts";
import { sinkKind } from "../../engine/passes/sinks/all.ts";
import type { Program } from "../../engine/query/program.ts";
import type { QuerySpec } from "../../engine/query/spec.ts";
import { collectInfo, type GuestInfo } from "../../engine/run/guest_info.ts";
import { openRunTarget, runProgram } from "../../engine/run/run.ts";
import type {
  RunOptions,
  RunResult,
  RunTarget,
} from "../../engine/run/run_types.ts";
import { END_TEXT, type Session } from "../../engine/session.ts";
import type {
  TakenSnapshot,
  TakeSnapshotOptions,
} from "../../engine/snapshot/snapshot.ts";
import { compile } from "../compile/compile.ts";
import { type QueryTarget, Runner } from "../runner.ts";
import { writerTo } from "./standard_output.ts";

/**
 * Where an open guest sends output and warnings, and where its symbols come
 * from.
 */
export interface GuestOptions {
  /** Receives what sinks such as `print()` write; default: standard output. */
  readonly write?: (text: string) => void;
  /**
   * Called with each warning, one sentence, such as that events were lost;
   * default: standard error.
   */
  readonly onWarning?: (message: string) => void;
  /** Symbols of a System.map, in place of the kernel's own. */
  readonly systemMap?: SymbolBlob;
}

/** How queries are planned. */
export interface PlanOptions {
  /** Have the guest narrow down what it records, where it can; default true. */
  readonly push?: boolean;
  /** The trace instance; default: the top-level one. */
  readonly instance?: string;
}

/** How queries are planned and run. */
export interface GuestRunOptions extends PlanOptions, Partial<RunOptions> {
  /** Called with the plan before it is carried out. */
  readonly onPlan?: (plan: Plan) => void;
}

/** The result of a run on a guest. */
export interface GuestRunResult extends RunResult {
  /**
   * For each query, whether its events were printed or handed on as they came.
   */
  readonly asTheyCame: readonly boolean[];
}

/** A query, as `trace(sys_openat).count()` makes one. */
export interface Asked {
  /** The query as data. */
  readonly spec: QuerySpec;
}

/** A run that is not over. */
interface ActiveRun {
  /** Whether it changes the guest. */
  readonly changes: boolean;
  /** Ends it. */
  readonly stop: AbortController;
  /** All that end it. */
  readonly signals: readonly AbortSignal[];
  readonly queries: readonly Asked[];
  /** Resolves when what it has written is undone. */
  readonly ended: Promise<void>;
}

/**
 * Whether a run is about to end: it was interrupted, or the loops over its
 * events have been left.
 */
function isEnding({ signals, queries }: ActiveRun): boolean {
  return signals.some(({ aborted }) => aborted) ||
    queries.every(({ spec: { trace } }) =>
      trace.until.some((when) => when.kind === "signal" && when.signal.aborted)
    );
}

/**
 * An open guest: a running one, or a recording.
 *
 * @example
 * ```ts
 * import { comm, open, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * console.log(guest.kernel.release, guest.info().ftrace.tracer);
 * console.log(guest.functions("vfs_*").length, guest.events("sched").length);
 * const query = trace(sys_openat).count(comm);
 * const { results, lost } = await guest.run([query]);
 * console.log(`${results[0]}`, lost);
 * ```
 */
export class Guest implements QueryTarget, AsyncDisposable, Disposable {
  /**
   * Memory, symbols and types: what the other entries of the library work on.
   */
  readonly session: Session;
  /** The guest's kernel: its variables and structs by name. */
  readonly kernel: GuestKernel;
  readonly #options: GuestOptions;
  readonly #runner: Runner;
  #closed = false;
  readonly #runs = new Set<ActiveRun>();

  /** Takes over an open session, which is closed with the guest. */
  constructor(session: Session, options: GuestOptions = {}) {
    this.session = session;
    this.kernel = new GuestKernel(session.kernel);
    this.#options = options;
    this.#runner = new Runner((queries) => this.#answer(queries));
  }

  /** The target as the user names it: `qemu:web1`. */
  get target(): string {
    return this.session.target;
  }

  /** Whether this is a guest that runs now; a recording never does. */
  get running(): boolean {
    return !this.#closed && this.session.alive();
  }

  /**
   * Runs a query, together with all others asked in the same tick. Awaiting
   * `trace(...).on(guest)` calls this.
   *
   * @throws {CompileError} when the guest cannot deliver what a query needs.
   * @throws {GuestGoneError} when the guest ends meanwhile.
   */
  ask(query: QuerySpec): Promise<unknown> {
    return this.#runner.ask(query);
  }

  /**
   * Compiles queries to a plan: what the guest would be told, and what the host
   * would do. Writes nothing.
   *
   * @throws {CompileError} when the guest cannot deliver what a query needs.
   */
  plan(queries: readonly Asked[], options: PlanOptions = {}): Plan {
    return this.#prepare(queries, options).program.plan;
  }

  /**
   * Runs queries in one pass. Gives their results, the losses, and how the run
   * ended. Ctrl-C and SIGTERM end the run of a live guest, and so does the end
   * of a pipe's reader that it prints to; what was written to the guest is
   * undone.
   *
   * @throws {CompileError} when the guest cannot deliver what a query needs.
   * @throws {XftraceError} when the guest cannot be steered, or is being
   * steered by another run.
   */
  async run(
    queries: readonly Asked[],
    options: GuestRunOptions = {},
  ): Promise<GuestRunResult> {
    // What such a run has written must be undone before this one is planned.
    for (const run of this.#runs) if (isEnding(run)) await run.ended;
    const { program, target } = this.#prepare(queries, options);
    const { live } = target.facts;
    const changes = program.plan.steps.length > 0;
    if (changes && [...this.#runs].some((run) => run.changes)) {
      throw new XftraceError(
        `${this.target} is being steered by another run of this script: await that one first, or both together with Promise.all`,
      );
    }
    options.onPlan?.(program.plan);
    // Memory becomes writable only for a plan that writes.
    if (changes) this.session.memory.makeWritable();
    const stop = new AbortController();
    const interrupt = () => stop.abort();
    // Without a reader, there is nothing more to print.
    const print = writerTo(Deno.stdout, interrupt);
    const { signal, write = this.#options.write ?? print } = options;
    const ended = Promise.withResolvers<void>();
    const signals = [
      stop.signal,
      ...(signal === undefined ? [] : [signal]),
    ];
    const run: ActiveRun = {
      changes,
      stop,
      signals,
      queries,
      ended: ended.promise,
    };
    this.#runs.add(run);
    // A recording is over before anybody could interrupt it.
    const caught = live ? ["SIGINT", "SIGTERM"] as const : [];
    for (const each of caught) Deno.addSignalListener(each, interrupt);
    try {
      const result = await runProgram(program, target, {
        ...options,
        write,
        signal: AbortSignal.any(signals),
      });
      const asTheyCame = queries.map(({ spec }) =>
        sinkKind(spec.sink).asTheyCome === true
      );
      return { ...result, asTheyCame };
    } finally {
      for (const each of caught) Deno.removeSignalListener(each, interrupt);
      this.#runs.delete(run);
      if (this.#closed && this.#runs.size === 0) {
        this.session[Symbol.dispose]();
      }
      ended.resolve();
    }
  }

  /**
   * Describes the guest's kernel and the present state of its Ftrace.
   *
   * @param instance the trace instance; default: the top-level one
   * @throws {KernelError} when there is no such instance.
   */
  info(instance?: string): GuestInfo {
    this.#open();
    return collectInfo(this.session, openInstance(this.session, instance));
  }

  /**
   * The functions that can be traced and whose names match: `"vfs_*"`.
   *
   * @throws {XftraceError} when there is none; suggests similar names.
   */
  functions(glob?: string): TraceableFunction[] {
    this.#open();
    return findFunctions(this.session.kernel, glob);
  }

  /**
   * The trace events that match a name, a glob or a system: `sched:*`,
   * `*_exec`, `sched`.
   *
   * @param instance the trace instance whose state is listed; default: the
   * top-level one
   * @throws {XftraceError} when there is none; suggests similar names.
   */
  events(glob?: string, instance?: string): readonly ListedEvent[] {
    this.#open();
    const open = openInstance(this.session, instance);
    return findEvents(listEvents(open.instance, open.events), glob);
  }

  /**
   * Checks the kernel for manipulation. Whatever is found is read again before
   * it is reported; nothing is written.
   *
   * @param options.only ids of the checks to run; default: all
   */
  check(
    options: CheckOptions & { readonly only?: readonly string[] } = {},
  ): Promise<CheckRun> {
    this.#open();
    const checks = selectChecks(options.only ?? []);
    return runChecks(this.session.kernel, checks, {
      asked: options.only !== undefined,
      registers: () => this.session.registers(),
      unreadRam: () => this.session.unreadRam?.(),
      ...options,
    });
  }

  /**
   * Saves the guest's trace with everything that is needed to read it, or all
   * of its memory (`full`), to a file that `open("core:PATH")` opens.
   *
   * @throws {XftraceError} when it cannot be written, or the guest not read.
   */
  async snapshot(
    path: string,
    options: TakeSnapshotOptions = {},
  ): Promise<TakenSnapshot> {
    this.#open();
    const { systemMap } = this.#options;
    // Loaded when it is needed: with the Node streams that it uses, every
    // command would start later.
    const { takeSnapshot } = await import(
      "../../engine/snapshot/snapshot.ts"
    );
    return takeSnapshot(this.session, path, {
      ...(systemMap === undefined ? {} : { systemMap }),
      ...options,
    });
  }

  /**
   * Closes the guest's memory; the guest itself runs on. Runs that are not over
   * are ended as by Ctrl-C, and the memory is closed once they have undone what
   * they had written.
   */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { stop } of this.#runs) stop.abort();
    if (this.#runs.size === 0) this.session[Symbol.dispose]();
  }

  /** Like `[Symbol.dispose]`; waits for runs that are not over. */
  async [Symbol.asyncDispose](): Promise<void> {
    const runs = [...this.#runs];
    this[Symbol.dispose]();
    for (const { ended } of runs) await ended;
  }

  #open(): void {
    if (this.#closed) {
      throw new XftraceError(
        `${this.target} has been closed: work on it within the block that opened it`,
      );
    }
  }

  #prepare(
    queries: readonly Asked[],
    { push = true, instance }: PlanOptions,
  ): { program: Program; target: RunTarget } {
    this.#open();
    const target = openRunTarget(this.session, instance);
    const specs = queries.map(({ spec }) => spec);
    const program = compile(specs, target.facts, { push });
    return {
      program: { ...program, plan: lookAt(program.plan, target) },
      target,
    };
  }

  async #answer(queries: readonly QuerySpec[]): Promise<readonly unknown[]> {
    const result = await this.run(queries.map((spec) => ({ spec })));
    const warn = this.#options.onWarning ?? complain;
    for (const sentence of result.warnings) warn(sentence);
    if (result.lost > 0) {
      warn(
        `${result.lost} events that the guest wrote could not be read: they are missing from the results`,
      );
    }
    if (result.ended === "guest gone") {
      throw new GuestGoneError(
        `${this.target} ${
          END_TEXT[this.session.end() ?? "ended"]
        } while it was traced`,
      );
    }
    return result.results;
  }
}

function complain(message: string): void {
  console.warn(`xftrace: ${shown(message)}`);
}
