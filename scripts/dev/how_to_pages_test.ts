import assert from "node:assert/strict";
import { dirname } from "node:path";
import { CHECKOUT, filesBelow, readText } from "./files.ts";
import {
  exampleCode,
  isMissingPath,
  missingWord,
  namedThings,
  placed,
  wordsOf,
} from "./how_to_pages_fixture.ts";
import { isCode } from "./rules.ts";

const FILES = filesBelow();
const TESTDATA = "testdata/guest-6.1.core.zst";
const PAGES = FILES.filter((path) => /^docs\/.*\.md$|^[A-Z]+\.md$/.test(path));
/** The pages that lead through a change. */
const HOW_TO = PAGES.filter((path) => path.startsWith("docs/adding_"));

Deno.test("code goes where the line above it says, a diff where it fits", () => {
  const page = [
    "1. `engine/new.ts`, as `engine/old.ts`:",
    "",
    "   ```ts",
    "   const a = 1;",
    "     indented",
    "   ```",
    "",
    "   See `engine/old.ts`.",
    "2. `engine/old.ts`",
    "",
    "   ````diff",
    "    kept",
    "   -gone",
    "   +```ts",
    "",
    "   ````",
    "",
    "   ```sh",
    "   deno task ok",
    "   ```",
    "3. `engine/arch/NAME/mod.ts`",
    "   ```ts",
    "   no place",
    "   ```",
  ].join("\n");
  const [made, changed, ...others] = exampleCode(page);
  assert.deepEqual(others, []);
  assert.deepEqual(made, {
    line: 3,
    language: "ts",
    path: "engine/new.ts",
    text: "const a = 1;\n  indented\n",
  });
  assert.equal(placed(made, undefined), made.text);
  assert.throws(() => placed(made, ""), /new\.ts is there already/);
  assert.equal(changed.path, "engine/old.ts");
  assert.equal(placed(changed, "kept\ngone\n\n"), "kept\n```ts\n\n");
  assert.equal(
    placed(changed, "a\nkept\ngone\n\nb\n"),
    "a\nkept\n```ts\n\nb\n",
  );
  assert.throws(() => placed(changed, "unkept\ngone\n\n"), /old\.ts has none/);
  assert.throws(
    () => placed(changed, "kept\ngone\n\nkept\ngone\n\n"),
    /has more than one of what is changed:\nkept\ngone\n/,
  );
  assert.throws(() => placed(changed, undefined), /there is no engine\/old/);
});

Deno.test("what a page names: paths of this checkout, words of its code", () => {
  const page = "`a\nb` and\n```sh\n`c`\n```\n`d()`";
  assert.deepEqual(namedThings(page), [
    { line: 1, name: "a b" },
    { line: 6, name: "d()" },
  ]);
  const files = ["engine/a/b_test.ts", "engine/a/c.ts", "docs/x.md"];
  for (
    const name of [
      "engine/a/c.ts",
      "engine/a/",
      "engine/a",
      "engine/*/c.ts",
      "engine/NAME/c.ts",
      "c.ts",
      "a/c.ts",
      "kernel/fork.c",
      "mm->pgd",
      "word",
    ]
  ) assert.equal(isMissingPath(name, files), false, name);
  for (
    const name of [
      "engine/a/d.ts",
      "engine/b/",
      "engine/ab/",
      "engine/NAME/d.ts",
      "d.ts",
      "engine/a/c.t",
      "test.ts",
    ]
  ) assert.equal(isMissingPath(name, files), true, name);
  const words = wordsOf("report.part(() => $has)");
  assert.equal(missingWord("report.part(what)", words), undefined);
  assert.equal(missingWord("$has", words), undefined);
  assert.equal(missingWord("two words", words), undefined);
  assert.equal(missingWord("report.parts()", words), "parts");
});

Deno.test("the files and folders that pages name are there", () => {
  const files = [...FILES, TESTDATA, ...HOW_TO.flatMap(pathsMade)];
  const missing = PAGES.flatMap((page) =>
    namedThings(readText(page)).filter(({ name }) => isMissingPath(name, files))
      .map(({ line, name }) => `${page}:${line}: there is no ${name}`)
  );
  assert.deepEqual(missing, []);
});

Deno.test("the pages that lead through a change name words of the code", () => {
  const words = new Set(
    FILES.filter((path) => isCode(path) || /\.[ch]$/.test(path))
      .flatMap((path) => [...wordsOf(readText(path))]),
  );
  for (const page of HOW_TO) {
    for (const { text } of exampleCode(readText(page))) {
      for (const word of wordsOf(text)) words.add(word);
    }
  }
  const missing = HOW_TO.flatMap((page) =>
    namedThings(readText(page)).map(({ line, name }) => ({
      line,
      word: missingWord(name, words),
    })).filter(({ word }) => word !== undefined)
      .map(({ line, word }) => `${page}:${line}: no code has the word ${word}`)
  );
  assert.deepEqual(missing, []);
});

Deno.test("the pages' examples work when they are put in their places", async (t) => {
  const copy = await Deno.makeTempDir({ prefix: "xftrace-how-to-" });
  try {
    for (const path of FILES) {
      await Deno.mkdir(dirname(`${copy}/${path}`), { recursive: true });
      await Deno.copyFile(`${CHECKOUT}/${path}`, `${copy}/${path}`);
    }
    await Deno.symlink(`${CHECKOUT}/testdata`, `${copy}/testdata`);
    const touched = new Set<string>();
    for (const page of HOW_TO) {
      for (const code of exampleCode(readText(page))) {
        const { line, path } = code;
        try {
          const before = touched.has(path) || FILES.includes(path)
            ? await Deno.readTextFile(`${copy}/${path}`)
            : undefined;
          await Deno.writeTextFile(`${copy}/${path}`, placed(code, before));
        } catch (error) {
          throw new Error(`${page}:${line}`, { cause: error });
        }
        touched.add(path);
      }
    }
    const code = [...touched].filter(isCode);
    const step = (title: string, ...args: string[]) =>
      t.step(title, () => deno(copy, args));
    await step("the declarations are generated again", "task", "names");
    await step("fmt", "fmt", ...touched);
    await step("lint", "lint", ...code);
    await step("check", "check", ...code);
    await step("layering", "run", "-A", "scripts/dev/layering.ts");
    await step(
      "test",
      "test",
      "--no-check",
      "-A",
      ...code.filter((path) =>
        /_test\.ts$/.test(path) && !path.startsWith("tests/live/")
      ),
    );
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
});

function pathsMade(page: string): string[] {
  return exampleCode(readText(page)).map(({ path }) => path);
}

/** Runs deno in a folder; what it says when it fails is the error. */
async function deno(folder: string, args: readonly string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stdout) +
    new TextDecoder().decode(stderr);
  assert.ok(success, `deno ${args.join(" ")}:\n${said}`);
}
