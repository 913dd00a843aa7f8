/**
 * What the guest's tracefs says, for `xftrace check` to compare with memory:
 * read from a file, or asked from the xftrace module in the guest.
 *
 * @module
 */
import { type Session, XftraceError } from "xftrace";
import { parseTracefs, TOLD_FILES, type TracefsTexts } from "xftrace/detect";
import { SealedTracer } from "xftrace/seal";
import { usage } from "./option_values.ts";
import { readGivenText } from "./user_files.ts";

/**
 * Reads what `grep -H "" FILES...` printed in the guest's tracefs.
 *
 * @throws {XftraceError} when the file cannot be read or has no such lines.
 */
export function toldByFile(path: string): TracefsTexts {
  const told = parseTracefs(readGivenText(path, "--tracefs"));
  if (told.size > 0) return told;
  throw usage(
    `--tracefs ${path} holds nothing of tracefs; make it in the guest: cd /sys/kernel/tracing; grep -H "" ${
      TOLD_FILES.slice(0, 4).join(" ")
    } > FILE`,
  );
}

/**
 * Asks the module in the guest, which reads tracefs itself. This writes to the
 * module's mailbox and nowhere else.
 *
 * @throws {XftraceError} when the guest has no module, or it is tracing.
 */
export async function toldByModule(session: Session): Promise<TracefsTexts> {
  const tracer = SealedTracer.find(session);
  if (tracer === undefined) {
    throw new XftraceError(
      "--ask-guest needs the module xftrace in the guest; load it, or give what tracefs says with --tracefs FILE",
    );
  }
  if (tracer.enabled) {
    throw new XftraceError(
      "a sealed trace runs in the guest, and its collector would take a question for a foreign command; stop it first (xftrace off), or give what tracefs says with --tracefs FILE",
    );
  }
  const told = new Map<string, string>();
  for (const name of TOLD_FILES) {
    // A sysctl, not a file of tracefs.
    if (name === "ftrace_enabled") continue;
    told.set(name, await tracer.mailbox.readTracefs(name));
  }
  return told;
}

/** Whether two readings of tracefs are equal. */
export function sameTold(a: TracefsTexts, b: TracefsTexts): boolean {
  return a.size === b.size &&
    [...a].every(([name, text]) => b.get(name) === text);
}
