/**
 * An example of checks in a script: which code may intercept system calls?
 *
 *     deno run --allow-read scripts/examples/checks.ts core:guest.core.zst
 *     deno run --allow-all scripts/examples/checks.ts qemu:web1
 */
import type { CheckRun, Guest } from "xftrace";

/** A recording needs --allow-read only; a running guest needs FFI. */
async function openGuest(target: string): Promise<Guest> {
  const { open } = target.startsWith("core:")
    ? await import("xftrace")
    : await import("xftrace/live");
  return await open(target);
}

/** The results of checks as lines of text. */
export function lines({ outcomes }: CheckRun): string[] {
  return outcomes.flatMap(({ check, findings, unjudged, judged }) => [
    `${check.id} ${check.title}: ${judged} judged`,
    ...findings.map(({ severity, summary }) => `  ${severity}: ${summary}`),
    ...unjudged.map(({ what }) => `  not judged: ${what}`),
  ]);
}

if (import.meta.main) {
  const [target = "core:guest.core.zst"] = Deno.args;
  await using guest = await openGuest(target);
  const run = await guest.check({
    only: ["XF001", "XF002", "XF004", "XF006", "XF021"],
    trustModules: ["my_driver"],
  });
  console.log(lines(run).join("\n"));
}
