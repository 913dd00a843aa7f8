/**
 * An open guest, or an open recording of one: what queries run on, and the
 * kernel that scripts look into.
 *
 * @module
 */
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
import { textBytes } from "../../engine/output/text/byte_text.ts";
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
import type { Session } from "../../engine/session.ts";
import {
  type TakenSnapshot,
  takeSnapshot,
  type TakeSnapshotOptions,
} from "../../engine/snapshot/snapshot.ts";
import { compile } from "../compile/compile.ts";
import { type QueryTarget, Runner } from "../runner.ts";

/** What an open guest does with what it has to say. */
export interface GuestOptions {
  /** Takes what `print()` and its kin print; default: standard output. */
  readonly write?: (text: string) => void;
  /**
   * Told what went wrong without harm, such as events that were lost, one
   * sentence each; default: standard error.
   */
  readonly onWarning?: (message: string) => void;
  /** Symbols of a System.map, in place of the kernel's own. */
  readonly systemMap?: SymbolBlob;
}

/** How queries are planned. */
export interface PlanOptions {
  /** Tell the guest what it can be told; default true. */
  readonly push?: boolean;
  /** The trace instance; default: the top-level one. */
  readonly instance?: string;
}

/** How queries are planned and run. */
export interface GuestRunOptions extends PlanOptions, Partial<RunOptions> {
  /** Told the plan before it is carried out. */
  readonly onPlan?: (plan: Plan) => void;
}

/** What a run on a guest came to. */
export interface GuestRunResult extends RunResult {
  /** Whether a query's events were handed on as they came, by query. */
  readonly asTheyCame: readonly boolean[];
}

/** A query, as `trace(sys_openat).count()` makes one. */
export interface Asked {
  /** The query as data. */
  readonly spec: QuerySpec;
}

/**
 * A guest that was opened: a running one, or a recording.
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
  /** What the lower layers of the library work on. */
  readonly session: Session;
  /** The guest's kernel: its variables and structs by name. */
  readonly kernel: GuestKernel;
  readonly #options: GuestOptions;
  readonly #runner: Runner;
  #closed = false;
  #changing = false;

  /** Makes it of a session that was opened, and will close that. */
  constructor(session: Session, options: GuestOptions = {}) {
    this.session = session;
    this.kernel = new GuestKernel(session.kernel);
    this.#options = options;
    this.#runner = new Runner((queries) => this.#answer(queries));
  }

  /** What the user calls it: `qemu:web1`. */
  get target(): string {
    return this.session.target;
  }

  /** Whether this is a guest that runs now; a recording never does. */
  get running(): boolean {
    return !this.#closed && this.session.alive();
  }

  /**
   * Runs a query, together with those that are asked in the same tick: what
   * `trace(...).on(guest)` does when it is awaited.
   *
   * @throws {CompileError} when the guest cannot deliver what is asked.
   * @throws {GuestGoneError} when the guest ends meanwhile.
   */
  ask(query: QuerySpec): Promise<unknown> {
    return this.#runner.ask(query);
  }

  /**
   * What queries come to on this guest: what it is told, and what is done on
   * the host. Nothing is written.
   *
   * @throws {CompileError} when the guest cannot deliver what is asked.
   */
  plan(queries: readonly Asked[], options: PlanOptions = {}): Plan {
    return this.#prepare(queries, options).program.plan;
  }

  /**
   * Runs queries in one pass, and tells of the run: results, losses, how it
   * ended. Ctrl-C ends the run of a live guest, and what was written to it is
   * taken back.
   *
   * @throws {CompileError} when the guest cannot deliver what is asked.
   * @throws {XftraceError} when the guest cannot be steered, or is being
   * steered by another run.
   */
  async run(
    queries: readonly Asked[],
    options: GuestRunOptions = {},
  ): Promise<GuestRunResult> {
    const { program, target } = this.#prepare(queries, options);
    const { live } = target.facts;
    const changes = program.plan.steps.length > 0;
    if (changes && this.#changing) {
      throw new XftraceError(
        `${this.target} is being steered by another run of this script: await that one first, or both together with Promise.all`,
      );
    }
    options.onPlan?.(program.plan);
    // Only a plan that writes gets memory that can be written.
    if (changes) this.session.memory.makeWritable();
    const stop = new AbortController();
    const interrupt = () => stop.abort();
    const { signal, write = this.#options.write ?? print } = options;
    this.#changing ||= changes;
    // A recording is over before anybody could interrupt it.
    if (live) Deno.addSignalListener("SIGINT", interrupt);
    try {
      const result = await runProgram(program, target, {
        ...options,
        write,
        signal: signal === undefined
          ? stop.signal
          : AbortSignal.any([signal, stop.signal]),
      });
      const asTheyCame = queries.map(({ spec }) =>
        sinkKind(spec.sink).asTheyCome === true
      );
      return { ...result, asTheyCame };
    } finally {
      if (live) Deno.removeSignalListener("SIGINT", interrupt);
      if (changes) this.#changing = false;
    }
  }

  /**
   * What the guest's kernel is, and what its Ftrace does now.
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
   * @throws {XftraceError} when there is none, with near names.
   */
  functions(glob?: string): TraceableFunction[] {
    this.#open();
    return findFunctions(this.session.kernel, glob);
  }

  /**
   * The events that are meant by `sched:*`, `*_exec` or `sched`.
   *
   * @param instance whose state is told; default: the top-level one
   * @throws {XftraceError} when there is none, with near names.
   */
  events(glob?: string, instance?: string): readonly ListedEvent[] {
    this.#open();
    const open = openInstance(this.session, instance);
    return findEvents(listEvents(open.instance, open.events), glob);
  }

  /**
   * Checks whether the kernel is still itself. Whatever is found is read
   * again before it is reported; nothing is written.
   *
   * @param options.only ids of the checks to run; default: all
   */
  check(
    options: CheckOptions & { readonly only?: readonly string[] } = {},
  ): Promise<CheckRun> {
    this.#open();
    const checks = selectChecks(options.only ?? []);
    return runChecks(this.session.kernel, checks, options);
  }

  /**
   * Saves the guest's trace with all that reading it needs, or all of its
   * memory (`full`), to a file that `open("core:PATH")` opens.
   *
   * @throws {XftraceError} when it cannot be written, or the guest not read.
   */
  snapshot(
    path: string,
    options: TakeSnapshotOptions = {},
  ): Promise<TakenSnapshot> {
    this.#open();
    const { systemMap } = this.#options;
    return takeSnapshot(this.session, path, {
      ...(systemMap === undefined ? {} : { systemMap }),
      ...options,
    });
  }

  /** Lets go of the guest, which runs on. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.session[Symbol.dispose]();
  }

  /** Lets go of the guest, which runs on. */
  [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    return Promise.resolve();
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
      throw new GuestGoneError(`${this.target} ended while it was traced`);
    }
    return result.results;
  }
}

/** Bytes that are no UTF-8 come out as they are. */
function print(text: string): void {
  const bytes = textBytes(text);
  let at = 0;
  while (at < bytes.length) at += Deno.stdout.writeSync(bytes.subarray(at));
}

function complain(message: string): void {
  console.warn(`xftrace: ${message}`);
}
