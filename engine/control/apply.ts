/**
 * Carries a plan out, step by step. What is about to be done is told to a
 * journal first, so that whatever becomes of this process it can be undone.
 * When something fails, what was done is taken back.
 *
 * @module
 */
import { TraceArray } from "../ftrace/ring/trace_array.ts";
import type { Applied, AppliedFile, Left } from "./applied.ts";
import { lookAtSteps } from "./look.ts";
import { requireTracer } from "./module_commands.ts";
import type {
  Change,
  FileChange,
  InstanceChange,
  Plan,
  PlannedStep,
  WordChange,
} from "./plan.ts";
import type { ControlTarget } from "./target.ts";
import {
  applyFile,
  askFiles,
  FileRefused,
  settleFiles,
  type TracefsAccess,
  type TracefsOptions,
} from "./tracefs.ts";
import { undoChanges, undoTarget } from "./undo.ts";
import { applyWord, requireAsPlanned, StalePlanError } from "./words.ts";

/** How a plan is carried out. */
export interface ApplyOptions {
  /**
   * Is told all that was done so far, with what comes next as its last, before
   * each change and after it. It returns once that is kept.
   */
  readonly journal?: (applied: readonly Applied[]) => void;
  /**
   * Called once the guest is prepared and before it records: whoever follows
   * it begins here, so that nothing is missed.
   */
  readonly beforeRecording?: () => void | Promise<void>;
  /**
   * Has the guest's module record: the plan's `module`, `keys` and `enabled`.
   * It leaves nothing on when it fails.
   */
  readonly startModule?: () => Promise<void>;
  /** Who writes files of tracefs; default: the guest's module. */
  readonly tracefs?: TracefsAccess;
  /** Throws when the user has had enough; called between changes. */
  readonly check?: () => void;
  /** Called while the guest's module, or its agent, takes its time. */
  readonly onWait?: TracefsOptions["onWait"];
  /** Called when something failed, before what was done is taken back. */
  readonly failing?: () => void | Promise<void>;
  /** Is told what was left when it was taken back after a failure. */
  readonly onLeft?: (left: readonly Left[]) => void;
}

/**
 * Carries a plan out.
 *
 * @param target is read once more for an instance that the plan makes
 * @returns what was done, for {@linkcode undoChanges}; the module is stopped
 * by who started it.
 * @throws {StalePlanError} when the guest is no longer as it was planned for.
 * @throws {XftraceError} what failed; what was done before is taken back.
 *
 * @example
 * ```ts ignore
 * import { applyPlan, planPlain, undoChanges, undoTarget } from "xftrace/control";
 * import { openInstance } from "xftrace/ftrace";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1", { steered: true });
 * const { session } = guest;
 * const target = { session, ...openInstance(session) };
 * const { plan } = planPlain(target, { functions: ["vfs_read"], mute: [], withoutCpu: [] });
 * session.memory.makeWritable();
 * const applied = await applyPlan(plan, target);
 * // ... and when it is over:
 * await undoChanges(undoTarget(session), applied);
 * ```
 */
export async function applyPlan(
  { steps }: Pick<Plan, "steps">,
  target: ControlTarget,
  options: ApplyOptions = {},
): Promise<Applied[]> {
  const run = new Application(steps, target, options);
  try {
    await run.carryOut();
    return run.applied;
  } catch (error) {
    await options.failing?.();
    await run.takeBack();
    throw error;
  }
}

/**
 * Switches recording on or off.
 *
 * @throws {XftraceError} when the guest's memory cannot be written.
 *
 * @example
 * ```ts ignore
 * import { setRecording } from "xftrace/control";
 * import { openInstance } from "xftrace/ftrace";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1", { steered: true });
 * const { session } = guest;
 * session.memory.makeWritable();
 * await setRecording({ session, ...openInstance(session) }, false);
 * ```
 */
export async function setRecording(
  target: ControlTarget,
  on: boolean,
): Promise<void> {
  const step = { control: "recording", on } as const;
  await applyPlan({ steps: [{ step }] }, target);
}

/** Steps by which the guest is prepared; all others come once it is followed. */
function prepares({ step }: PlannedStep): boolean {
  switch (step.control) {
    case "instance":
    case "file":
    case "enable":
    case "tracer":
      return true;
    case "recording":
      return !step.on;
    default:
      return false;
  }
}

/** Whether the guest has to be asked what a file holds. */
function isUnknown(change: Change): change is FileChange {
  return change.way === "tracefs" && !change.before.known &&
    change.remove === undefined;
}

/** The instance that steps make, if any. */
function instanceMade(
  steps: readonly PlannedStep[],
): InstanceChange | undefined {
  for (const { step, changes = [] } of steps) {
    if (step.control !== "instance") continue;
    return changes.find((change) => change.way === "instance") ??
      { way: "instance", name: step.name };
  }
  return undefined;
}

/** A plan on its way. */
class Application {
  applied: Applied[] = [];
  readonly #options: ApplyOptions;
  readonly #makes: InstanceChange | undefined;
  #target: ControlTarget;
  #steps: readonly PlannedStep[];
  #found: TracefsAccess | undefined;

