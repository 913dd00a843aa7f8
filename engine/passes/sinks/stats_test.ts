import assert from "node:assert/strict";
import { said, working } from "./sink_fixture.ts";
import { STATS } from "./stats.ts";

Deno.test("stats: its description for plans and the compiler", () => {
  assert.deepEqual(said(STATS, { kind: "stats", field: "ret", by: ["pid"] }), [
    "stats(ret, pid)",
    "pid any, ret number",
  ]);
});

Deno.test("stats: the statistics of each group, beginning with the greatest total", () => {
  const stats = working(STATS, {
    kind: "stats",
    field: "duration",
    by: ["comm"],
  });
  stats.take([
    { pid: 1, duration: 10 },
    { pid: 7, duration: 2000 },
    { pid: 7, duration: NaN },
  ]);
  stats.take([{ pid: 1, duration: 30 }]);
  assert.deepEqual(stats.sink.result().rows, [
    { key: ["sshd"], count: 1, total: 2000, min: 2000, max: 2000, mean: 2000 },
    { key: ["init"], count: 2, total: 40, min: 10, max: 30, mean: 20 },
  ]);
  assert.equal(
    stats.sink.text(),
    "comm  COUNT     MEAN      MIN      MAX    TOTAL\n" +
      "sshd      1  2.00 us  2.00 us  2.00 us  2.00 us\n" +
      "init      2    20 ns    10 ns    30 ns    40 ns\n",
  );
});
