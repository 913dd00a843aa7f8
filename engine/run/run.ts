/**
 * Runs a compiled script: on a recording in one pass, on a live guest until it
 * ends.
 *
 * @module
 */
import { GuestGoneError, XftraceError } from "../base/errors.ts";
import { pollGuest, sleep } from "../base/polling.ts";
import { TraceEvents } from "../ftrace/events/events.ts";
import { Follower } from "../ftrace/ring/follower.ts";
import { traceLayout } from "../ftrace/ring/meta.ts";
import { readBuffers } from "../ftrace/ring/reader.ts";
import { TraceArray } from "../ftrace/ring/trace_array.ts";
import { traceMeta } from "../output/text/trace_meta.ts";
import { isBelievable, type Session, settled } from "../session.ts";
import { Batch } from "../passes/batch.ts";
import type { Frame } from "../passes/fields/frame.ts";
import type { Applied, Left } from "../control/applied.ts";
import { applyPlan } from "../control/apply.ts";
import { appliedBefore, leftTexts } from "../control/left_text.ts";
import { moduleSettings } from "../control/plan.ts";
import { undoChanges, undoTarget } from "../control/undo.ts";
import { KernelNames } from "../passes/guest_names.ts";
import { ProcessTree } from "../passes/processes.ts";
import { ModuleRun, type SealedOutcome } from "./module_run.ts";
import type { Program } from "../query/program.ts";
import { readFacts } from "./read_facts.ts";
import type { RunOptions, RunResult, RunTarget } from "./run_types.ts";
import { type RunContext, StreamRun } from "../passes/stream.ts";

export type {
  RunOptions,
  RunProgress,
  RunResult,
  RunTarget,
} from "./run_types.ts";

/**
 * Opens a session's trace instance for programs.
 *
 * @param name the trace instance; default: the top-level one
 * @throws {KernelError} when the kernel has no Ftrace.
 *
 * @example
 * ```ts
 * import { compile, open, openRunTarget, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const target = openRunTarget(guest.session);
 * const program = compile([trace(sys_openat).print().spec], target.facts);
 * console.log(program.streams.length);
 * ```
 */
export function openRunTarget(session: Session, name?: string): RunTarget {
  const instance = TraceArray.named(session.kernel, name);
  const events = new TraceEvents(session.kernel);
  const facts = readFacts({
    target: session.target,
    instance,
    events,
    live: session.memory.live && session.alive(),
  });
  return { session, instance, events, facts };
}

/** Runs a program on the target for which it was compiled. */
export function runProgram(
  program: Program,
  target: RunTarget,
  options: RunOptions,
): Promise<RunResult> {
  const run = new Run(program, target, options);
  return target.facts.live ? run.live() : Promise.resolve(run.recording());
}

/**
 * Runs a program over events that have been decoded already, as over a
 * recording.
 */
export function runFrame(
  program: Program,
  target: RunTarget,
  frame: Frame,
  options: RunOptions,
): RunResult {
  return new Run(program, target, options).frame(frame);
}

class Run {
  readonly #program: Program;
  readonly #target: RunTarget;
  readonly #options: RunOptions;
  readonly #layout: ReturnType<typeof traceLayout>;
  readonly #names: KernelNames;
  readonly #processes: ProcessTree;
  readonly #streams: readonly StreamRun[];
  readonly #forkIds: { id: number; parent: number; child: number } | undefined;
  readonly #warnings: string[] = [];
  readonly #ring: readonly StreamRun[];
  readonly #modules: readonly StreamRun[];
  #read = 0;
  #origin = NaN;
  #moduleOrigin = NaN;
  #sealed: SealedOutcome | undefined;

