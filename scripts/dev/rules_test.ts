import assert from "node:assert/strict";
import {
  brokenByEntry,
  brokenByImport,
  brokenByInside,
  brokenByLayer,
  brokenByText,
  type Import,
  isLong,
  unpinned,
} from "./rules.ts";

function imports(
  from: string,
  to: string,
  specifier: Import["specifier"] = `./${to}`,
): string | undefined {
  return brokenByImport({ from, to, specifier });
}

function textRules(path: string, text: string): string[] {
  return brokenByText(path, text).map(({ line, rule }) => `${line} ${rule}`);
}

const HEAD = "/**\n * What it is for.\n *\n * @module\n */\n";

Deno.test("dependencies point downwards", () => {
  for (
    const [from, to] of [
      ["scripts/xftrace.ts", "mod.ts"],
      ["scripts/xftrace.ts", "ffi/attach.ts"],
      ["scripts/lab.ts", "lab/mod.ts"],
      ["mod.ts", "dsl/trace.ts"],
      ["mod.ts", "engine/base/errors.ts"],
      ["dsl/trace.ts", "engine/base/errors.ts"],
      ["ffi/libc.ts", "engine/base/errors.ts"],
      ["engine/a_test.ts", "engine/a_fixture.ts"],
      ["tests/live/report_test.ts", "lab/mod.ts"],
    ]
  ) assert.equal(imports(from, to), undefined, `${from} -> ${to}`);
});

Deno.test("dependencies that point upwards are reported", () => {
  for (
    const [from, to] of [
      ["engine/a.ts", "ffi/libc.ts"],
      ["engine/a.ts", "dsl/trace.ts"],
      ["engine/a.ts", "mod.ts"],
      ["engine/a.ts", "scripts/xftrace.ts"],
      ["engine/a.ts", "lab/mod.ts"],
      ["engine/a_test.ts", "tests/helper.ts"],
      ["engine/a_test.ts", "lab/mod.ts"],
      ["mod.ts", "ffi/attach.ts"],
      ["mod.ts", "scripts/xftrace.ts"],
      ["dsl/trace.ts", "mod.ts"],
      ["dsl/trace.ts", "ffi/libc.ts"],
      ["ffi/libc.ts", "dsl/trace.ts"],
      ["lab/mod.ts", "engine/base/errors.ts"],
      ["lab/mod.ts", "ffi/libc.ts"],
      ["scripts/xftrace.ts", "tests/helper.ts"],
    ]
  ) {
    const rule = imports(from, to);
    assert.match(rule ?? "none", /must not depend on/, `${from} -> ${to}`);
  }
});

Deno.test("commands use what the library exports", () => {
  const exported = new Set(["mod.ts", "engine/kernel/mod.ts"]);
  const broken = (from: string, to: string) =>
    brokenByInside({ from, to }, exported);
  const inside = /is inside the library/;
  assert.match(broken("scripts/cli/a.ts", "engine/base/hex.ts") ?? "", inside);
  assert.match(broken("scripts/cli/a.ts", "ffi/attach.ts") ?? "", inside);
  for (
    const [from, to] of [
      ["scripts/cli/a.ts", "mod.ts"],
      ["scripts/cli/a.ts", "engine/kernel/mod.ts"],
      ["scripts/cli/a.ts", "scripts/cli/b.ts"],
      ["scripts/lab.ts", "lab/mod.ts"],
      ["scripts/cli/a.ts", "npm:zod@4.6.7"],
      ["scripts/cli/a_test.ts", "engine/base/hex.ts"],
      ["tests/live/a_test.ts", "engine/base/hex.ts"],
    ]
  ) assert.equal(broken(from, to), undefined, `${from} -> ${to}`);
});

Deno.test("an entry of the library only re-exports", () => {
  const entry = `${HEAD}// Why.
export * from "./a.ts";
export type { A } from "./b.ts";
export {
  b,
  type C,
} from "./c.ts";
`;
  assert.equal(brokenByEntry(entry), undefined);
  assert.match(brokenByEntry(`${entry}const x = 1;`) ?? "", /only re-exports/);
});

Deno.test("tests are not imported, fixtures only by tests", () => {
  assert.match(imports("engine/a.ts", "engine/b_test.ts") ?? "", /is a test/);
  assert.match(
    imports("engine/a.ts", "engine/b_fixture.ts") ?? "",
    /for tests alone/,
  );
});

Deno.test("a folder that is not a layer is reported", () => {
  assert.match(brokenByLayer("tools/a.ts") ?? "", /is no layer/);
  assert.match(brokenByLayer("a.ts") ?? "", /is no layer/);
  assert.equal(brokenByLayer("mod.ts"), undefined);
  assert.match(
    imports("util/a.ts", "engine/base/errors.ts") ?? "",
    /is no layer/,
  );
});

Deno.test("deno.json is not imported: the npm package lacks it", () => {
  assert.match(imports("engine/base/version.ts", "deno.json") ?? "", /package/);
});

Deno.test("packages come from npm, by a pinned name of the import map", () => {
  assert.equal(imports("engine/a.ts", "node:fs", "node:fs"), undefined);
  assert.equal(imports("engine/a.ts", "npm:zod@4.6.7", "zod"), undefined);
  assert.match(
    imports("engine/a.ts", "npm:zod@4.6.7", "npm:zod@4.6.7") ?? "",
    /import map/,
  );
  assert.match(
    imports("engine/a.ts", "https://example.org/a.ts") ?? "",
    /elsewhere than npm/,
  );
  assert.match(imports("engine/a.ts", "jsr:@std/fs") ?? "", /elsewhere/);
  assert.match(
    imports("engine/a.ts", "npm:commander@15.1.0", "commander") ?? "",
    /for scripts\/ alone/,
  );
  assert.deepEqual(
    unpinned({
      a: "npm:a@1.2.3",
      b: "npm:@s/b@1.2.3-beta.1/sub",
      c: "npm:c@^1.2.3",
      d: "npm:d",
      e: "./e.ts",
    }),
    ["c (npm:c@^1.2.3)", "d (npm:d)"],
  );
});

