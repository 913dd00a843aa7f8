/**
 * Enables events for a run, by the guest's module, and disables them again.
 *
 * @module
 */
import { XftraceError } from "../base/errors.ts";
import { SealedTracer } from "../seal/tracer/sealed_tracer.ts";
import type { Session } from "../session.ts";

/** Events of one trace instance that a run has enabled. */
export class EventSwitches {
  readonly #session: Session;
  readonly #folder: string;
  readonly #on: string[] = [];

  /** @param instance name of the trace instance; default: the top level */
  constructor(session: Session, instance?: string) {
    this.#session = session;
    this.#folder = instance === undefined ? "" : `instances/${instance}/`;
  }

  /**
   * Enables events.
   *
   * @param events `system:name` of each
   * @throws {XftraceError} when the guest refuses one; those before stay on
   * until {@linkcode undo}.
   */
  async enable(events: readonly string[]): Promise<void> {
    if (events.length === 0) return;
    const mailbox = this.#mailbox();
    for (const event of events) {
      await mailbox.writeTracefs(this.#file(event), "1");
      this.#on.push(event);
    }
  }

  /** Disables what was enabled, in reverse. */
  async undo(): Promise<void> {
    if (this.#on.length === 0) return;
    const mailbox = this.#mailbox();
    for (let event = this.#on.pop(); event !== undefined;) {
      await mailbox.writeTracefs(this.#file(event), "0");
      event = this.#on.pop();
    }
  }

  #file(event: string): string {
    return `${this.#folder}events/${event.replace(":", "/")}/enable`;
  }

  #mailbox() {
    const tracer = SealedTracer.find(this.#session);
    if (tracer !== undefined) return tracer.mailbox;
    throw new XftraceError(
      "the guest's module is gone since the plan was made; load it again",
    );
  }
}
