/** Results of queries as JSON, out of a recording: they are as documented. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { assertDocumented, printed } from "./json_documented_fixture.ts";
import { type Run, xftraceOk } from "./support_fixture.ts";

Deno.test("what eval --json prints is as documented", async () => {
  const core = fileURLToPath(
    import.meta.resolve("../../testdata/guest-6.12.core.zst"),
  );
  const query = (type: string, source: string) =>
    [type, ["eval", source, "-t", `core:${core}`]] as const;
  const runs = await printed([
    query("Count", `event("sched:sched_switch").count("next_comm", pid)`),
    query(
      "Hist",
      `trace(fn("*")).lhist("duration", { from: 0, to: 1000000, step: 500000 })`,
    ),
    query("Stats", `trace(fn("*")).stats("duration")`),
    query("Folded", `trace(sys_openat).folded()`),
    query("Top", `trace(fn("*")).top(3)`),
  ]);
  const lines = await xftraceOk([
    "eval",
    `event("sched:*").json()`,
    "-t",
    `core:${core}`,
  ]);
  await assertDocumented([...runs, ["EventLine[]", listed(lines)]]);
});

Deno.test("what report --format jsonl prints is as documented", async () => {
  const core = fileURLToPath(
    import.meta.resolve("../../testdata/guest-6.12.core.zst"),
  );
  const lines = await xftraceOk([
    "report",
    "--format",
    "jsonl",
    "-t",
    `core:${core}`,
  ]);
  // One of each kind of event.
  const kinds = new Map(
    lines.trim().split("\n").map((line) => [JSON.parse(line).name, line]),
  );
  assert.ok(kinds.size > 5);
  await assertDocumented([
    ["TraceLine[]", listed([...kinds.values()].join("\n"))],
  ]);
});

/** Some lines of JSON as one list, as if a command had printed it. */
function listed(lines: string): Run {
  const some = lines.trim().split("\n").slice(0, 50);
  return { code: 0, err: "", out: `[${some.join(",")}]` };
}
