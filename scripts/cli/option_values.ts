/** Values of options that are more than text, and what is wrong with them. */
import { EXIT, XftraceError } from "xftrace";

/** An error in the command line, one sentence: what to give. */
export function usage(message: string): XftraceError {
  return new XftraceError(message, { exitCode: EXIT.usage });
}

/** Names with commas between them: `--only XF001,XF008`. */
export function nameList(text: string): string[] {
  return text.split(",").map((name) => name.trim()).filter((n) => n !== "");
}
