import assert from "node:assert/strict";
import type { EventLike } from "../../query/spec.ts";
import { EACH } from "./each.ts";
import { said, working } from "./sink_fixture.ts";

Deno.test("each: its description for plans and the compiler", () => {
  assert.deepEqual(said(EACH, { kind: "each", take: () => {} }), [
    "each event to the script",
    "",
  ]);
  assert.equal(EACH.asTheyCome, true);
});

Deno.test("each: the script receives copies in order", () => {
  const taken: EventLike[] = [];
  const each = working(EACH, {
    kind: "each",
    take: (event) => taken.push(event),
  });
  each.take([{ pid: 1 }, { pid: 7 }]);
  each.take([{ pid: 2 }]);
  assert.deepEqual(taken.map((e) => e.pid), [1, 7, 2]);
  assert.equal(each.sink.result(), 3);
  assert.equal(each.written, "");
});
