import assert from "node:assert/strict";
import { ROOT } from "../../detect/flow/call_flow.ts";
import { flow, GOOD, HOOKED } from "../../detect/flow/flow_fixture.ts";
import { flowDiffText } from "./findings_flow.ts";

Deno.test("two flows are drawn side by side, with differences marked", () => {
  const { text, differences } = flowDiffText(
    flow(1, GOOD),
    flow(1, HOOKED),
    { width: 14 },
  );
  assert.equal(
    text,
    [
      "sys()            sys()",
      "               >   evil()",
      "               >     open()",
      "               >       walk()",
      "  open() ...   <",
      "",
    ].join("\n"),
  );
  assert.equal(differences, 4);
});

Deno.test("what is too deep to be shown, or below no root, differs all the same", () => {
  const deep = (last: string) =>
    flow(1, { [ROOT]: ["a"], a: ["b"], b: ["c"], c: [last] });
  const shallow = flowDiffText(deep("d"), deep("evil"), { depth: 2 });
  assert.doesNotMatch(shallow.text, /evil/);
  assert.deepEqual([shallow.differences, shallow.hidden], [2, 2]);
  const whole = flowDiffText(deep("d"), deep("evil"));
  assert.deepEqual([whole.differences, whole.hidden], [2, 0]);
  // Without a way from a root, and with one that was named.
  const alone = flowDiffText(flow(1, { x: ["y"] }), flow(1, { x: ["z"] }));
  assert.deepEqual([alone.text, alone.differences], ["", 2]);
  const named = flowDiffText(deep("d"), deep("evil"), { root: "c" });
  assert.equal(named.differences, 2);
  const equal = flowDiffText(deep("d"), deep("d"), { depth: 1 });
  assert.deepEqual([equal.differences, equal.hidden], [0, 0]);
});