  constructor(program: Program, target: RunTarget, options: RunOptions) {
    this.#program = program;
    this.#target = target;
    this.#options = options;
    const { instance, events, session } = target;
    session.kernel.space.budget.renew();
    this.#layout = traceLayout(session.kernel.types);
    this.#processes = new ProcessTree(session.kernel);
    this.#names = new KernelNames(session.kernel, this.#processes);
    const names = this.#names;
    const env = traceMeta(instance, events, this.#layout, {
      part: instance.current(),
      comm: (pid) => names.comm(pid),
    });
    const context: RunContext = {
      names,
      env,
      format: (id) => events.format(id),
      graphRetval: this.#layout.graphReturn.retval,
      process: (who) => this.#processes.test(who, (pid) => names.comm(pid)),
      userString: (pid, lo, hi) => this.#processes.userString(pid, lo, hi),
      write: options.write,
      window: options.window ?? options.write,
    };
    this.#streams = program.streams.map((stream) =>
      new StreamRun(stream, context)
    );
    this.#modules = this.#streams.filter(isModules);
    this.#ring = this.#streams.filter((stream) => !isModules(stream));
    this.#forkIds = program.asksProcesses ? this.#forkEvent() : undefined;
  }

  #forkEvent(): { id: number; parent: number; child: number } | undefined {
    const { events } = this.#target;
    const event = events.find("sched:sched_process_fork");
    const format = event === undefined ? undefined : events.format(event.id);
    const at = (name: string) =>
      format?.fields.find((field) => field.name === name)?.offset;
    const parent = at("parent_pid");
    const child = at("child_pid");
    return event === undefined || parent === undefined || child === undefined
      ? undefined
      : { id: event.id, parent, child };
  }

  get #done(): boolean {
    return this.#streams.every((stream) => stream.done);
  }

  #take(frame: Frame): void {
    const { columns } = frame;
    if (columns.length === 0) return;
    this.#read += columns.length;
    if (Number.isNaN(this.#origin)) this.#origin = earliest(frame);
    this.#forks(frame);
    for (const stream of this.#ring) stream.take(frame, this.#origin);
  }

  /** Takes rows of the guest's module. */
  #takeModule(frame: Frame): void {
    if (Number.isNaN(this.#moduleOrigin)) this.#moduleOrigin = earliest(frame);
    for (const stream of this.#modules) stream.take(frame, this.#moduleOrigin);
  }

  #moduleRun(): ModuleRun | undefined {
    const settings = moduleSettings(this.#program.plan);
    if (settings === undefined) return undefined;
    return new ModuleRun(
      this.#target.session,
      settings,
      (frame) => this.#takeModule(frame),
      (pid, comm, tgid) => {
        this.#names.told(pid, comm);
        this.#processes.told(pid, tgid);
      },
      this.#options.onProgress,
    );
  }

  #forks({ columns, arena }: Frame): void {
    const fork = this.#forkIds;
    if (fork === undefined) return;
    for (let row = 0; row < columns.length; row++) {
      if (columns.type[row] !== fork.id) continue;
      const at = columns.offset[row];
      this.#processes.forked(
        arena.words[(at + fork.parent) >>> 2],
        arena.words[(at + fork.child) >>> 2],
      );
    }
  }

  #texts(): string[] {
    const texts: string[] = [];
    for (const run of this.#streams) {
      run.stream.sinks.forEach(({ query }, i) => {
        texts[query] = run.text(i);
      });
    }
    return texts;
  }

  #result(
    ended: RunResult["ended"],
    lost: number,
    overwritten: number,
  ): RunResult {
    for (const run of this.#streams) {
      run.finish(isModules(run) ? this.#moduleOrigin : this.#origin);
    }
    const results: unknown[] = [];
    const events: number[] = [];
    const open: number[] = [];
    for (const run of this.#streams) {
      run.stream.sinks.forEach(({ query }, i) => {
        results[query] = run.result(i);
        events[query] = run.events;
        open[query] = run.open;
      });
    }
    if (this.#processes.problem !== undefined && this.#program.asksProcesses) {
      this.#warnings.push(
        `the guest's task list could not be read (${this.#processes.problem}): processes are known only from the trace`,
      );
    }
    const cut = this.#streams.reduce((sum, run) => sum + run.cut, 0);
    if (cut > 0) {
      this.#warnings.push(
        `${cut} calls are left out of the calls in which they happened: those held more than can be kept`,
      );
    }
    for (const { sinks } of this.#streams) {
      for (const sink of sinks) {
        if (sink.leftOut !== undefined) this.#warnings.push(sink.leftOut);
      }
    }
    const { leftOut } = this.#target.events;
    if (leftOut !== undefined) this.#warnings.push(leftOut);
    return {
      results,
      texts: this.#texts(),
      read: this.#read,
      events,
      lost,
      overwritten,
      open,
      ended,
      ...(this.#sealed === undefined ? {} : { sealed: this.#sealed }),
      warnings: this.#warnings,
    };
  }

  /** Runs over the content of the buffers. */
  recording(): RunResult {
    const reading = readBuffers(this.#target.instance, this.#layout, {
      part: this.#target.instance.current(),
    });
    const { columns, arena } = reading;
    this.#take({ columns, arena, ordered: false });
    for (const problem of reading.problems) this.#warnings.push(problem);
    let lost = 0;
    let overrun = 0;
    for (const cpu of reading.cpus) {
      lost += cpu.lost;
      overrun += cpu.overrun;
    }
    return this.#result(
      this.#done ? "until" : "end of recording",
      lost,
      overrun,
    );
  }

  /** Runs over one frame. */
  frame(frame: Frame): RunResult {
    if (frame.details === undefined) this.#take(frame);
    else this.#takeModule(frame);
    return this.#result(this.#done ? "until" : "end of recording", 0, 0);
  }

  /** Follows a live guest. */
  async live(): Promise<RunResult> {
    const { session } = this.#target;
    const { signal, pollMs = 10, onStart, onPoll } = this.#options;
    const module = this.#moduleRun();
    let applied: readonly Applied[] = [];
    let ring: Ring | undefined;
    let ended: RunResult["ended"] = "until";
    try {
      applied = await applyPlan(this.#program.plan, this.#target, {
        // The buffers are opened only now, since enabling events may enlarge
        // them.
        beforeRecording: () => {
          if (this.#ring.length > 0 || this.#forkIds !== undefined) {
            ring = this.#follow();
          }
        },
        startModule: async () => await module?.start(),
        onLeft: (left) => this.#tell(left),
      });
      onStart?.();
      const wallEnd = performance.now() + this.#wallMs();
      await sleep(pollMs, signal);
      const end = await pollGuest({
        alive: () => session.alive(),
        signal,
        poll: () => {
          const last = performance.now() >= wallEnd;
          const ends = last || signal?.aborted === true;
          // If the guest is restarting, its memory may be overwritten already.
          if (ends || session.kernel.origin?.life() !== "still") {
            this.#poll(ring, last);
            module?.poll();
          }
          onPoll?.({
            read: this.#read + (module?.read ?? 0),
            texts: () => this.#texts(),
          });
          if (this.#done || last) return "stop";
          if (signal?.aborted !== true) return pollMs;
          ended = "signal";
          return "stop";
        },
      });
      if (end === "guest gone") ended = end;
    } catch (error) {
      // What was collected before the guest disappeared is kept.
      if (!(error instanceof GuestGoneError)) throw error;
      ended = "guest gone";
    } finally {
      this.#sealed = await this.#takeBack(applied, module);
    }
    if (session.end() !== undefined) ended = "guest gone";
    if (!this.#done) this.#last(ring);
    const totals = ring?.follower.totals() ??
      { exact: true, lost: 0, dropped: 0 };
    if (!totals.exact && ended !== "guest gone") {
      this.#warnings.push(
        "the guest was still writing when the run ended: the count of lost events may not include the last ones",
      );
    }
    this.#read += module?.read ?? 0;
    const sealed = this.#sealed;
    this.#warnings.push(...sealed?.findings ?? []);
    return this.#result(
      ended,
      totals.lost + (sealed?.counts.lost ?? 0),
      totals.dropped + (sealed?.dropped ?? 0),
    );
  }

  /** Undoes all changes, as far as the guest still exists. */
  async #takeBack(
    applied: readonly Applied[],
    module: ModuleRun | undefined,
  ): Promise<SealedOutcome | undefined> {
    const { session } = this.#target;
    const end = await settled(session);
    if (end === "migrated" && applied.length > 0) {
      this.#warnings.push(
        `the guest was migrated away with what this run had set in it, which is to be set back there: ${
          applied.map(appliedBefore).join(", ")
        }`,
      );
    }
    if (end !== undefined) return module?.abandon();
    try {
      return await module?.stop();
    } finally {
      this.#tell(await undoChanges(undoTarget(session), applied));
    }
  }

  /** Warns about changes that were not undone. */
  #tell(left: readonly Left[]): void {
    this.#warnings.push(...leftTexts(left, "this run"));
  }

  /**
   * The time after which all streams have ended, in ms; Infinity if a stream
   * has no such limit.
   */
  #wallMs(): number {
    let most = 0;
    for (const { until, from } of this.#program.streams) {
      let least = Infinity;
      for (const moment of until) {
        if (moment.kind === "time") least = Math.min(least, moment.ns / 1e6);
      }
      // The begin for which a stream waits may come at any time.
      if (from.length > 0) least = Infinity;
      most = Math.max(most, least);
    }
    return most;
  }

  #follow(): Ring {
    const follower = new Follower(this.#target.instance, this.#layout);
    return {
      follower,
      batch: new Batch(follower.epoch, (frame) => this.#take(frame)),
    };
  }

  #poll(ring: Ring | undefined, all: boolean): void {
    this.#names.refresh();
    this.#processes.refresh();
    if (ring === undefined) return;
    ring.follower.poll();
    this.#pass(ring, all);
  }

  /** Processes the rest: of a guest that is gone, what it had written. */
  #last(ring: Ring | undefined): void {
    if (isBelievable(this.#target.session)) {
      try {
        this.#poll(ring, true);
        return;
      } catch (error) {
        const { session } = this.#target;
        if (!(error instanceof XftraceError) || session.end() === undefined) {
          throw error;
        }
        // The guest was in the middle of something when it ended.
      }
    }
    if (ring !== undefined) this.#pass(ring, true);
  }

  /** Processes what has been read. */
  #pass({ follower, batch }: Ring, all: boolean): void {
    follower.drain(
      (columns, row, arena) => batch.add(columns, row, arena),
      { all },
    );
    batch.end();
  }
}

/** The guest's ring buffers while they are being followed. */
interface Ring {
  readonly follower: Follower;
  readonly batch: Batch;
}

function isModules({ stream }: StreamRun): boolean {
  return stream.select.via === "module calls";
}

/** The earliest time among a frame's rows. */
function earliest({ columns }: Frame): number {
  let first = Infinity;
  for (let row = 0; row < columns.length; row++) {
    if (columns.ts[row] < first) first = columns.ts[row];
  }
  return first;
}
