/**
 * Carries out a plan step by step. Every change is first written to a journal,
 * so that it can be undone even if this process dies. When a step fails, the
 * changes made so far are undone.
 *
 * @module
 */
import { TraceArray } from "../ftrace/ring/trace_array.ts";
import { settled } from "../session.ts";
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

/** Options for carrying out a plan. */
export interface ApplyOptions {
  /**
   * Called before and after each change with all changes so far; before a
   * change, the last element is the change about to be made. When a step has
   * failed, called after each undo with the changes that remain. Must not
   * return before the record is stored.
   */
  readonly journal?: (applied: readonly Applied[]) => void;
  /**
   * Called when the guest is prepared but does not record yet: a follower that
   * starts here misses nothing.
   */
  readonly beforeRecording?: () => void | Promise<void>;
  /**
   * Makes the guest's module record, as in the plan's steps `module`, `keys`
   * and `enabled`. Must leave nothing switched on when it fails.
   */
  readonly startModule?: () => Promise<void>;
  /** Writes tracefs files; default: the guest's module. */
  readonly tracefs?: TracefsAccess;
  /** Called between changes; throws when the user has cancelled. */
  readonly check?: () => void;
  /** Called while waiting for the guest's module or agent. */
  readonly onWait?: TracefsOptions["onWait"];
  /** Called when something has failed, before the changes are undone. */
  readonly failing?: () => void | Promise<void>;
  /** Receives what could not be undone after a failure. */
  readonly onLeft?: (left: readonly Left[]) => void;
}

/**
 * Carries out a plan.
 *
 * @param target read again once the plan has created an instance
 * @returns the changes made, for {@linkcode undoChanges}; the module must be
 * stopped by the caller who started it.
 * @throws {StalePlanError} when the guest has changed since the plan was made.
 * @throws {XftraceError} when a step fails; the changes before it are undone.
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

/**
 * Whether a step prepares the guest; the other steps wait until the guest is
 * being followed.
 */
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

/** Whether the guest must be asked for a file's content. */
function isUnknown(change: Change): change is FileChange {
  return change.way === "tracefs" && !change.before.known &&
    change.remove === undefined;
}

/** The instance that the steps create, if any. */
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

/** The execution of one plan. */
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

  /**
   * If the instance has been removed, its memory may belong to something else
   * by now.
   */
  #requireInstance(): void {
    const { session: { kernel }, instance } = this.#target;
    const { gva } = instance.object;
    if (TraceArray.all(kernel).some(({ object }) => object.gva === gva)) return;
    throw new StalePlanError(
      "the guest has removed the trace instance since the plan was made; nothing was written",
    );
  }

  /** Creates the instance, and determines the changes of the steps in it. */
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

  /** Refuses changes that could not be undone, before anything else is done. */
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

  /** Writing one file may change the content of others. */
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

  /** By default, the module for which the plan was made. */
  get #tracefs(): TracefsAccess {
    return this.#found ??= requireTracer(this.#target.session).mailbox;
  }

  async takeBack(): Promise<void> {
    const { session } = this.#target;
    const end = await settled(session);
    // They go on where the guest runs now: the journal still has them.
    if (end === "migrated") return;
    if (end !== undefined) {
      // A guest that has ended, or was restarted, took all changes with it.
      this.#options.onLeft?.([]);
      return;
    }
    const { tracefs } = this.#options;
    const target = tracefs === undefined
      ? undoTarget(session)
      : { kernel: session.kernel, tracefs };
    const left = await undoChanges(target, this.applied, {
      ...this.#waiting,
      onUndone: (one) =>
        this.#journal(this.applied.filter((other) => other !== one)),
    });
    this.#options.onLeft?.(left);
  }
}
