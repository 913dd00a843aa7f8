/**
 * Fails when something public has no doc comment.
 *
 * The library's own surface is `mod.ts`, `live.ts` and all that they export; inside, all
 * that a file exports. Declarations and methods need a comment; the properties
 * of an interface may speak by their names.
 *
 * @module
 */
import { CHECKOUT, filesBelow, readText } from "./files.ts";
import { type DocError, needsComment, parseDocLint } from "./doc_errors.ts";
import { isCode, isForTests } from "./rules.ts";

const INSIDE = ["engine", "ffi", "dsl", "lab"];

const inside = INSIDE.flatMap((folder) => filesBelow(folder))
  .filter((path) => isCode(path) && !isForTests(path));
const surface = filesBelow().filter((path) =>
  path === "mod.ts" || path === "live.ts"
);

const errors: DocError[] = [...await lint(surface), ...await lint(inside)]
  .filter((error) =>
    needsComment(error, readText(error.path).split("\n")[error.line - 1] ?? "")
  );
const lines = new Set(
  errors.map(({ path, line, what }) => `${path}:${line}: ${what}`),
);
for (const line of lines) console.error(line);
if (lines.size > 0) {
  console.error(`doc lint: ${lines.size} places`);
  Deno.exit(1);
}
console.log(`doc lint: ${inside.length + surface.length} files, all described`);

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
