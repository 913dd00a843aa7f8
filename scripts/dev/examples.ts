/**
 * Compiles the examples in doc comments that the tests do not run, since they
 * need a running guest or other files (`ts ignore`). `deno test --doc` runs the
 * others.
 *
 * @module
 */
import { join } from "node:path";
import { CHECKOUT, filesBelow, readText } from "./files.ts";
import { isCode, isForTests } from "./rules.ts";

/** An example in a doc comment. */
export interface Example {
  /** Relative to the checkout. */
  readonly path: string;
  /** Line of the block's fence, from 1. */
  readonly line: number;
  readonly code: string;
  /** Whether the tests run it. */
  readonly runs: boolean;
}

const BLOCK = /^ *\* ```ts( ignore)?\n((?: *\*.*\n)*?) *\* ```$/gm;

/** The examples in the doc comments of a file. */
export function examplesIn(path: string, text: string): Example[] {
  return [...text.matchAll(BLOCK)].map((match) => ({
    path,
    line: text.slice(0, match.index).split("\n").length,
    code: match[2].replace(/^ *\* ?/gm, ""),
    runs: match[1] === undefined,
  }));
}

/** Files with examples, relative to the checkout. */
export function filesWithExamples(): string[] {
  return filesBelow().filter((path) =>
    /^(?:engine|dsl|ffi|live\.ts|mod\.ts)/.test(path) && isCode(path) &&
    !isForTests(path) && examplesIn(path, readText(path)).length > 0
  );
}

/**
 * Compiles examples. @returns the compiler's errors; empty when there are none.
 */
async function checkExamples(examples: readonly Example[]): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "xftrace-examples-" });
  try {
    const files: string[] = [];
    for (const { path, line, code } of examples) {
      const name = `${path.replace(/\W/g, "_")}_${line}.ts`;
      files.push(join(folder, name));
      await Deno.writeTextFile(join(folder, name), `${code}export {};\n`);
    }
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", "--config", "deno.json", ...files],
      cwd: CHECKOUT,
      env: { NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).output();
    return success ? "" : new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const all = filesWithExamples().flatMap((path) =>
    examplesIn(path, readText(path))
  );
  const compiled = all.filter(({ runs }) => !runs);
  const wrong = await checkExamples(compiled);
  if (wrong !== "") {
    console.error(wrong);
    Deno.exit(1);
  }
  console.log(
    `examples: ${compiled.length} compile, ${
      all.length - compiled.length
    } are run by the tests`,
  );
}
