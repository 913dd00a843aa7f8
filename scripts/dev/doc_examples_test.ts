import assert from "node:assert/strict";
import { withoutExample } from "./doc_examples.ts";
import { examplesIn } from "./examples.ts";

function declaration(kind: string, tags: string[], line = 4) {
  return {
    kind,
    location: { filename: "file:///lib/a.ts", line },
    jsDoc: { doc: "What it does.", tags: tags.map((kind) => ({ kind })) },
  };
}

function names(symbols: object, alike = /syscalls/): string[] {
  const json = JSON.stringify({
    version: 2,
    nodes: { "file:///lib/mod.ts": { symbols: [symbols] } },
  });
  return withoutExample(json, alike).map(({ name, line }) => `${name}:${line}`);
}

Deno.test("exports without an example are reported, except types", () => {
  const one = (kind: string, tags: string[] = []) =>
    names({ name: "it", declarations: [declaration(kind, tags)] });
  assert.deepEqual(one("function"), ["it:5"]);
  assert.deepEqual(one("class", ["throws"]), ["it:5"]);
  assert.deepEqual(one("variable"), ["it:5"]);
  assert.deepEqual(one("function", ["param", "example"]), []);
  assert.deepEqual(one("interface"), []);
  assert.deepEqual(one("typeAlias"), []);
});

Deno.test("one example is enough for all overloads", () => {
  const declarations = [
    declaration("function", ["example"]),
    declaration("function", []),
  ];
  assert.deepEqual(names({ name: "it", declarations }), []);
});

Deno.test("files whose exports are all alike need none", () => {
  const declarations = [declaration("variable", [])];
  assert.deepEqual(names({ name: "sys_read", declarations }, /a\.ts$/), []);
});

Deno.test("finds the examples in doc comments, and which of them run", () => {
  const text = `/**
 * What it does.
 *
 * @example
 * \`\`\`ts
 * one();
 *
 * two();
 * \`\`\`
 */
export function a() {}
/**
 * Live.
 *
 * @example
 * \`\`\`ts ignore
 * three();
 * \`\`\`
 */
`;
  assert.deepEqual(examplesIn("a.ts", text), [
    { path: "a.ts", line: 5, code: "one();\n\ntwo();\n", runs: true },
    { path: "a.ts", line: 16, code: "three();\n", runs: false },
  ]);
});
