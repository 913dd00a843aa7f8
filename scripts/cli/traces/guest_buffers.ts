/**
 * The content of a guest's buffers, as the options of a command choose it.
 *
 * @module
 */
import { XftraceError } from "xftrace";
import {
  BufferStream,
  isStopped,
  openInstance,
  readBuffers,
} from "xftrace/ftrace";
import type { Guest } from "xftrace/live";
import { guestTextOptions, traceFileFacts, traceMeta } from "xftrace/output";
import { count, warn } from "../terminal.ts";

/** Which buffers are read. */
export interface BufferOptions {
  readonly instance?: string;
  readonly snapshot?: boolean;
  readonly onlyCpu?: number;
}

/** What was read, and what a writer has to know of it. */
export interface GuestBuffers extends ReturnType<typeof openInstance> {
  readonly reading: ReturnType<typeof readBuffers> | BufferStream;
  readonly described: {
    readonly meta: ReturnType<typeof traceMeta>;
    readonly options: ReturnType<typeof guestTextOptions>;
    readonly target: string;
    readonly file: ReturnType<typeof traceFileFacts>;
  };
}

/**
 * Reads the buffers of an instance.
 *
 * @throws {XftraceError} when there is no such instance or snapshot, or the
 * guest cannot be read.
 */
export function guestBuffers(
  session: Guest["session"],
  { instance: name, snapshot, onlyCpu }: BufferOptions,
): GuestBuffers {
  const opened = openInstance(session, name);
  const { instance, events, layout } = opened;
  const part = snapshot === true ? instance.snapshot() : instance.shown();
  if (part === undefined) {
    throw new XftraceError(
      "the guest has no snapshot buffer: nothing took a snapshot in it",
    );
  }
  const only = {
    part,
    ...(onlyCpu === undefined ? {} : { cpu: onlyCpu }),
  };
  // What the guest may overwrite meanwhile is copied before it is printed.
  const reading = isStopped(part.buffer)
    ? new BufferStream(instance, layout, only)
    : readBuffers(instance, layout, only);
  return {
    ...opened,
    reading,
    described: {
      meta: traceMeta(instance, events, layout, { part }),
      options: guestTextOptions(instance),
      target: session.target,
      file: traceFileFacts(instance, events),
    },
  };
}

/** Says what of them could not be read. */
export function tellUnread({ reading, events }: GuestBuffers): void {
  const { problems } = reading;
  for (const problem of problems.slice(0, 10)) warn(problem);
  if (problems.length > 10) {
    warn(`${count(problems.length - 10)} more pages as these`);
  }
  if (events.leftOut !== undefined) warn(events.leftOut);
}
