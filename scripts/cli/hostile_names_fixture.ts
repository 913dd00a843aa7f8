/**
 * Runs several command lines in one process, one after the other, each below a
 * line that names it. For tests of what commands print.
 *
 *     deno run -A hostile_names_fixture.ts '["info"]' '["report"]'
 *
 * @module
 */
import { XftraceError } from "xftrace";
import { xftraceCommand } from "../xftrace.ts";
import { noteError, out } from "./terminal.ts";

/** Begins the line above the output of each command. */
export const COMMAND = "=== ";

if (import.meta.main) {
  for (const line of Deno.args) {
    const args: string[] = JSON.parse(line);
    for (const to of [Deno.stdout, Deno.stderr]) {
      to.writeSync(new TextEncoder().encode(`${COMMAND}${args.join(" ")}\n`));
    }
    try {
      const program = await xftraceCommand(args[0]);
      await program.parseAsync(args, { from: "user" });
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      noteError(error);
    }
  }
  out(`${COMMAND}end\n`);
}
