/**
 * The command `xftrace`.
 *
 * @module
 */
import { Command, CommanderError } from "@commander-js/extra-typings";
import { EXIT, VERSION, XftraceError } from "xftrace";
import { registerCompletions } from "./cli/commands/completions.ts";
import { registerDoctor } from "./cli/commands/doctor.ts";
import { registerEvents } from "./cli/commands/events.ts";
import { registerFunctions } from "./cli/commands/functions.ts";
import { registerPs } from "./cli/commands/ps.ts";
import { registerSnapshot } from "./cli/commands/snapshot.ts";
import { registerInfo } from "./cli/commands/info.ts";
import { registerOff } from "./cli/commands/off.ts";
import { registerOn } from "./cli/commands/on.ts";
import { registerReport } from "./cli/commands/report.ts";
import { registerShow } from "./cli/commands/show.ts";
import { registerStatus } from "./cli/commands/status.ts";
import { registerCheck } from "./cli/commands/check.ts";
import { registerEval } from "./cli/commands/eval.ts";
import { registerGuest } from "./cli/commands/guest.ts";
import { registerRun } from "./cli/commands/run.ts";
import { registerTypes } from "./cli/commands/types.ts";
import { registerVerify } from "./cli/commands/verify.ts";
import { registerBaseline } from "./cli/commands/baseline.ts";
import { note } from "./cli/terminal.ts";

/** The whole command line. */
export function xftraceCommand(): Command {
  const program = new Command("xftrace")
    .description(
      "Traces a running Linux guest from the host: reads and steers the guest's\n" +
        "own Ftrace in its memory. The guest is never stopped.",
    )
    .version(VERSION)
    .showHelpAfterError("(run with --help for examples)")
    .exitOverride()
    .addHelpText(
      "after",
      `
Examples:
  xftrace info                        the only VM that runs
  xftrace on sys_openat sys_read      record, and collect in the background
  xftrace off                         stop, and write trace_graph.txt
  xftrace show -t qemu:web1           the trace as it happens
  xftrace report -t core:guest.core   what a recording holds

Exit codes:
  0   done
  1   failed; the message says why
  2   a check found something
  3   a check could not judge
  64  the command line is wrong
  69  the guest ended while it was read; what was collected is kept`,
    );
  registerInfo(program);
  registerOn(program);
  registerStatus(program);
  registerOff(program);
  registerShow(program);
  registerReport(program);
  registerCompletions(program);
  registerDoctor(program);
  registerEvents(program);
  registerFunctions(program);
  registerPs(program);
  registerSnapshot(program);
  registerCheck(program);
  registerEval(program);
  registerGuest(program);
  registerRun(program);
  registerTypes(program);
  registerVerify(program);
  registerBaseline(program);
  return program;
}

/** Runs it; returns the exit code. */
async function main(): Promise<number> {
  try {
    await xftraceCommand().parseAsync(Deno.args, { from: "user" });
    // A command that found something, and had it all to say, has set it.
    return Deno.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // --help and --version end this way too; commander has printed.
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    }
    // The reader of a pipe has seen enough.
    if (error instanceof Deno.errors.BrokenPipe) return EXIT.ok;
    if (error instanceof XftraceError) {
      note(`xftrace: ${error.message}`);
      return error.exitCode;
    }
    if (error instanceof Deno.errors.NotCapable) {
      note(`xftrace: not permitted: ${error.message}`);
      return EXIT.failed;
    }
    const message = error instanceof Error ? error.message : String(error);
    note(
      `xftrace: internal error: ${message} (set XFTRACE_DEBUG=1 for where)`,
    );
    if (Deno.env.get("XFTRACE_DEBUG") && error instanceof Error) {
      note(error.stack ?? "");
    }
    return EXIT.failed;
  }
}

if (import.meta.main) Deno.exit(await main());
