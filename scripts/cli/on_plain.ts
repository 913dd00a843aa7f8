/**
 * `xftrace on` with the guest's own Ftrace: steered by plain writes, and with
 * `--tracer` by tracefs files that the module writes.
 *
 * @module
 */
import { XftraceError } from "../../engine/base/errors.ts";
import {
  type AppliedWrite,
  applyWrite,
  type ControlWrite,
  undoAll,
} from "../../engine/control/control.ts";
import { switchRecording } from "../../engine/control/switches.ts";
import { TraceArray } from "../../engine/ftrace/ring/trace_array.ts";
import type { SealedTracer } from "../../engine/seal/tracer/sealed_tracer.ts";
import {
  applyTracefs,
  askTracefs,
  settleTracefs,
  TracefsRefused,
  undoTracefs,
} from "../../engine/control/carry_tracefs.ts";
import type { TracefsWrite } from "../../engine/control/tracefs_control.ts";
import type { Session } from "../../engine/session.ts";
import {
  keptWrites,
  StateFolder,
  type TraceState,
} from "../collector/state.ts";
import {
  endCollector,
  requireFree,
  startCollector,
} from "./collector_process.ts";
import { Interrupt } from "./interrupt.ts";
import { openInstance } from "./instance.ts";
import { type OnOptions, wholeNumber } from "./on_options.ts";
import { DEFAULT_OUTPUT } from "./commands/off.ts";
import { count, note, out, Progress } from "./terminal.ts";
import { planText, planTrace, type TracePlan } from "./trace_plan.ts";
import { planTracer, type TracerPlan } from "./tracer_plan.ts";

/**
 * Starts it, or prints the plan.
 *
 * @param tracer the guest's module, for `--tracer`
 * @returns the folder of the trace; `undefined` after `--dry-run`.
 * @throws {XftraceError} when it cannot be done; what was written is undone.
 */
export async function onPlain(
  session: Session,
  tracer: SealedTracer | undefined,
  functions: readonly string[],
  options: OnOptions,
): Promise<StateFolder | undefined> {
  const stock = tracer === undefined
    ? undefined
    : planTracer(session, functions, options);
  if (options.dryRun === true) {
    out(planText(plan(session, stock, functions, options), functions));
    return undefined;
  }
  if (session.key === undefined || !session.alive()) {
    throw new XftraceError(
      `${session.target} is no running guest: there is nothing to switch on`,
    );
  }
  // Errors in what was asked for come before anything is done.
  plan(session, stock, functions, options);
  const folder = new StateFolder(session.key);
  await requireFree(folder, session.target);
  folder.create();
  using interrupt = new Interrupt();
  const start = new Start(session, tracer, folder, options, functions);
  try {
    if (stock !== undefined) await start.select(stock, interrupt);
    const done = await start.record(
      () => plan(session, stock, functions, options),
      interrupt,
    );
    for (const remark of done.notes) note(remark);
    const what = functions.length === 0
      ? "everything the guest traces"
      : functions.join(", ");
    const files = stock === undefined
      ? ""
      : `, ${count(start.files)} tracefs files by its module`;
    out(
      `recording ${what} in ${session.target} (tracer ${done.tracer}, ${
        count(start.words)
      } words written${files}); \`xftrace off\` writes ${DEFAULT_OUTPUT}\n`,
    );
    return folder;
  } catch (error) {
    await start.undo();
    throw error;
  }
}

/** The plan as the guest is now. */
function plan(
  session: Session,
  stock: TracerPlan | undefined,
  functions: readonly string[],
  options: OnOptions,
): TracePlan {
  const made = stock?.makes !== undefined &&
    TraceArray.all(session.kernel).every((i) => i.name !== stock.makes);
  const open = openInstance(session, made ? undefined : options.instance);
  const planned = planTrace(session, open, {
    // With --tracer the guest itself is told which.
    functions: stock === undefined ? functions : [],
    ...(options.depth === undefined
      ? {}
      : { depth: wholeNumber("--depth", options.depth) }),
    ...(stock === undefined ? {} : { tracer: stock.tracer }),
    mute: options.mute,
    withoutCpu: options.withoutCpu.map((text) =>
      wholeNumber("--without-cpu", text)
    ),
  });
  return stock === undefined ? planned : {
    ...planned,
    tracefs: stock.writes,
    ...(stock.makes === undefined ? {} : { makes: stock.makes }),
    notes: [
      ...stock.notes,
      ...planned.notes,
      ...(planned.wasRecording
        ? ["tracing_on is 0 until all of this is set, and 1 again at the end"]
        : []),
    ],
  };
}

