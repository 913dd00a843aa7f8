/**
 * Parses the errors of `deno doc --lint`. Pure.
 *
 * @module
 */

/** One error. */
export interface DocError {
  /** Relative to the checkout. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** Deno's name for it: `missing-jsdoc`, `private-type-ref`. */
  readonly code: string;
  /** The error's message. */
  readonly what: string;
}

/**
 * Parses the output of `deno doc --lint`.
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
/**
 * A constructor, a well-known method (`[Symbol.dispose]`), or a private one.
 */
const EVIDENT =
  /^\s+(?:private\s|(?:(?:async|static|override|public)\s+)*(?:\*?\[Symbol\.|constructor\b))/;

/**
 * Whether an error in the project's internal files counts: a missing comment on
 * something that its name alone does not explain.
 *
 * @param source the line that the error points to
 */
export function needsComment(error: DocError, source: string): boolean {
  return error.code === "missing-jsdoc" && !PROPERTY.test(source) &&
    !EVIDENT.test(source);
}
