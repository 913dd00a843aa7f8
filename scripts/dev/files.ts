/**
 * Lists and reads the files of the checkout, for the checks.
 *
 * @module
 */

/**
 * Names of folders without hand-written files; `.git` is a file in a worktree.
 */
const SKIPPED = new Set(["node_modules", ".git", ".cache", "dist", "testdata"]);

/** The checkout's folder, as a path without a trailing slash. */
export const CHECKOUT = new URL("../..", import.meta.url).pathname.slice(0, -1);

/**
 * Paths of all files below `folder`, relative to the checkout, sorted; empty if
 * there is no such folder.
 *
 * @param folder relative to the checkout; default: the whole checkout
 */
export function filesBelow(folder = ""): string[] {
  const found: string[] = [];
  const visit = (at: string) => {
    for (const entry of entries(at)) {
      if (SKIPPED.has(entry.name)) continue;
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory) visit(path);
      else if (entry.isFile) found.push(path);
    }
  };
  visit(folder);
  return found.sort();
}

function entries(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(`${CHECKOUT}/${folder}`)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Reads a file of the checkout. */
export function readText(path: string): string {
  return Deno.readTextFileSync(`${CHECKOUT}/${path}`);
}
