/**
 * Starts and ends the collector's process for `xftrace on`.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { closeSync, constants } from "node:fs";
import { openOwnFile, XftraceError } from "xftrace";
import { shellWord } from "xftrace/targets";
import { collectorAnswers } from "../collector/guest_lock.ts";
import { ask } from "../collector/protocol.ts";
import { isGone, type StateFolder } from "../collector/state.ts";
import type { Interrupt } from "./interrupt.ts";
import { ownProgram } from "./own_program.ts";
import { Progress } from "./terminal.ts";

/** How long to wait for a sign of life from a starting collector, ms. */
const START_MS = 60_000;
const LOOK_MS = 20;
/** How long to wait for a collector to end after SIGTERM, ms. */
const END_MS = 150_000;

/**
 * Starts the collector's process; returns its pid once it follows the guest.
 *
 * @throws {XftraceError} with the last line of its log, when it does not start.
 */
export async function startCollector(
  folder: StateFolder,
  session: { readonly target: string; readonly key: string | undefined },
  interrupt?: Interrupt,
): Promise<number> {
  const log = openOwnFile(
    folder.log,
    constants.O_WRONLY | constants.O_APPEND,
  );
  const child = spawn(
    Deno.execPath(),
    [...ownProgram("collector/main"), session.key ?? "", session.target],
    { detached: true, stdio: ["ignore", log, log] },
  );
  closeSync(log);
  const { pid } = child;
  let ended = false;
  child.on("exit", () => {
    ended = true;
  });
  child.unref();
  using progress = new Progress();
  let until = performance.now() + START_MS;
  while (performance.now() < until && !ended && pid !== undefined) {
    const reply = await ask(folder.socket, { do: "status" });
    if (reply !== undefined && "status" in reply) {
      const { starting } = reply.status;
      if (starting === undefined) return pid;
      progress.update(starting);
      // It reports progress, and has time limits of its own.
      until = performance.now() + START_MS;
    }
    if (interrupt?.asked === true) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  if (pid !== undefined && !ended) await endCollector(pid, () => ended);
  interrupt?.check();
  const said = lastWords(folder);
  throw new XftraceError(
    `the collector did not start${said === "" ? "" : `: ${said}`}`,
  );
}

/** The last line of the collector's log, without its time stamp. */
function lastWords(folder: StateFolder): string {
  try {
    const line = Deno.readTextFileSync(folder.log).trim().split("\n").at(-1);
    return line?.replace(/^\d{4}-\S+Z /, "") ?? "";
  } catch {
    // It ended before it had a log.
    return "";
  }
}

/** Tells a collector to end, and waits until it has cleaned up. */
export async function endCollector(
  pid: number,
  ended: () => boolean = () => !processRuns(pid),
): Promise<void> {
  try {
    Deno.kill(pid, "SIGTERM");
  } catch {
    return; // It has ended already.
  }
  const until = performance.now() + END_MS;
  while (!ended() && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

function processRuns(pid: number): boolean {
  try {
    Deno.statSync(`/proc/${pid}`);
    return true;
  } catch {
    return false;
  }
}

/**
 * Refuses a second trace of the same guest.
 *
 * @throws {XftraceError} that names the earlier trace, and says what to do.
 */
export async function requireFree(
  folder: StateFolder,
  target: string,
): Promise<void> {
  const state = folder.read();
  if (state === undefined) return;
  await collectorAnswers(folder);
  const reply = await ask(folder.socket, { do: "status" });
  if (reply !== undefined) {
    throw new XftraceError(
      `${target} is on already, since ${state.started}; run \`xftrace off -t ${
        shellWord(target)
      }\` first`,
    );
  }
  const result = folder.readResult();
  if (result !== undefined && isGone(result)) {
    throw new XftraceError(
      `an earlier trace of ${target} was not ended: ${result.reason}; run \`xftrace off -t ${
        shellWord(target)
      }\` first: it gets what was collected until then`,
    );
  }
  if (state.collected === true) {
    throw new XftraceError(
      `\`xftrace off\` of ${target} could not undo everything; run \`xftrace off -t ${
        shellWord(target)
      }\` again first`,
    );
  }
  throw new XftraceError(
    state.sealed === undefined
      ? `an earlier \`xftrace on\` of ${target} was not ended (its collector is gone); run \`xftrace off -t ${
        shellWord(target)
      }\` first: it gets what was collected`
      : `a sealed trace of ${target} is on since ${state.started}, but its collector is gone; go on with it: \`xftrace on --resume -t ${
        shellWord(target)
      }\`, or end it: \`xftrace off -t ${shellWord(target)}\``,
  );
}
