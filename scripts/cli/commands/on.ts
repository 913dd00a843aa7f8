/** `xftrace on`: starts recording, with a collector in the background. */
import type { Command } from "@commander-js/extra-typings";
import type { Session } from "xftrace";
import { SealedTracer } from "xftrace/seal";
import { lockGuest } from "../../collector/guest_lock.ts";
import type { StateFolder } from "../../collector/state.ts";
import { Interrupt } from "../interrupt.ts";
import { DEFAULT_OUTPUT, turnOff } from "./off.ts";
import {
  excludesPlain,
  isTracefs,
  type OnOptions,
  refuseForeign,
  requireForAgent,
  withOnOptions,
} from "../on_options.ts";
import { onAgent, onPlain, onTracer } from "../on_plain.ts";
import { onSealed, resumeSealed } from "../on_sealed.ts";
import { usage } from "../option_values.ts";
import { openGuest, withTarget } from "../target.ts";
import { outLine } from "../terminal.ts";
import { requireHere } from "../while_there.ts";

const LOOK_MS = 200;

/** Registers `xftrace on` on the program. */
export function registerOn(program: Command): void {
  withOnOptions(withTarget(program.command("on")))
    .summary("start recording, with a collector in the background")
    .description(
      "Switches recording on in the guest, limited to functions if any are\n" +
        "named, and returns. A collector in the background keeps what is recorded,\n" +
        "until `xftrace off` or until the guest ends.\n\n" +
        "With the xftrace module in the guest, named functions are recorded by it,\n" +
        "and each entry is sealed. Without it (or with --plain) the guest's own\n" +
        "Ftrace records, controlled by plain writes to memory.\n\n" +
        "Options marked (module) need the module. Options marked (tracefs) set files of\n" +
        "the guest's tracefs, through the module or, with --agent, QEMU's guest agent.",
    )
    .argument("[functions...]", "system calls (sys_read) or kernel functions")
    .addHelpText(
      "after",
      `
Examples:
  xftrace on sys_openat sys_read
  xftrace on sys_openat --filter 'vfs_*' --rotate 10
  xftrace on --resume
  xftrace on --tracer function_graph sys_openat
  xftrace on --agent --tracer function_graph sys_openat
  xftrace on --tracer function 'vfs_*' --event sched:sched_switch
  xftrace on --event sched:sched_switch --event-filter 'sched:sched_switch=prev_prio < 100'
  xftrace on --tracer function vfs_open --set options/func_stack_trace=1
  xftrace on --trigger 'sched:sched_process_exec=stacktrace:5' --set tracing_cpumask=1
  xftrace on --plain --depth 3 vfs_read -t qemu:web1
  xftrace on --mute sched:sched_switch
  xftrace on --foreground sys_openat
  xftrace on --dry-run sys_open`,
    )
    .action(async (functions, options) => {
      const dryRun = options.dryRun === true;
      let folder: StateFolder | undefined;
      let { target } = options;
      {
        // Memory stays read-only until there is a plan.
        using guest = await openGuest(options, { steered: !dryRun });
        const { session } = guest;
        target = session.target;
        if (!dryRun) await requireHere(session);
        using _ = dryRun || session.key === undefined
          ? null
          : lockGuest(session.key, session.target, "`xftrace on`");
        folder = await start(session, functions, options);
      }
      if (folder === undefined || options.foreground !== true) return;
      outLine(`Ctrl-C ends it, and writes ${DEFAULT_OUTPUT}`);
      await interrupted(folder);
      await turnOff({ ...options, target, output: DEFAULT_OUTPUT });
    });
}

async function start(
  session: Session,
  functions: readonly string[],
  options: OnOptions,
): Promise<StateFolder | undefined> {
  if (options.agent === true) {
    requireForAgent(functions, options);
    refuseForeign("tracer", options);
    return await onAgent(session, functions, options);
  }
  if (options.resume === true) return await resumeSealed(session);
  if (options.plain === true && options.sealed === true) {
    throw usage("--plain and --sealed exclude each other");
  }
  if (options.plain === true && options.tracer !== undefined) {
    throw excludesPlain("--tracer");
  }
  const tracer = options.plain === true
    ? undefined
    : SealedTracer.find(session);
  if (tracer === undefined && options.sealed === true) {
    throw usage(
      `${session.target} has no xftrace module, so nothing can be sealed; load it in the guest (see: xftrace guest install)`,
    );
  }
  if (
    options.plain !== true && options.sealed !== true &&
    isTracefs(functions, options)
  ) {
    refuseForeign("tracer", options);
    if (tracer === undefined && options.tracer !== undefined) {
      throw usage(
        `selecting a tracer takes code in the guest: load the xftrace module there (see: xftrace guest install), have the guest's agent do it (--agent), or boot the guest with ftrace=${options.tracer}`,
      );
    }
    if (tracer === undefined) refuseForeign("plain", options);
    return tracer === undefined
      ? await onPlain(session, functions, options)
      : await onTracer(session, functions, options);
  }
  if (tracer !== undefined && isForModule(functions, options)) {
    return await onSealed(session, tracer, functions, options);
  }
  refuseForeign("plain", options);
  return await onPlain(session, functions, options);
}

/**
 * Whether to use the module, which is loaded: only with functions or --sealed.
 * All else is about what the guest traces by itself.
 */
function isForModule(
  functions: readonly string[],
  options: OnOptions,
): boolean {
  if (options.sealed === true) return true;
  const plain = options.instance !== undefined || options.mute.length > 0 ||
    options.withoutCpu.length > 0;
  return !plain && (functions.length > 0 || options.filter.length > 0);
}

/** Waits for Ctrl-C, or for the collector to end with its guest. */
async function interrupted(folder: StateFolder): Promise<void> {
  using interrupt = new Interrupt();
  while (!interrupt.asked && folder.readResult() === undefined) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