/** What has been done so far, noted on disk before it is done. */
class Start {
  readonly #session: Session;
  readonly #tracer: SealedTracer | undefined;
  readonly #folder: StateFolder;
  readonly #state: TraceState;
  readonly #applied: AppliedWrite[] = [];
  #written: TracefsWrite[] = [];

  constructor(
    session: Session,
    tracer: SealedTracer | undefined,
    folder: StateFolder,
    options: OnOptions,
    functions: readonly string[],
  ) {
    this.#session = session;
    this.#tracer = tracer;
    this.#folder = folder;
    this.#state = {
      format: 1,
      target: session.target,
      ...(options.instance === undefined ? {} : { instance: options.instance }),
      functions: [...functions],
      roots: [],
      applied: [],
      wasRecording: true,
      started: new Date().toISOString(),
      collector: 0,
    };
  }

  /** Words that were written. */
  get words(): number {
    return this.#applied.length;
  }

  /** Tracefs files that were written. */
  get files(): number {
    return this.#written.length;
  }

  /** Has the module write tracefs files, while nothing is recorded. */
  async select(stock: TracerPlan, interrupt: Interrupt): Promise<void> {
    const mailbox = this.#tracer?.mailbox;
    if (mailbox === undefined) return;
    const { kernel } = this.#session;
    using progress = new Progress();
    const onWait = ({ said, elapsed }: { said: string; elapsed: number }) =>
      progress.update(`the module: ${said}, ${(elapsed / 1000).toFixed(0)} s`);
    if (stock.makes !== undefined) {
      this.#state.madeInstance = stock.makes;
      this.#folder.write(this.#state);
      await mailbox.makeInstance(stock.makes, { onWait });
    }
    const { instance } = openInstance(this.#session, this.#state.instance);
    this.#state.wasRecording = instance.recording;
    // What cannot be undone is refused before anything is done.
    const writes = await askTracefs(mailbox, stock.writes, { onWait });
    this.#apply(kernel, switchRecording(instance, false));
    for (const write of writes) {
      interrupt.check();
      const before = this.#written;
      this.#note([...before, write]);
      try {
        this.#note([...before, await applyTracefs(mailbox, write, { onWait })]);
      } catch (error) {
        const nothing = error instanceof TracefsRefused && error.unchanged;
        if (nothing) this.#note(before);
        throw error;
      }
    }
    this.#note(await settleTracefs(mailbox, this.#written, { onWait }));
    interrupt.check();
  }

  /** Notes on disk what is written. */
  #note(written: readonly TracefsWrite[]): void {
    this.#written = [...written];
    this.#state.tracefs = written.map((one) => ({ ...one }));
    this.#folder.write(this.#state);
  }

  /** Starts the collector, and then lets the guest record. */
  async record(
    plan: () => TracePlan,
    interrupt: Interrupt,
  ): Promise<TracePlan> {
    const planned = plan();
    this.#state.roots = [...planned.hostRoots];
    if (this.#tracer === undefined) {
      this.#state.wasRecording = planned.wasRecording;
    }
    this.#folder.write(this.#state);
    // Before anything is recorded, so that nothing is missed.
    this.#state.collector = await startCollector(
      this.#folder,
      this.#session,
      interrupt,
    );
    interrupt.check();
    this.#apply(this.#session.kernel, planned.writes);
    return planned;
  }

  #apply(
    kernel: Session["kernel"],
    writes: readonly ControlWrite[],
  ): void {
    for (const write of writes) {
      // Noted before it is done: whatever happens, it can be undone.
      this.#state.applied = keptWrites([
        ...this.#applied,
        { write, found: write.before },
      ]);
      this.#folder.write(this.#state);
      this.#applied.push(applyWrite(kernel, write));
    }
    this.#state.applied = keptWrites(this.#applied);
    this.#folder.write(this.#state);
  }

  /** Takes all of it back. */
  async undo(): Promise<void> {
    if (this.#state.collector > 0) await endCollector(this.#state.collector);
    const mailbox = this.#tracer?.mailbox;
    let left = false;
    if (mailbox !== undefined) {
      for (
        const { write, reason, changed } of await undoTracefs(
          mailbox,
          this.#written,
        )
      ) {
        left ||= !changed;
        note(
          changed
            ? reason
            : `${write.path} could not be set back to "${write.undo}": ${reason}`,
        );
      }
    }
    undoAll(this.#session.kernel, this.#applied);
    if (mailbox !== undefined && this.#state.madeInstance !== undefined) {
      await mailbox.removeInstance(this.#state.madeInstance).catch(
        (error: unknown) => {
          if (!(error instanceof XftraceError)) throw error;
          note(error.message);
        },
      );
    }
    if (!left) this.#folder.remove();
    else note("`xftrace off` tries again");
  }
}
