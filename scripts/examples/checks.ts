/**
 * Checks as part of a script of one's own: who may see system calls here?
 *
 *     deno run --allow-read scripts/examples/checks.ts guest.core.zst
 *     deno run --allow-all scripts/examples/checks.ts qemu:web1
 */
import {
  type CheckRun,
  openCoreSession,
  runChecks,
  selectChecks,
  type Session,
} from "xftrace";

/** A recording needs to be read, no more; a guest that runs needs FFI. */
async function open(target: string): Promise<Session> {
  if (!/^(qemu|pid|file):/.test(target)) {
    return openCoreSession(`core:${target}`, target);
  }
  const { attach } = await import("../../ffi/attach.ts");
  return attach(target);
}

/** What some checks found, as lines of text. */
export function lines({ outcomes }: CheckRun): string[] {
  return outcomes.flatMap(({ check, findings, unjudged, judged }) => [
    `${check.id} ${check.title}: ${judged} judged`,
    ...findings.map(({ severity, summary }) => `  ${severity}: ${summary}`),
    ...unjudged.map(({ what }) => `  not judged: ${what}`),
  ]);
}

if (import.meta.main) {
  const [target = "guest.core.zst"] = Deno.args;
  using session = await open(target);
  const selected = selectChecks(["XF001", "XF002", "XF004", "XF006", "XF021"]);
  const run = await runChecks(session.kernel, selected, {
    trustModules: ["my_driver"],
  });
  console.log(lines(run).join("\n"));
}
