import assert from "node:assert/strict";
import fc from "fast-check";
import {
  asksChildren,
  asksProcess,
  conjuncts,
  type Expression,
  expressionText,
  visitLeaves,
} from "./expression.ts";

const pid = (value: number): Expression => ({
  op: "compare",
  field: "pid",
  is: "eq",
  value,
});
const init: Expression = {
  op: "process",
  who: { match: "init*", children: true },
};

/** The fields that an expression names, in order. */
function fields(node: Expression): string[] {
  const found: string[] = [];
  visitLeaves(node, (leaf) => found.push(leaf.field));
  return found;
}

Deno.test("every condition can be written as text, with units", () => {
  const kind = (field: string) =>
    field === "ts" ? "time" : field === "length" ? "size" : undefined;
  const rows: readonly [Expression, string][] = [
    [{ op: "all", of: [] }, "true"],
    [{ op: "any", of: [] }, "false"],
    [
      { op: "not", of: { op: "any", of: [pid(1), pid(2)] } },
      "not (pid == 1 or pid == 2)",
    ],
    [{ op: "compare", field: "ts", is: "le", value: 5 }, "ts <= 5 ns"],
    [
      { op: "among", field: "length", values: [1, "a", 2n] },
      'length in 1 bytes, "a", 2 bytes',
    ],
    [{ op: "text", field: "comm", test: "glob", pattern: "s*" }, 'comm ~ "s*"'],
    [
      { op: "text", field: "comm", test: "endsWith", pattern: '"' },
      'comm endsWith "\\""',
    ],
    [{ op: "bits", field: "flags", mask: 0x18 }, "flags has 0x18"],
    [{ op: "foreign", field: "caller" }, "caller is foreign"],
    [init, 'process "init*" with children'],
    [{ op: "process", who: { match: 7, children: false } }, "process 7"],
  ];
  for (const [node, text] of rows) {
    assert.equal(expressionText(node, kind), text);
  }
});

/** An arbitrary expression of pids and processes. */
const expression: fc.Arbitrary<Expression> = fc.letrec<{ node: Expression }>(
  (tie) => ({
    node: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.nat(9).map(pid),
      fc.constant(init),
      fc.record({
        op: fc.constantFrom("all" as const, "any" as const),
        of: fc.array(tie("node"), { maxLength: 3 }),
      }),
      fc.record({ op: fc.constant("not" as const), of: tie("node") }),
    ),
  }),
).node;

/** Whether an expression holds for a pid, and for init or another process. */
function holds(node: Expression, value: number, ofInit: boolean): boolean {
  switch (node.op) {
    case "all":
      return node.of.every((each) => holds(each, value, ofInit));
    case "any":
      return node.of.some((each) => holds(each, value, ofInit));
    case "not":
      return !holds(node.of, value, ofInit);
    case "compare":
      return node.value === value;
    default:
      return ofInit;
  }
}

Deno.test("flattening nested ands does not change the meaning", () => {
  fc.assert(
    fc.property(expression, fc.nat(9), fc.boolean(), (node, value, ofInit) => {
      const parts = conjuncts(node);
      assert.ok(parts.every(({ op }) => op !== "all"));
      assert.equal(
        parts.every((part) => holds(part, value, ofInit)),
        holds(node, value, ofInit),
      );
      assert.deepEqual(parts.flatMap(fields), fields(node));
    }),
  );
});

Deno.test("conditions on processes are found at any depth", () => {
  fc.assert(fc.property(expression, (node) => {
    const asked = expressionText(node).includes("process");
    assert.equal(asksProcess(node), asked);
    assert.equal(asksChildren(node), asked);
  }));
  assert.equal(
    asksChildren({ op: "process", who: { match: 1, children: false } }),
    false,
  );
});
