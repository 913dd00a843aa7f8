/**
 * The rules for imports between layers, and for the text of files. Pure:
 * layering.ts reads the files.
 *
 * @module
 */

/** A broken rule, with its place. */
export interface Violation {
  /** Relative to the checkout. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** The rule, as a sentence that says what to do. */
  readonly rule: string;
}

/** One import, export-from or `import()` of a module. */
export interface Import {
  /** The importing file, relative to the checkout. */
  readonly from: string;
  /** From 1. */
  readonly line: number;
  /** As written in the source: `./page.ts`, `zod`. */
  readonly specifier: string;
  /** As resolved: a path in the checkout, or a URL (`npm:`, `node:`). */
  readonly to: string;
}

/** The layers that each layer may depend on, itself included. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  engine: ["engine"],
  ffi: ["ffi", "engine"],
  dsl: ["dsl", "engine"],
  "mod.ts": ["dsl", "engine"],
  "live.ts": ["mod.ts", "dsl", "engine", "ffi"],
  lab: ["lab"],
  page: ["page", "engine"],
  scripts: ["scripts", "live.ts", "mod.ts", "dsl", "engine", "ffi", "lab"],
  tests: [
    "tests",
    "scripts",
    "live.ts",
    "mod.ts",
    "dsl",
    "engine",
    "ffi",
    "lab",
  ],
  bench: [
    "bench",
    "tests",
    "scripts",
    "live.ts",
    "mod.ts",
    "dsl",
    "engine",
    "ffi",
    "lab",
  ],
};

/** Packages that only one layer may import, so that they can be replaced. */
const PACKAGE_OF: Readonly<Record<string, string>> = {
  commander: "scripts",
  "@commander-js/extra-typings": "scripts",
  // What pages consist of runs in a browser.
  preact: "page",
  "preact/hooks": "page",
  uplot: "page",
};

/** Layers whose files must begin with a `@module` comment. */
const WITH_MODULE_COMMENT = new Set([
  "engine",
  "ffi",
  "dsl",
  "lab",
  "page",
  "mod.ts",
  "live.ts",
]);

/** Files with more lines than this give a warning. */
const LONG_FILE = 600;

const NATIVE = /\b(?:Unsafe[A-Z]\w*|dl(?:open))\b/;
const SILENCED = /deno-lint[-]ignore|@ts-(?:ignore|nocheck)\b/;
/** Like the above, but tests of types cannot do without. */
const EXPECTED = /@ts-[e]xpect-error\b/;
/**
 * What writes to standard output or standard error. Whether either is a
 * terminal may be asked anywhere.
 */
const WRITES = /\bconsole\.\w+\(|\bDeno\.std(?:out|err)\b(?!\.isTerminal)/;
/** Where it may be, because control characters of others are escaped there. */
const MAY_WRITE = new Set([
  "scripts/cli/terminal.ts",
  // The collector's log, and what the language's scripts print.
  "scripts/collector/main.ts",
  "dsl/run/guest.ts",
]);
/** Tools of developers, which show nothing of a guest's. */
const TOOLS = /^scripts\/(?:dev\/|examples\/|lab\.ts$|demo\.ts$)/;
const MACHINE_PATH = /(?<![\w.})\]*])\/(?:work|home|root)\//;
const HOST =
  /\b(?:(?:deb|security|ftp[\w.]*|snapshot)\.debian\.org|registry\.(?:npmjs|yarnpkg)\.\w+|(?:npm\.)?jsr\.io|(?:archive|ports)\.ubuntu\.com)\b/;

/** Imports that Deno does not list, and the rules that they break. */
type HiddenImports = readonly (readonly [RegExp, string])[];

