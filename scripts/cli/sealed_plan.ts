/**
 * What `xftrace on` is going to do with the guest's module, for people.
 *
 * @module
 */
import { CONTROL, ENTRY } from "../../engine/seal/page/abi.ts";
import type { SealedTracer } from "../../engine/seal/tracer/sealed_tracer.ts";
import type { Session } from "../../engine/session.ts";
import type { SealedState } from "../collector/state.ts";
import { count, shownPath, size } from "./terminal.ts";

/** The plan; nothing is written. */
export function sealedPlanText(
  session: Session,
  tracer: SealedTracer,
  functions: readonly string[],
  sealed: SealedState,
  plan: ReturnType<SealedTracer["plan"]>,
): string {
  const { page } = tracer;
  const cpus = page.cpus.map(({ cpu }) => cpu);
  const enabled = `0x${(page.gva + BigInt(CONTROL.enabled)).toString(16)}`;
  const what = functions.length === 0 ? "all functions" : functions.join(" ");
  const traced = plan.filter === "all"
    ? "all functions"
    : `${count(plan.filter)} functions`;
  const row = (n: number, name: string, text: string, where: string) =>
    `${String(n).padStart(3)}  ${name.padEnd(16)} ${text.padEnd(48)} ${where}`;
  return [
    `Plan   ${what}   target ${session.target}  kernel ${session.kernel.facts.release}  seal: ${sealed.seal}`,
    "Control writes (undone in reverse)",
    row(1, "rings", "emptied", "module mailbox: reset"),
    row(
      2,
      "keys",
      `CPU ${cpus.join(", ")}: each ${sealed.rotateMs} ms`,
      "module key slots",
    ),
    row(
      3,
      "trace",
      `${plan.roots} roots, ${traced}`,
      "module mailbox: configure",
    ),
    row(4, "enabled", "0 -> 1", `xft_control.enabled at ${enabled}`),
    "Decode passes",
    `  1  follow the rings of CPU ${cpus.join(", ")}, ${
      size((page.cpus[0]?.entries ?? 0) * ENTRY.bytes)
    } each, count losses`,
    `  2  verify each entry (${sealed.seal}) with the keys of ${
      shownPath(sealed.klogPath)
    }`,
    "  3  call graph, merge by time stamp, text",
    `Files  ${shownPath(sealed.recordingPath)}`,
    `       ${shownPath(sealed.klogPath)}`,
    "",
  ].join("\n");
}
