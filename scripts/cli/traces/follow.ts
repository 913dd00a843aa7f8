/**
 * Follows a running guest's trace and writes it, until it is ended by Ctrl-C, a
 * time, or the end of the guest.
 *
 * @module
 */
import {
  END_TEXT,
  type Guest,
  GuestGoneError,
  isBelievable,
  type Session,
  XftraceError,
} from "xftrace";
import {
  Follower,
  openInstance,
  pollGuest,
  SavedCmdlines,
} from "xftrace/ftrace";
import {
  guestTextOptions,
  LiveTrace,
  type OutputSink,
  traceFileFacts,
  type TraceFormat,
  traceMeta,
  unfollowedSettings,
  type WriterOptions,
} from "xftrace/output";
import { givenGraphOptions, type GraphFlags } from "../graph_options.ts";
import { count, note, warn } from "../terminal.ts";
import { Writing } from "./writing.ts";

const POLL_MS = 50;
/** How often to read thread names again and look at the guest's process, ms. */
const SLOW_MS = 500;

/** What to follow, and for how long. */
export interface FollowOptions extends GraphFlags {
  readonly instance?: string;
  /** Start with what the buffers hold already. */
  readonly fromBuffer?: boolean;
  /** Seconds after which to stop. */
  readonly for?: number;
}

/** Where the trace goes. */
export interface FollowOutput {
  readonly format: TraceFormat;
  readonly sink: OutputSink;
  readonly how?: WriterOptions;
  /** Where the trace is found afterwards: `above`. */
  readonly place: string;
  /** Whether there is no room for more. */
  readonly full?: () => boolean;
  /** Called when the trace is complete; may throw what is to be told of it. */
  readonly done?: () => void;
}

/**
 * Follows the trace of a guest.
 *
 * @throws {XftraceError} when the target is a recording.
 * @throws {GuestGoneError} when the guest ended meanwhile.
 */
export async function followTrace(
  { session }: Pick<Guest, "session">,
  { format, sink, how, place, full, done }: FollowOutput,
  options: FollowOptions,
): Promise<void> {
  if (!session.memory.live) {
    throw new XftraceError(
      `${session.target} is a recording: nothing happens in it any more; \`xftrace report\` prints what it holds, and \`xftrace convert\` converts it`,
    );
  }
  const { instance, events, layout } = openInstance(session, options.instance);
  let saved = SavedCmdlines.read(session.kernel);
  const meta = traceMeta(instance, events, layout, {
    part: instance.current(),
    comm: (pid) => saved.tryComm(pid),
  });
  const own = guestTextOptions(instance);
  if (format.display === true) {
    for (const each of unfollowedSettings(instance.tracer, own)) warn(each);
  }
  const follower = new Follower(instance, layout, {
    fromBuffer: options.fromBuffer === true,
  });
  const graph = { ...own.graph, ...givenGraphOptions(options) };
  // What is printed as it happens is not mixed with anything.
  using writing = new Writing(format, sink, {
    ...(how === undefined ? {} : { how }),
    quiet: done === undefined,
  });
  const live = new LiveTrace(
    follower,
    {
      meta,
      options: { ...own, graph },
      target: session.target,
      file: traceFileFacts(instance, events),
    },
    writing.writer,
  );
  let stop = false;
  const end = () => {
    stop = true;
  };
  Deno.addSignalListener("SIGINT", end);
  Deno.addSignalListener("SIGTERM", end);
  const until = options.for === undefined
    ? Infinity
    : performance.now() + options.for * 1000;
  const gone = await pollGuest({
    alive: () => session.alive(),
    stopped: () => stop || performance.now() >= until || full?.() === true,
    slowMs: SLOW_MS,
    slow: () => {
      if (session.kernel.origin?.life() === "still") return;
      saved = SavedCmdlines.read(session.kernel);
      session.kernel.live.refresh();
      live.refresh();
    },
    poll: () => {
      // If the guest is restarting, its memory may be overwritten already.
      if (session.kernel.origin?.life() === "still") return POLL_MS;
      follower.poll();
      live.drain();
      return POLL_MS;
    },
  }) === "guest gone";
  readLast(follower, session);
  const { lost, dropped } = live.end();
  writing.tellLeftOut();
  note(
    `${count(follower.totals().decoded)} events, ${count(lost)} lost` +
      (dropped > 0 ? `, ${count(dropped)} dropped by the guest` : ""),
  );
  done?.();
  if (gone) {
    throw new GuestGoneError(
      `${session.target} ${
        END_TEXT[session.end() ?? "ended"]
      }; what it had traced is ${place}`,
    );
  }
  Deno.removeSignalListener("SIGINT", end);
  Deno.removeSignalListener("SIGTERM", end);
}

/** Reads what the guest has written last, also if it is gone by now. */
function readLast(follower: Follower, session: Session): void {
  if (!isBelievable(session)) return;
  try {
    follower.poll();
  } catch (error) {
    if (!(error instanceof XftraceError) || session.end() === undefined) {
      throw error;
    }
    // The guest was in the middle of something when it ended.
  }
}
