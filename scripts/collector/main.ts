/**
 * The collector's process, which `xftrace on` starts. Its arguments are the
 * guest's key (Session.key) and the target.
 *
 * @module
 */
import { type GuestEnd, HostWriteError, shown } from "xftrace";
import { sleep } from "xftrace/ftrace";
import { open } from "xftrace/live";
import { markRunning } from "./guest_lock.ts";
import { Collector, type CollectorStatus } from "./collector.ts";
import { SealedCollector } from "./sealed_collector.ts";
import { type Request, serve } from "./protocol.ts";
import type { Reply } from "./reply.ts";
import {
  type CollectorResult,
  goneReason,
  isOtherBoot,
  StateFolder,
} from "./state.ts";

/** What both kinds of collectors have in common. */
interface Following {
  status(): CollectorStatus;
  stop(): void;
  /** Reads what is left, where that does not end the trace. */
  drain?(): void;
  run(): Promise<"stopped" | GuestEnd>;
  /** What was collected, as soon as that is certain. */
  readonly result: CollectorResult | undefined;
  finish(
    reason: string,
    output: string,
    graph: Record<string, boolean>,
  ): CollectorResult | Promise<CollectorResult>;
}

/** A request to end the trace, and who waits for the answer. */
interface Asked extends Omit<Extract<Request, { do: "finish" }>, "do"> {
  reply(value: Reply): void;
}

/** How long a message is not repeated, ms. */
const REPEAT_MS = 60_000;
let last = { message: "", at: -Infinity };

/**
 * Adds a line to the collector's log; a message that has just been said (a
 * guest may be unreadable for long) only once a minute.
 */
function say(message: string): void {
  const at = performance.now();
  if (message === last.message && at < last.at + REPEAT_MS) return;
  last = { message, at };
  console.log(`${new Date().toISOString()} ${shown(message)}`);
}

async function main(key: string, target: string): Promise<void> {
  const folder = new StateFolder(key);
  markRunning(folder);
  const state = folder.read();
  if (state === undefined) throw new Error(`no state in ${folder.path}`);
  using guest = await open(target, { onWarning: say });
  const { session } = guest;
  if (isOtherBoot(session, state)) {
    throw new Error("the guest was restarted meanwhile");
  }
  // A sealed trace writes keys to the guest; any other is only read.
  if (state.sealed !== undefined) session.memory.makeWritable();
  const { sealed } = state;
  const collector: Following = sealed === undefined
    ? new Collector(session, folder, state, say)
    : new SealedCollector(session, folder, { ...state, sealed }, say);
  say(`following ${target}`);
  const done = new AbortController();
  let asked: Asked | undefined;
  let tellAsked: () => void = () => {};
  /** What it has ended with, for whoever asks before it is gone. */
  let last: Reply | undefined;
  const serving = serve(folder.socket, (request) => {
    if (request.do === "drain") collector.drain?.();
    if (request.do !== "finish") return { status: collector.status() };
    collector.stop();
    if (last !== undefined) return last;
    return new Promise((reply) => {
      asked = { ...request, reply };
      tellAsked();
    });
  }, done.signal);
  let ended = false;
  // Closing the shell, or Ctrl-C in it, must not end the trace.
  for (const signal of ["SIGHUP", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {});
  }
  Deno.addSignalListener("SIGTERM", () => {
    collector.stop();
    ended = true;
    tellAsked();
  });
  const why = await collector.run();
  for (;;) {
    const reason = why !== "stopped"
      ? goneReason(why)
      : asked !== undefined
      ? "off"
      : "the collector was asked to end";
    say(reason);
    try {
      const result = await collector.finish(
        reason,
        asked?.output ?? folder.text,
        asked?.graph ?? {},
      );
      say(JSON.stringify(result));
      last = { result };
      break;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      say(message);
      const { result } = collector;
      if (asked !== undefined && result !== undefined) {
        // Only the file with the result is missing; whoever asked is told.
        last = { result };
        break;
      }
      // What it has collected is still there: the next `off` may name another
      // place for it.
      if (!(error instanceof HostWriteError) || ended) {
        last = { error: message };
        break;
      }
      asked?.reply({ error: message });
      asked = undefined;
      await new Promise<void>((resolve) => tellAsked = resolve);
      if (asked === undefined) {
        last = { error: message };
        break;
      }
    }
  }
  if (last !== undefined) asked?.reply(last);
  // The answer must be sent before the listener closes.
  await sleep(50);
  done.abort();
  await serving;
}

if (import.meta.main) {
  const [key, target] = Deno.args;
  try {
    await main(key, target);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
