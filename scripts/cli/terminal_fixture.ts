/**
 * Prints a hostile text in each way in which commands print. For the test of
 * terminal.ts.
 *
 * @module
 */
import {
  eraseLines,
  faint,
  note,
  noteError,
  out,
  outJson,
  outLine,
  strong,
  traceOutput,
  warn,
} from "./terminal.ts";
import { XftraceError } from "xftrace";

/** A line end, a colour, C1, DEL, a direction, half a pair, a byte. */
export const HOSTILE = "\n\r\x1b[31m\x9b2J\x7f\u202e\ud800 \udc9b";

if (import.meta.main) {
  outLine(`line ${HOSTILE}`);
  outLine(`${strong(`bold ${HOSTILE}`)} ${faint(HOSTILE)}`);
  // As if somebody had forgotten to escape a field.
  out(`forgotten ${HOSTILE}\n`);
  outJson({ [`key ${HOSTILE}`]: HOSTILE });
  note(`note ${HOSTILE}`);
  warn(`warning ${HOSTILE}`);
  noteError(new XftraceError(`error ${HOSTILE}`));
  noteError(new XftraceError(`two\nlines\x1b[31m`, { lines: true }));
  traceOutput(Deno.args[0] === "--raw").sink(`trace \x1b[31m\udc9b\n`);
  if (Deno.stdout.isTerminal()) eraseLines(1);
}
