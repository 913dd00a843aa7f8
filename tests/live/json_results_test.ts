/** Results of queries as JSON, out of a recording: they are as documented. */
import { fileURLToPath } from "node:url";
import { assertDocumented, printed } from "./json_documented.ts";
import { xftraceOk } from "./support.ts";

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
  await assertDocumented([
    ...runs,
    ["EventLine[]", {
      code: 0,
      err: "",
      out: `[${lines.trim().split("\n").slice(0, 50).join(",")}]`,
    }],
  ]);
});
