import assert from "node:assert/strict";
import { COLLECT } from "./collect.ts";
import { said, working } from "./sink_fixture.ts";

Deno.test("collect: its description for plans and the compiler", () => {
  assert.deepEqual(said(COLLECT, { kind: "collect" }), ["collect()", ""]);
  assert.deepEqual(said(COLLECT, { kind: "collect", limit: 5 }), [
    "collect(5)",
    "",
  ]);
  assert.equal(COLLECT.asTheyCome, undefined);
});

Deno.test("collect: copies of the events, up to the limit", () => {
  const collect = working(COLLECT, { kind: "collect", limit: 3 });
  collect.take([{ pid: 1 }, { pid: 7 }]);
  const [first] = collect.sink.result();
  collect.take([{ pid: 9 }, { pid: 10 }]);
  assert.deepEqual(collect.sink.result().map((e) => e.pid), [1, 7, 9]);
  assert.equal(first.pid, 1);
  assert.equal(collect.sink.text().split("\n").length, 4);
  collect.sink.clear();
  assert.deepEqual(collect.sink.result(), []);
});
