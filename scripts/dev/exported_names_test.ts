import assert from "node:assert/strict";
import { doubleNames, isNamed } from "./exported_names.ts";

const names = (...texts: string[]) =>
  doubleNames(new Map(texts.map((text, i) => [`${i}.ts`, text])));

Deno.test("a name that two files declare is reported at its second place", () => {
  assert.deepEqual(
    names(
      "/** One. */\nexport class Reading {}\n",
      "\nexport interface Reading {}\nexport const other = 1;\n",
    ),
    [{
      path: "1.ts",
      line: 2,
      rule: "0.ts exports another Reading: a name means one thing",
    }],
  );
});

Deno.test("overloads, re-exports, private names and templates do not count", () => {
  assert.deepEqual(
    names(
      "export function f(a: 1): 1;\nexport function f(a: 2): 2;\n",
      'export { f } from "./0.ts";\nfunction g() {}\n',
      "export async function g() {}\nexport function* h() {}\n",
      'import { g } from "./0.ts";\nexport { g };\n',
      "// `x`\nconst text = `\nexport function h() {}\n`;\n",
    ),
    [],
  );
  for (
    const again of [
      "export type g = 1;",
      "export const enum g {}",
      "export namespace g {}",
      "function g() {}\nexport { g };",
      "const a = 1;\nexport {\n  a as g,\n  b,\n};",
      "// A ` by itself.\nexport const g = 1;",
    ]
  ) {
    assert.equal(names("export async function g() {}", again).length, 1, again);
  }
});

Deno.test("the rule does not apply to architectures and the lab", () => {
  assert.deepEqual(
    [
      "engine/arch/x86_64/image.ts",
      "engine/arch/arch.ts",
      "lab/host/run.ts",
      "scripts/cli/target.ts",
      "mod.ts",
    ].map(isNamed),
    [false, true, false, true, true],
  );
});
