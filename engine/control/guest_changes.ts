/**
 * What a run changes in the guest: carried out in the plan's order, taken
 * back in reverse.
 *
 * @module
 */
import {
  type AppliedWrite,
  applyWrite,
  type ControlWrite,
  undoAll,
} from "./control.ts";
import { XftraceError } from "../base/errors.ts";
import type { Session } from "../session.ts";
import { planWrites } from "./controls.ts";
import { EventSwitches } from "./event_switches.ts";
import type { ModuleRun, SealedOutcome } from "../run/module_run.ts";
import type { Program } from "../query/program.ts";
import type { RunTarget } from "../run/run_types.ts";

/** The changes of one run. */
export class GuestChanges {
  readonly #session: Session;
  readonly #events: readonly string[];
  readonly #switches: EventSwitches;
  readonly #writes: readonly ControlWrite[];
  readonly #module: ModuleRun | undefined;
  readonly #applied: AppliedWrite[] = [];

  /** Plans the words; nothing is written. */
  constructor(
    program: Program,
    target: RunTarget,
    module: ModuleRun | undefined,
  ) {
    const { session, instance, events } = target;
    this.#session = session;
    this.#module = module;
    this.#switches = new EventSwitches(session, instance.name);
    this.#writes = planWrites(program, instance, events)
      .map(({ write }) => write);
    this.#events = program.plan.steps.flatMap(({ step }) =>
      step.control === "enable" ? step.events : []
    );
  }

  /** Enables events; the buffers may get more pages by it. */
  async enable(): Promise<void> {
    await this.#switches.enable(this.#events);
  }

  /** Writes the words and switches the module on. */
  async apply(): Promise<void> {
    for (const write of this.#writes) {
      this.#applied.push(applyWrite(this.#session.kernel, write));
    }
    await this.#module?.start();
  }

  /**
   * Takes everything back, as far as the guest is there.
   *
   * @param warn is told what was left as it is, a sentence each
   */
  async undo(
    warn: (sentence: string) => void,
  ): Promise<SealedOutcome | undefined> {
    if (!this.#session.alive()) return this.#module?.abandon();
    try {
      return await this.#module?.stop();
    } finally {
      const theirs = undoAll(this.#session.kernel, this.#applied);
      for (const { write } of theirs) {
        warn(
          `${write.what} was changed by somebody else meanwhile and was left as it is (${write.where})`,
        );
      }
      await this.#disable(warn);
    }
  }

  async #disable(warn: (sentence: string) => void): Promise<void> {
    try {
      await this.#switches.undo();
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      warn(`events stay enabled in the guest: ${error.message}`);
    }
  }
}