Deno.test("native calls occur in ffi only, comments excepted", () => {
  const call = "const lib = Deno.dl" + 'open("libc.so.6", {});\n';
  const view = "const { Unsafe" + "PointerView: V } = Deno;\n";
  assert.deepEqual(textRules("ffi/libc.ts", HEAD + call + view), []);
  assert.deepEqual(textRules("engine/a.ts", HEAD + call + view), [
    "6 dl" + "open may be named in ffi/ alone",
    "7 Unsafe" + "PointerView may be named in ffi/ alone",
  ]);
  assert.deepEqual(
    textRules(
      "engine/a.ts",
      HEAD + "/**\n * not Deno.dl" + "open\n */\nf(); // dl" + "open\n",
    ),
    [],
  );
});

Deno.test("import() of a computed name is reported", () => {
  const code = HEAD + "await import(name);\nawait import(`./${name}.ts`);\n";
  assert.equal(textRules("engine/a.ts", code).length, 2);
  assert.deepEqual(textRules("scripts/run.ts", code), []);
  assert.deepEqual(
    textRules("dsl/a.ts", HEAD + 'await import(\n  "./b.ts");\nimport("./c");'),
    [],
  );
  for (const name of ["\n  name,\n", '"./" + name', '"./b.ts" as string']) {
    assert.deepEqual(
      textRules("dsl/a.ts", `${HEAD}\nawait import(${name});\n`),
      ["7 import() must name its module in a plain string"],
      name,
    );
  }
});

Deno.test("files of code that are named instead of imported are reported", () => {
  for (
    const code of [
      'new Worker(new URL("../kernel/b.ts", import.meta.url));',
      'require("./b.js");',
      "const path = `./${name}.ts`;",
    ]
  ) assert.equal(textRules("engine/a.ts", HEAD + code).length, 1, code);
  for (
    const code of [
      'import { b } from "./b.ts";\nexport * from "./c.ts";\nimport "./d.ts";',
      '// As "./b.ts" does.',
      'const ending = ".ts";',
    ]
  ) assert.deepEqual(textRules("engine/a.ts", HEAD + code), [], code);
  const inside = 'const path = "../../engine/base/" + name;\n';
  assert.equal(textRules("scripts/cli/a.ts", inside).length, 1);
  assert.deepEqual(textRules("scripts/cli/a_test.ts", inside), []);
  assert.deepEqual(textRules("scripts/a.ts", 'start("./xftrace.ts");'), []);
});

Deno.test("a file begins with a @module comment", () => {
  for (const text of ["", "const a = 1;\n", "/** No tag. */\n", "// @module"]) {
    assert.equal(textRules("engine/a.ts", text).length, 1, text);
  }
  assert.deepEqual(textRules("engine/a.ts", HEAD), []);
  assert.deepEqual(textRules("engine/a_test.ts", ""), []);
  assert.deepEqual(textRules("scripts/a.ts", ""), []);
});

Deno.test("silenced checks are reported", () => {
  for (const what of ["deno-lint-" + "ignore no-x", "@ts-" + "ignore"]) {
    assert.equal(textRules("scripts/a.ts", `// ${what}\n`).length, 1, what);
  }
  const expected = "// @ts-expect-" + "error: a wrong field\n";
  assert.deepEqual(textRules("tests/types/a.ts", expected), []);
  assert.equal(textRules("scripts/a.ts", expected).length, 1);
});

Deno.test("only the files that escape control characters write to the terminal", () => {
  const say = 'console.log("a");\nDeno.stderr.writeSync(bytes);\n';
  assert.equal(textRules("scripts/cli/commands/a.ts", say).length, 2);
  assert.equal(textRules("engine/a.ts", HEAD + say).length, 2);
  assert.equal(textRules("dsl/a.ts", HEAD + "print(Deno.stdout);\n").length, 1);
  for (
    const path of [
      "scripts/cli/terminal.ts",
      "scripts/dev/a.ts",
      "scripts/cli/a_test.ts",
      "tests/live/a_test.ts",
    ]
  ) assert.deepEqual(textRules(path, say), [], path);
  const asks = "const shown = Deno.stdout.isTerminal();\n";
  assert.deepEqual(textRules("scripts/cli/a.ts", asks), []);
});

Deno.test("absolute paths of one machine are reported", () => {
  for (const folder of ["work", "home", "root"]) {
    assert.deepEqual(textRules("docs/a.md", `in /${folder}/x`), [
      `1 a path of one machine: /${folder}/`,
    ]);
    for (const before of ["a", "$" + "{base}", "$(pwd)", "*"]) {
      assert.deepEqual(textRules("docs/a.md", `${before}/${folder}/x`), []);
    }
  }
});

Deno.test("names of mirrors and registries are reported", () => {
  for (const name of ["deb.debian", "security.debian", "ftp.de.debian"]) {
    assert.equal(textRules(".ci/run", `https://${name}.org/x`).length, 1, name);
  }
  assert.equal(textRules("a.md", "registry.npmjs" + ".org").length, 1);
  assert.deepEqual(textRules("a.md", "https://www.debian.org/"), []);
});

Deno.test("a file with more than 600 lines is long", () => {
  assert.equal(isLong("x\n".repeat(600)), false);
  assert.equal(isLong("x\n".repeat(601)), true);
});
