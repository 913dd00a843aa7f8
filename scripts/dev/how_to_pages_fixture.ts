/**
 * The pages that lead through a change, docs/adding_*.md: what they name, and
 * the code of their examples, put in its place. Pure.
 *
 * A line that begins with a path in backticks says where the code below it
 * goes. A `diff` changes a file that is there: what it leaves and takes away
 * stands in the file, once. Any other code is a new file. A path with a part in
 * capitals (`engine/arch/NAME/mod.ts`) is no place.
 *
 * @module
 */

/** Code of an example, with the file it is for. */
export interface ExampleCode {
  /** Line of its fence in the page, from 1. */
  readonly line: number;
  /** `ts`, `diff`, `c`. */
  readonly language: string;
  /** Relative to the checkout. */
  readonly path: string;
  readonly text: string;
}

/** Something in backticks. */
export interface NamedThing {
  /** From 1. */
  readonly line: number;
  readonly name: string;
}

const PLACE = /^\s*(?:(?:\d+\.|-) )?`((?:[\w.-]+\/)*[\w.-]+\.\w+)`/;
const FENCE = /^(\s*)(`{3,})(\w*)$/;
const CAPITALS = /(?:^|\/)[A-Z]{2,}(?=\/|$)/;
/** What a reader types or runs, and what goes into no file. */
const SHELL = new Set(["sh", ""]);

/** A page in its parts: lines outside of code, and blocks of code. */
function parts(page: string): {
  prose: { line: number; text: string }[];
  blocks: { line: number; language: string; text: string; above: number }[];
} {
  const prose: { line: number; text: string }[] = [];
  const blocks = [];
  let open:
    | {
      line: number;
      language: string;
      indent: string;
      ticks: string;
      text: string;
    }
    | undefined;
  for (const [i, text] of page.split("\n").entries()) {
    const fence = FENCE.exec(text);
    if (open === undefined && fence !== null) {
      const [, indent, ticks, language] = fence;
      open = { line: i + 1, language, indent, ticks, text: "" };
    } else if (open !== undefined && fence?.[2] === open.ticks) {
      const { line, language, text } = open;
      blocks.push({ line, language, text, above: prose.length });
      open = undefined;
    } else if (open !== undefined) {
      open.text += `${
        text.startsWith(open.indent) ? text.slice(open.indent.length) : text
      }\n`;
    } else prose.push({ line: i + 1, text });
  }
  return { prose, blocks };
}

/** The code of a page's examples that goes into files, in its order. */
export function exampleCode(page: string): ExampleCode[] {
  const { prose, blocks } = parts(page);
  return blocks.flatMap(({ line, language, text, above }) => {
    const path = prose.slice(0, above)
      .map(({ text }) => PLACE.exec(text)?.[1])
      .findLast((path) => path !== undefined);
    return SHELL.has(language) || path === undefined || CAPITALS.test(path)
      ? []
      : [{ line, language, path, text }];
  });
}

/** All that a page names in backticks, outside of its code. */
export function namedThings(page: string): NamedThing[] {
  const { prose } = parts(page);
  // A name may be broken over two lines.
  const whole = prose.map(({ text }) => text).join("\n");
  return [...whole.matchAll(/`([^`]+)`/g)].map(({ index, 1: name }) => ({
    line: prose[whole.slice(0, index).split("\n").length - 1].line,
    name: name.replace(/\s*\n\s*/g, " "),
  }));
}

/**
 * A file's text after an example's code was put in.
 *
 * @param before `undefined`: there is no such file
 * @throws {Error} when the code does not fit.
 */
export function placed(
  { language, path, text }: ExampleCode,
  before: string | undefined,
): string {
  if (language !== "diff") {
    if (before === undefined) return text;
    throw new Error(`${path} is there already: show what is changed in it`);
  }
  if (before === undefined) throw new Error(`there is no ${path} to change`);
  const lines = text.replace(/\n$/, "").split("\n");
  const side = (sign: "+" | "-") =>
    lines.filter((line) => !line.startsWith(sign === "+" ? "-" : "+"))
      .map((line) => `${line.slice(1)}\n`).join("");
  const [from, to] = [side("-"), side("+")];
  const at = `\n${before}`.indexOf(`\n${from}`);
  if (at < 0 || `\n${before}`.indexOf(`\n${from}`, at + 1) >= 0) {
    throw new Error(
      `${path} has ${
        at < 0 ? "none" : "more than one"
      } of what is changed:\n${from}`,
    );
  }
  return before.slice(0, at) + to + before.slice(at + from.length);
}

const PATH = /^(?:[\w.*-]+\/)*(?:[\w.*-]+\.\w+)?$/;
/** Words as programs declare them, with members and calls: `report.part()`. */
const WORDS = /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*(?:\(.*\))?$/s;

/**
 * Whether a page names a file or folder of the checkout that is not there.
 * Those that begin with one of its folders are, and names of files of code
 * (`keys.ts`), of which one has to end so; others are somebody else's. `*`, and
 * parts in capitals, stand for any.
 *
 * @param files paths of all files
 */
export function isMissingPath(name: string, files: readonly string[]): boolean {
  if (!PATH.test(name)) return false;
  const [first, ...more] = name.split("/");
  const rooted = more.length > 0 &&
    files.some((path) => path.startsWith(`${first}/`));
  if (!rooted && !/\.(?:ts|md)$/.test(name)) return false;
  const pattern = new RegExp(
    `${rooted ? "^" : "(?:^|/)"}${
      name.replace(/[.]/g, "\\.").replace(/\*/g, "[^/]*")
        .replace(/(?<=^|\/)[A-Z]{2,}(?=[/\\]|$)/g, "[^/]+")
    }(?:$|/|(?<=/))`,
  );
  return !files.some((path) => pattern.test(path));
}

/**
 * The word that a page names and no code has, of what looks like a program's:
 * `judge`, `report.part()`.
 *
 * @param words of all code
 */
export function missingWord(
  name: string,
  words: ReadonlySet<string>,
): string | undefined {
  if (!WORDS.test(name) || /\.(?:ts|md|c|h)$/.test(name)) return undefined;
  return name.replace(/\(.*$/s, "").split(".")
    .find((word) => !words.has(word));
}

/** All words of a text of code. */
export function wordsOf(code: string): Set<string> {
  return new Set(code.match(/[A-Za-z_$][\w$]*/g));
}
