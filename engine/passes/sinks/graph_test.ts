import assert from "node:assert/strict";
import { GRAPH } from "./graph.ts";
import { insideOf, said, working } from "./sink_fixture.ts";

Deno.test("graph: its description for plans and the compiler", () => {
  assert.deepEqual(said(GRAPH, { kind: "graph" }), ["graph()", ""]);
  assert.equal(GRAPH.asTheyCome, true);
  assert.equal(GRAPH.inside, true);
});

Deno.test("graph: calls with the calls inside them, and leaves on one line", () => {
  const graph = working(GRAPH, { kind: "graph" });
  const inside = insideOf([1, 0, 9000], [2, 1, 3000], [3, 2, NaN], [4, 1, 50]);
  graph.take([{ inside }, {}]);
  assert.deepEqual(
    graph.written.split("\n").map((line) => line.replace(/^.*\| {2}/, "")),
    [
      "row 0",
      "f1() {",
      "  f2() {",
      "    f3();",
      "  }",
      "  f4();",
      "}",
      "",
    ],
  );
  // A call is not drawn if nothing is known about what happened within it.
  assert.equal(graph.sink.result(), 1);
});
