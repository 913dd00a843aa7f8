import assert from "node:assert/strict";
import { CHECKOUT } from "./files.ts";
import { importsOf, parseGraph } from "./imports.ts";

Deno.test("every kind of import is found, with its line", () => {
  const at = (specifier: string, line: number) => ({
    specifier,
    span: { start: { line, character: 0 }, end: { line, character: 9 } },
  });
  const url = (path: string) => new URL(`file://${CHECKOUT}/${path}`).href;
  const graph = JSON.stringify({
    modules: [
      {
        specifier: url("engine/a.ts"),
        dependencies: [
          { specifier: "./b.ts", code: at(url("engine/b.ts"), 0) },
          { specifier: "./c.ts", type: at(url("engine/c.ts"), 1) },
          { specifier: "zod", code: at("npm:zod@4.6.7", 2), isDynamic: true },
        ],
      },
      {
        specifier: "file:///elsewhere.ts",
        dependencies: [{ specifier: "x", code: at("node:fs", 0) }],
      },
    ],
  });
  assert.deepEqual(parseGraph(graph, new Set(["engine/a.ts"])), [
    { from: "engine/a.ts", line: 1, specifier: "./b.ts", to: "engine/b.ts" },
    { from: "engine/a.ts", line: 2, specifier: "./c.ts", to: "engine/c.ts" },
    { from: "engine/a.ts", line: 3, specifier: "zod", to: "npm:zod@4.6.7" },
  ]);
});

Deno.test("lists imports of this checkout", async () => {
  const found = await importsOf(["scripts/dev/imports.ts"]);
  assert.deepEqual(found.map(({ specifier, to }) => [specifier, to]), [
    ["zod", found[0].to],
    ["./files.ts", "scripts/dev/files.ts"],
    ["./rules.ts", "scripts/dev/rules.ts"],
  ]);
  assert.match(found[0].to, /^npm:zod@/);
});
