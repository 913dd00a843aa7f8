/** `xftrace on`: records, and leaves a collector that keeps all of it. */
import type { Command } from "@commander-js/extra-typings";
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { XftraceError } from "../../engine/errors.ts";
import {
  type AppliedWrite,
  applyWrite,
  undoAll,
} from "../../engine/ftrace/control.ts";
import { ask } from "../collector/protocol.ts";
import {
  keptWrites,
  StateFolder,
  type TraceState,
} from "../collector/state.ts";
import { openInstance } from "./instance.ts";
import { DEFAULT_OUTPUT, turnOff } from "./off.ts";
import { openTarget, withTarget } from "./target.ts";
import { count, note, out } from "./terminal.ts";
import { planText, planTrace } from "./trace_plan.ts";

const START_MS = 20_000;
const LOOK_MS = 200;

/** An option that is given several times; not `<x...>`, which eats functions. */
function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

/** Adds the command. */
export function registerOn(program: Command): void {
  withTarget(program.command("on"))
    .summary("record, and leave a collector that keeps all of it")
    .description(
      "Switches recording on in the guest, limited to functions if any are\n" +
        "named, and returns. A collector stays behind and keeps what is recorded,\n" +
        "until `xftrace off` or until the guest ends.",
    )
    .argument("[functions...]", "system calls (sys_read) or kernel functions")
    .option("--instance <name>", "an instance in place of the top level")
    .option("--depth <levels>", "follow calls no deeper (0: no limit)", Number)
    .option(
      "--mute <event>",
      "leave out an event; may be repeated",
      collect,
      [],
    )
    .option(
      "--without-cpu <cpu>",
      "leave out a CPU; may be repeated",
      collect,
      [],
    )
    .option("--foreground", "stay until Ctrl-C, and then do what `off` does")
    .option("--dry-run", "show what would be written, and write nothing")
    .addHelpText(
      "after",
      `
Examples:
  xftrace on sys_openat sys_read
  xftrace on --depth 3 vfs_read -t qemu:web1
  xftrace on --mute sched:sched_switch
  xftrace on --foreground sys_openat
  xftrace on --dry-run sys_open`,
    )
    .action(async (functions, options) => {
      const dryRun = options.dryRun === true;
      using session = openTarget(options, { writable: !dryRun });
      const open = openInstance(session, options.instance);
      const plan = planTrace(session, open, {
        functions,
        ...(options.depth === undefined
          ? {}
          : { depth: naturalNumber("--depth", options.depth) }),
        mute: options.mute,
        withoutCpu: options.withoutCpu.map((text) =>
          naturalNumber("--without-cpu", Number(text))
        ),
      });
      if (dryRun) {
        out(planText(plan, functions));
        return;
      }
      if (session.key === undefined || !session.alive()) {
        throw new XftraceError(
          `${session.target} is no running guest: there is nothing to switch on`,
        );
      }
      const folder = new StateFolder(session.key);
      await requireFree(folder, session.target);
      folder.create();
      const state: TraceState = {
        format: 1,
        target: session.target,
        ...(options.instance === undefined
          ? {}
          : { instance: options.instance }),
        functions: [...functions],
        roots: [...plan.hostRoots],
        applied: [],
        wasRecording: plan.wasRecording,
        started: new Date().toISOString(),
        collector: 0,
      };
      folder.write(state);
      const applied: AppliedWrite[] = [];
      try {
        // Before anything is recorded, so that nothing is missed.
        state.collector = await startCollector(folder, session);
        for (const write of plan.writes) {
          // Noted before it is done: whatever happens, it can be undone.
          state.applied = keptWrites([
            ...applied,
            { write, found: write.before },
          ]);
          folder.write(state);
          applied.push(applyWrite(session.kernel, write));
        }
        state.applied = keptWrites(applied);
        folder.write(state);
      } catch (error) {
        undoAll(session.kernel, applied);
        if (state.collector > 0) endCollector(state.collector);
        folder.remove();
        throw error;
      }
      for (const remark of plan.notes) note(remark);
      const what = functions.length === 0
        ? "everything the guest traces"
        : functions.join(", ");
      out(
        `recording ${what} in ${session.target} (tracer ${plan.tracer}, ${
          count(plan.writes.length)
        } words written); ${
          options.foreground === true
            ? "Ctrl-C ends it, and"
            : "\`xftrace off\`"
        } writes ${DEFAULT_OUTPUT}\n`,
      );
      if (options.foreground === true) {
        await interrupted(folder);
        await turnOff({ ...options, output: DEFAULT_OUTPUT });
      }
    });
}

/** Waits for Ctrl-C, or for the collector to end with its guest. */
async function interrupted(folder: StateFolder): Promise<void> {
  let stop = false;
  const end = () => {
    stop = true;
  };
  Deno.addSignalListener("SIGINT", end);
  Deno.addSignalListener("SIGTERM", end);
  while (!stop && folder.readResult() === undefined) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  Deno.removeSignalListener("SIGINT", end);
  Deno.removeSignalListener("SIGTERM", end);
}

function naturalNumber(option: string, value: number): number {
  if (Number.isInteger(value) && value >= 0) return value;
  throw new XftraceError(`${option} takes a whole number, 0 or more`, {
    exitCode: 64,
  });
}

/** Refuses a second trace of the same guest. */
async function requireFree(folder: StateFolder, target: string): Promise<void> {
  const state = folder.read();
  if (state === undefined) return;
  const reply = await ask(folder.socket, { do: "status" });
  throw new XftraceError(
    reply === undefined
      ? `an earlier \`xftrace on\` of ${target} was not ended (its collector is gone); run \`xftrace off -t ${target}\` first: it gets what was collected`
      : `${target} is on already, since ${state.started}; run \`xftrace off -t ${target}\` first`,
  );
}

/** Starts the collector's process; returns its pid once it follows. */
async function startCollector(
  folder: StateFolder,
  session: { readonly target: string; readonly key: string | undefined },
): Promise<number> {
  const main = fileURLToPath(
    import.meta.resolve("../collector/main.ts"),
  );
  const config = fileURLToPath(import.meta.resolve("../../deno.json"));
  const log = openSync(folder.log, "a", 0o600);
  const child = spawn(
    Deno.execPath(),
    [
      "run",
      "--quiet",
      "--allow-all",
      "--config",
      config,
      main,
      session.key ?? "",
      session.target,
    ],
    { detached: true, stdio: ["ignore", log, log] },
  );
  closeSync(log);
  const { pid } = child;
  let ended = false;
  child.on("exit", () => {
    ended = true;
  });
  child.unref();
  const until = performance.now() + START_MS;
  while (performance.now() < until && !ended && pid !== undefined) {
    if (await ask(folder.socket, { do: "status" }) !== undefined) return pid;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  let said = "";
  try {
    said = Deno.readTextFileSync(folder.log).trim().split("\n").at(-1) ?? "";
  } catch {
    // It did not come as far as its log.
  }
  if (pid !== undefined && !ended) endCollector(pid);
  throw new XftraceError(
    `the collector did not start${
      said === "" ? "" : `: ${said}`
    }; nothing was written to the guest`,
  );
}

function endCollector(pid: number): void {
  try {
    Deno.kill(pid, "SIGTERM");
  } catch {
    // It has ended already.
  }
}
