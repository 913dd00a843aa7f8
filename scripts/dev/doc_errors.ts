/**
 * What `deno doc --lint` complains about. Pure.
 *
 * @module
 */

/** One complaint. */
export interface DocError {
  /** Relative to the checkout. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** Deno's name for it: `missing-jsdoc`, `private-type-ref`. */
  readonly code: string;
  /** The complaint as a sentence. */
  readonly what: string;
}

/**
 * Reads what `deno doc --lint` prints.
 *
 * @param root the checkout's folder, which is cut off the paths
 */
export function parseDocLint(text: string, root: string): DocError[] {
  const found: DocError[] = [];
  const pattern = /^error\[([\w-]+)\]: (.*)\n\s*--> (.+):(\d+):\d+$/gm;
  for (const [, code, what, file, line] of text.matchAll(pattern)) {
    const path = file.replace(/^file:\/\//, "");
    found.push({
      path: path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path,
      line: Number(line),
      code,
      what,
    });
  }
  return found;
}

/** A property: `readonly name?: type`, `name = value`. */
const PROPERTY =
  /^\s+(?:(?:public|protected|readonly|static|override|declare|accessor)\s+)*(?:[\w$]+|"[^"]*")[?!]?\s*(?:[:=;]|$)/;
/** A constructor, a method that all objects share, or a private one. */
const EVIDENT =
  /^\s+(?:private\s|(?:(?:async|static|override|public)\s+)*(?:\*?\[Symbol\.|constructor\b))/;

/**
 * Whether a complaint about the project's inside counts: one about a missing
 * comment, on something that its name alone does not explain.
 *
 * @param source the line it points to
 */
export function needsComment(error: DocError, source: string): boolean {
  return error.code === "missing-jsdoc" && !PROPERTY.test(source) &&
    !EVIDENT.test(source);
}
