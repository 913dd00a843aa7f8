import assert from "node:assert/strict";
import { ROOT } from "../../detect/flow/call_flow.ts";
import { flow, GOOD, HOOKED } from "../../detect/flow/flow_fixture.ts";
import { flowDiffPage, flowDiffText } from "./findings_flow.ts";

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

Deno.test("a page about two flows marks differences, and says what it does not show", () => {
  const page = (options = {}, unread = false) => {
    const names = ["good", "core:x"] as const;
    const flows = [flow(1, GOOD), flow(1, HOOKED)] as const;
    return flowDiffPage(...flows, names, options, unread);
  };
  const { verdict, tables } = page();
  assert.deepEqual(verdict, { kind: "bad", text: "4 calls differ" });
  assert.deepEqual(tables?.[0].rows.slice(0, 2), [
    ["sys()", " ", "sys()"],
    ["", ">", "\u00a0\u00a0evil()"],
  ]);
  assert.deepEqual(tables?.[0].bad, [1, 2, 3, 4]);
  const shallow = page({ depth: 1 });
  assert.equal(shallow.verdict?.kind, "bad");
  assert.match(
    shallow.facts.find(([name]) => name.startsWith("Differences"))?.[1] ?? "",
    /^\d+, deeper or elsewhere$/,
  );
  const same = (unread: boolean) =>
    flowDiffPage(flow(1, GOOD), flow(1, GOOD), ["a", "b"], {}, unread).verdict
      ?.kind;
  assert.deepEqual([same(false), same(true)], ["good", "unknown"]);
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