/** In the library every import is listed. */
const INSIDE_LIBRARY: HiddenImports = [
  [
    /(?<![\w.#])import\s*\((?!\s*(?:"[^"]*"\s*[,)]|\)))/g,
    "import() must name its module in a plain string",
  ],
  [
    /(?<!\b(?:from|import|import\()\s*)["'`]\.{1,2}\/[^"'`\n]*\.[cm]?[jt]s["'`]/g,
    "a file of code is imported, not named",
  ],
];

/**
 * Commands also start programs of their own, and import users' scripts by
 * their paths.
 */
const HIDDEN_IMPORTS: Readonly<Record<string, HiddenImports>> = {
  scripts: [[
    /(?<!\b(?:from|import|import\()\s*)["'`](?:\.{1,2}\/)+(?:engine|dsl|ffi)\//g,
    "names a file inside the library: import what deno.json exports",
  ]],
};

/** The layer of a file: its top folder, or its own name. */
export function layerOf(path: string): string {
  return path.split("/")[0];
}

/** Whether a file is code. */
export function isCode(path: string): boolean {
  return /\.(?:[cm]?[jt]s|[jt]sx)$/.test(path);
}

/** Whether a file is a test, or is used by tests only. */
export function isForTests(path: string): boolean {
  return /_(?:test|fixture)\.ts$/.test(path) ||
    ["tests", "bench"].includes(layerOf(path));
}

/** The rule that a file of code breaks by its top folder, if any. */
export function brokenByLayer(path: string): string | undefined {
  const layer = layerOf(path);
  return layer in MAY_IMPORT
    ? undefined
    : `"${layer}" is no layer; code belongs into one of ${
      Object.keys(MAY_IMPORT).join(", ")
    }`;
}

/** The rule that an import breaks, if any. */
export function brokenByImport(
  { from, specifier, to }: Omit<Import, "line">,
): string | undefined {
  const layer = layerOf(from);
  const allowed = MAY_IMPORT[layer];
  if (allowed === undefined) return brokenByLayer(from);
  const scheme = to.match(/^([a-z]+):/)?.[1];
  if (scheme !== undefined) {
    if (scheme !== "npm" && scheme !== "node") {
      return `"${specifier}" comes from elsewhere than npm; only npm packages and node: modules are used`;
    }
    if (specifier.startsWith("npm:")) {
      return `"${specifier}" must be imported by a name of deno.json's import map, where its version is pinned`;
    }
    const owner = PACKAGE_OF[specifier];
    return owner === undefined || owner === layer
      ? undefined
      : `${specifier} is for ${owner}/ alone`;
  }
  if (to === "deno.json") {
    return "deno.json is not in the npm package; nothing may import it";
  }
  if (/_test\.ts$/.test(to)) return `${to} is a test; nothing imports tests`;
  if (/_fixture\.ts$/.test(to) && !isForTests(from)) {
    return `${to} is for tests alone`;
  }
  if (allowed.includes(layerOf(to))) return undefined;
  return `${layer} must not depend on ${layerOf(to)} (${to}); it may import ${
    allowed.join(", ")
  }`;
}

/**
 * The rule that a command breaks when it imports an internal file of the
 * library: commands use what deno.json exports, as users' scripts do.
 *
 * @param exported paths of the files in deno.json's `exports`
 */
export function brokenByInside(
  { from, to }: Pick<Import, "from" | "to">,
  exported: ReadonlySet<string>,
): string | undefined {
  if (layerOf(from) !== "scripts" || isForTests(from)) return undefined;
  const apart = !isCode(to) || /^[a-z]+:/.test(to) ||
    ["scripts", "lab"].includes(layerOf(to));
  return apart || exported.has(to)
    ? undefined
    : `${to} is inside the library: import what deno.json exports, and export there what commands need`;
}

/**
 * The rule that an entry of the library breaks when it does more than
 * re-export.
 */
export function brokenByEntry(text: string): string | undefined {
  const code = text.replace(/\/\*[^]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const rest = code.replace(
    /export (?:type )?(?:\*|\{[^}]*\}) from "[^"]+";/g,
    "",
  );
  return rest.trim() === ""
    ? undefined
    : "an entry of the library only re-exports";
}

/** Packages of an import map that are not pinned to one version. */
export function unpinned(imports: Readonly<Record<string, string>>): string[] {
  return Object.entries(imports)
    .filter(([, to]) =>
      to.startsWith("npm:") && !/@\d+\.\d+\.\d+(?:-[\w.]+)?(?:\/.*)?$/.test(to)
    )
    .map(([name, to]) => `${name} (${to})`);
}

/** The rules that a file's text breaks. */
export function brokenByText(path: string, text: string): Violation[] {
  const found: Violation[] = [];
  const lines = text.split("\n");
  const layer = layerOf(path);
  const add = (line: number, rule: string) => found.push({ path, line, rule });
  if (isCode(path) && WITH_MODULE_COMMENT.has(layer) && !isForTests(path)) {
    const comment = text.match(/^(?:#!.*\n)?\/\*\*[^]*?\*\//)?.[0];
    if (comment === undefined || !comment.includes("@module")) {
      add(1, "must begin with a doc comment that says what it is for: @module");
    }
  }
  lines.forEach((line, i) => {
    if (isCode(path)) {
      const code = withoutComment(line);
      if (layer !== "ffi" && NATIVE.test(code)) {
        add(i + 1, `${NATIVE.exec(code)?.[0]} may be named in ffi/ alone`);
      }
      if (
        WRITES.test(code) && !MAY_WRITE.has(path) && !isForTests(path) &&
        !TOOLS.test(path) && layer !== "lab"
      ) {
        add(
          i + 1,
          "writes to the terminal: scripts/cli/terminal.ts does, which escapes control characters",
        );
      }
      if (SILENCED.test(line) || !isForTests(path) && EXPECTED.test(line)) {
        add(i + 1, "a check is silenced; solve what it complains about");
      }
    }
    if (MACHINE_PATH.test(line) && !path.endsWith("_test.ts")) {
      add(i + 1, `a path of one machine: ${MACHINE_PATH.exec(line)?.[0]}`);
    }
    if (HOST.test(line)) {
      add(i + 1, `a mirror's or registry's name: ${HOST.exec(line)?.[0]}`);
    }
  });
  if (isCode(path) && !isForTests(path)) {
    const code = lines.map(withoutComment).join("\n");
    for (const [pattern, rule] of HIDDEN_IMPORTS[layer] ?? INSIDE_LIBRARY) {
      for (const { index } of code.matchAll(pattern)) {
        add(code.slice(0, index).split("\n").length, rule);
      }
    }
  }
  return found;
}

/**
 * Whether a file is so long that it should be split; generated files are
 * exempt.
 */
export function isLong(text: string): boolean {
  return text.split("\n").length > LONG_FILE + 1 &&
    !/\bWritten\s+(?:\*\s+)?by generate\.ts\b/.test(text);
}

/**
 * The line without its comment. Relies on formatted code, in which each line of
 * a block comment begins with a star.
 */
export function withoutComment(line: string): string {
  if (/^\s*(?:\/?\*|\/\/)/.test(line)) return "";
  return line.replace(/\s\/\/ .*$/, "");
}
