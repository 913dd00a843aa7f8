/**
 * The collector's process, which `xftrace on` starts. Its arguments are the
 * guest's key (Session.key) and the target.
 *
 * @module
 */
import { type GuestEnd, shown } from "xftrace";
import { sleep } from "xftrace/ftrace";
import { open } from "xftrace/live";
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
  finish(
    reason: string,
    output: string,
    graph: Record<string, boolean>,
  ): CollectorResult | Promise<CollectorResult>;
}

/** Adds a line to the collector's log. */
function say(message: string): void {
  console.log(`${new Date().toISOString()} ${shown(message)}`);
}

async function main(key: string, target: string): Promise<void> {
  const folder = new StateFolder(key);
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
    ? new Collector(session, folder, state)
    : new SealedCollector(session, folder, { ...state, sealed }, say);
  say(`following ${target}`);
  const done = new AbortController();
  let finish: Extract<Request, { do: "finish" }> | undefined;
  let reply: (value: Reply) => void = () => {};
  const serving = serve(folder.socket, (request) => {
    if (request.do === "drain") collector.drain?.();
    if (request.do !== "finish") return { status: collector.status() };
    finish = request;
    collector.stop();
    return new Promise((resolve) => {
      reply = resolve;
    });
  }, done.signal);
  // Closing the shell, or Ctrl-C in it, must not end the trace.
  for (const signal of ["SIGHUP", "SIGINT"] as const) {
    Deno.addSignalListener(signal, () => {});
  }
  Deno.addSignalListener("SIGTERM", () => collector.stop());
  const why = await collector.run();
  const reason = finish !== undefined
    ? "off"
    : why === "stopped"
    ? "the collector was asked to end"
    : goneReason(why);
  say(reason);
  try {
    const result = await collector.finish(
      reason,
      finish?.output ?? folder.text,
      finish?.graph ?? {},
    );
    say(JSON.stringify(result));
    reply({ result });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    say(message);
    reply({ error: message });
  }
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
