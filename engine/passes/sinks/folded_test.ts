import assert from "node:assert/strict";
import { FOLDED } from "./folded.ts";
import { insideOf, said, working } from "./sink_fixture.ts";

const CALLS = [
  { pid: 7, inside: insideOf([1, 0, 100], [2, 1, 30], [3, 2, 30]) },
  { pid: 7, inside: insideOf([1, 0, 50], [2, 1, 20]) },
  { pid: 2 },
];

Deno.test("folded: its description for plans and the compiler", () => {
  assert.deepEqual(said(FOLDED, { kind: "folded", weight: "calls" }), [
    "folded()",
    "",
  ]);
  assert.equal(FOLDED.asTheyCome, undefined);
  assert.equal(FOLDED.inside, true);
});

Deno.test("folded: weighted by the time in the function itself", () => {
  const folded = working(FOLDED, { kind: "folded", weight: "self" });
  folded.take(CALLS);
  assert.equal(
    folded.sink.text(),
    "sshd;f1 100\nsshd;f1;f2 20\nsshd;f1;f2;f3 30\n",
  );
});

Deno.test("folded: weighted by the number of calls", () => {
  const folded = working(FOLDED, { kind: "folded", weight: "calls" });
  folded.take(CALLS);
  assert.deepEqual(JSON.parse(JSON.stringify(folded.sink.result())), [
    { stack: "sshd;f1", weight: 2 },
    { stack: "sshd;f1;f2", weight: 2 },
    { stack: "sshd;f1;f2;f3", weight: 1 },
  ]);
});

Deno.test("folded: a thread's name adds neither a frame nor a line", () => {
  const folded = working(FOLDED, { kind: "folded", weight: "calls" });
  folded.take([{ pid: 66, inside: insideOf([1, 0, 100]) }]);
  assert.equal(folded.sink.text(), "a:b\\x0a\\x1b[31m;f1 1\n");
});
