/** Results of queries on a recording as JSON have the documented types. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { assertDocumented, printed } from "./json_documented_fixture.ts";
import { type Run, xftraceOk } from "./support_fixture.ts";

Deno.test("the output of eval --json has the documented types", async () => {
  const core = fileURLToPath(
    import.meta.resolve("../../testdata/guest-6.12.core.zst"),
  );
  const query = (type: string, source: string) =>
    [`Results<${type}>`, ["eval", source, "-t", `core:${core}`]] as const;
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

Deno.test("the output of report --format jsonl has the documented types", async () => {
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
  // One event of each kind.
  const kinds = new Map(
    lines.trim().split("\n").map((line) => [JSON.parse(line).name, line]),
  );
  assert.ok(kinds.size > 5);
  await assertDocumented([
    ["TraceLine[]", listed([...kinds.values()].join("\n"))],
  ]);
});

/** Turns lines of JSON into one list, like the output of a command. */
function listed(lines: string): Run {
  const some = lines.trim().split("\n").slice(0, 50);
  return { code: 0, err: "", out: `[${some.join(",")}]` };
}
