/**
 * Fails when something public has no doc comment, or no example.
 *
 * The library's surface is what the entries in deno.json export. Everything
 * that a file exports, there or in internal files, needs a comment if it is a
 * declaration or a method; properties of an interface do not. Functions,
 * classes and constants of the surface need an example; types do not.
 *
 * @module
 */
import { z } from "zod";
import { withoutExample } from "./doc_examples.ts";
import { CHECKOUT, filesBelow, readText } from "./files.ts";
import { type DocError, needsComment, parseDocLint } from "./doc_errors.ts";
import { isCode, isForTests } from "./rules.ts";

const INSIDE = ["engine", "ffi", "dsl", "lab"];

const inside = INSIDE.flatMap((folder) => filesBelow(folder))
  .filter((path) => isCode(path) && !isForTests(path));
const Config = z.object({ exports: z.record(z.string(), z.string()) });
const surface = Object.values(
  Config.parse(JSON.parse(readText("deno.json"))).exports,
).map((path) => path.replace(/^\.\//, ""));
/** Names of system calls: one example serves for all. */
const ALIKE = /\/dsl\/names\/syscalls\.ts$/;

const errors: DocError[] = [...await lint(surface), ...await lint(inside)]
  .filter((error) =>
    needsComment(error, readText(error.path).split("\n")[error.line - 1] ?? "")
  );
const lines = new Set(
  errors.map(({ path, line, what }) => `${path}:${line}: ${what}`),
);
for (const { name, file, line } of withoutExample(await documented(), ALIKE)) {
  const path = file.replace(`file://${CHECKOUT}/`, "");
  lines.add(`${path}:${line}: ${name} has no @example`);
}
for (const line of lines) console.error(line);
if (lines.size > 0) {
  console.error(`doc lint: ${lines.size} places`);
  Deno.exit(1);
}
console.log(`doc lint: ${inside.length + surface.length} files, all described`);

/** Deno's documentation of the surface, as JSON. */
async function documented(): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...surface],
    cwd: CHECKOUT,
    env: { NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`deno doc: ${new TextDecoder().decode(stderr).trim()}`);
}

async function lint(paths: readonly string[]): Promise<DocError[]> {
  if (paths.length === 0) return [];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", ...paths],
    cwd: CHECKOUT,
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  const text = new TextDecoder().decode(stderr);
  const found = parseDocLint(text, CHECKOUT);
  if (!success && found.length === 0) {
    console.error(`doc lint: the code could not be read:\n${text.trim()}`);
    Deno.exit(1);
  }
  return found;
}
