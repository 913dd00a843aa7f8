/**
 * The command `xftrace`.
 *
 * @module
 */
import { Command, CommanderError } from "@commander-js/extra-typings";
import { EXIT, VERSION, XftraceError } from "xftrace";
import { addCommands } from "./cli/all_commands.ts";
import { note } from "./cli/terminal.ts";

/**
 * The command line.
 *
 * @param name the command that is going to be run; default: all are there
 */
export async function xftraceCommand(name?: string): Promise<Command> {
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
  await addCommands(program, name);
  return program;
}

/** Runs it; returns the exit code. */
async function main(): Promise<number> {
  try {
    const program = await xftraceCommand(Deno.args[0]);
    await program.parseAsync(Deno.args, { from: "user" });
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