  constructor(
    steps: readonly PlannedStep[],
    target: ControlTarget,
    options: ApplyOptions,
  ) {
    this.#options = options;
    this.#target = target;
    this.#found = options.tracefs;
    this.#makes = instanceMade(steps);
    this.#steps = this.#makes === undefined
      ? lookAtSteps(steps, target)
      : steps;
  }

  get #waiting(): TracefsOptions {
    const { onWait } = this.#options;
    return onWait === undefined ? {} : { onWait };
  }

  async carryOut(): Promise<void> {
    if (this.#makes === undefined) this.#requireInstance();
    else await this.#make(this.#makes);
    await this.#ask();
    const later = this.#steps.findIndex((planned) => !prepares(planned));
    const first = later < 0 ? this.#steps.length : later;
    for (const planned of this.#steps.slice(0, first)) {
      await this.#step(planned);
    }
    await this.#settle();
    this.#options.check?.();
    await this.#options.beforeRecording?.();
    this.#options.check?.();
    for (const planned of this.#steps.slice(first)) await this.#step(planned);
  }

  /** The memory of an instance that was removed is somebody else's by now. */
  #requireInstance(): void {
    const { session: { kernel }, instance } = this.#target;
    const { gva } = instance.object;
    if (TraceArray.all(kernel).some(({ object }) => object.gva === gva)) return;
    throw new StalePlanError(
      "the guest has removed the trace instance since the plan was made; nothing was written",
    );
  }

  /** Makes the instance, and looks at what the steps come to in it. */
  async #make(change: InstanceChange): Promise<void> {
    const { session } = this.#target;
    const { name } = change;
    this.#journal([{ way: "instance", change }]);
    await this.#tracefs.makeInstance(name, this.#waiting);
    const instance = TraceArray.named(session.kernel, name);
    this.#target = { ...this.#target, instance };
    this.#steps = lookAtSteps(
      this.#steps.filter(({ step }) => step.control !== "instance"),
      this.#target,
    );
  }

  /** What cannot be undone is refused before anything else is done. */
  async #ask(): Promise<void> {
    const unknown = this.#steps.some(({ changes }) => changes?.some(isUnknown));
    if (!unknown) return;
    const steps: PlannedStep[] = [];
    for (const planned of this.#steps) {
      const changes: Change[] = [];
      for (const change of planned.changes ?? []) {
        changes.push(
          ...isUnknown(change)
            ? await askFiles(this.#tracefs, [change], this.#waiting)
            : [change],
        );
      }
      steps.push({ ...planned, changes });
    }
    this.#steps = steps;
  }

  async #step({ step, changes = [] }: PlannedStep): Promise<void> {
    if (step.control === "module") await this.#options.startModule?.();
    const words = changes.filter((change) => change.way === "word");
    requireAsPlanned(this.#target.session.kernel, words);
    for (const change of changes) {
      this.#options.check?.();
      if (change.way === "word") this.#word(change);
      else if (change.way === "tracefs") await this.#file(change);
    }
  }

  #word(change: WordChange): void {
    const before = this.applied;
    const { kernel } = this.#target.session;
    const found = change.before;
    this.#journal([...before, { way: "word", change, found, pending: true }]);
    try {
      this.#journal([...before, applyWord(kernel, change)]);
    } catch (error) {
      this.#journal(before);
      throw error;
    }
  }

  async #file(change: FileChange): Promise<void> {
    const before = this.applied;
    this.#journal([...before, { way: "tracefs", change }]);
    try {
      this.#journal([
        ...before,
        await applyFile(this.#tracefs, change, this.#waiting),
      ]);
    } catch (error) {
      if (error instanceof FileRefused && error.unchanged) {
        this.#journal(before);
      }
      throw error;
    }
  }

  /** What is written to one file may show in others. */
  async #settle(): Promise<void> {
    const files = this.applied.filter((one) => one.way === "tracefs");
    const apart = files.every(({ change }) => /\/enable$/.test(change.path));
    if (apart) return;
    const settled = new Map<Applied, AppliedFile>();
    const now = await settleFiles(this.#tracefs, files, this.#waiting);
    files.forEach((file, i) => settled.set(file, now[i]));
    this.#journal(this.applied.map((one) => settled.get(one) ?? one));
  }

  #journal(applied: Applied[]): void {
    this.applied = applied;
    this.#options.journal?.(applied);
  }

  /** Without anybody else, the module that the plan was made for. */
  get #tracefs(): TracefsAccess {
    return this.#found ??= requireTracer(this.#target.session).mailbox;
  }

  async takeBack(): Promise<void> {
    const { session } = this.#target;
    if (!session.alive()) {
      // It took all of it along.
      this.#options.onLeft?.([]);
      return;
    }
    const { tracefs } = this.#options;
    const target = tracefs === undefined
      ? undoTarget(session)
      : { kernel: session.kernel, tracefs };
    const left = await undoChanges(target, this.applied, this.#waiting);
    this.#options.onLeft?.(left);
  }
}
