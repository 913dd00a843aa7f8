import assert from "node:assert/strict";
import { expressionText } from "../engine/query/expression.ts";
import { comm, duration, field, not, process } from "./mod.ts";

Deno.test("conditions as text", () => {
  const kind = (name: string) => name === "duration" ? "duration" : undefined;
  const text = (c: { node: Parameters<typeof expressionText>[0] }) =>
    expressionText(c.node, kind);
  assert.equal(
    text(duration.gt("1ms").and(comm.glob("ssh*").or(not(comm.eq("a"))))),
    'duration > 1000000 ns and (comm ~ "ssh*" or not comm == "a")',
  );
  assert.equal(text(field("x").has(0x40)), "x has 0x40");
  assert.equal(text(field("x").in(1, 2)), "x in 1, 2");
  assert.equal(
    text(process("ssh*").withChildren()),
    'process "ssh*" with children',
  );
});
