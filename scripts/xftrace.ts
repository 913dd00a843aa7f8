/**
 * The command `xftrace`.
 *
 * @module
 */
import { Command, CommanderError } from "@commander-js/extra-typings";
import { EXIT, VERSION, XftraceError } from "xftrace";
import { addCommands } from "./cli/all_commands.ts";
import { note, noteError, noteLines } from "./cli/terminal.ts";

/**
 * Builds the command line.
 *
 * @param name the command that is going to run; default: registers all commands
 */
export async function xftraceCommand(name?: string): Promise<Command> {
  const program = new Command("xftrace")
    .description(
      "Traces a running Linux guest from the host, by reading and controlling the\n" +
        "guest's own Ftrace in its memory. The guest is never stopped.",
    )
    .version(VERSION)
    .showHelpAfterError("(run with --help for examples)")
    .exitOverride()
    .configureOutput({ writeErr: noteLines })
    .addHelpText(
      "after",
      `
Examples:
  xftrace info                        describe the only VM that runs
  xftrace on sys_openat sys_read      record, and collect in the background
  xftrace off                         stop, and write trace_graph.txt
  xftrace show -t qemu:web1           print the trace as it happens
  xftrace report -t core:guest.core   print what a recording holds

Exit codes:
  0   done
  1   failed; the message says why
  2   a check found something
  3   a check could not judge
  64  the command line is wrong
  69  the guest ended while it was read; what was collected is kept
  130 interrupted; what was begun has been undone`,
    );
  await addCommands(program, name);
  return program;
}

/** Runs the command line; returns the exit code. */
async function main(): Promise<number> {
  try {
    const program = await xftraceCommand(Deno.args[0]);
    await program.parseAsync(Deno.args, { from: "user" });
    // Commands that print their findings themselves have set the code.
    return Deno.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      // --help and --version throw as well; commander has printed everything.
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    }
    // The reader of the pipe has ended, as `head` does. A verdict is set before
    // it is printed, so that what is not read of it does not change it.
    if (error instanceof Deno.errors.BrokenPipe) return Deno.exitCode;
    if (error instanceof XftraceError) {
      noteError(error);
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
      for (const line of (error.stack ?? "").split("\n")) note(line);
    }
    return EXIT.failed;
  }
}

if (import.meta.main) Deno.exit(await main());
