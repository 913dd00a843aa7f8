/**
 * The rooms: parts of the code, a folder or a file each, and which of them may
 * import which. Pure.
 *
 * The list begins with the lowest room. A file belongs to the longest entry
 * that its path begins with, and may import from its own room and those before
 * it.
 *
 * @module
 */
import { isForTests } from "./rules.ts";

/** Rooms from the bottom up; those in one line may not import each other. */
const ORDER: readonly (readonly string[])[] = [
  ["engine/base"],
  ["engine/memory"],
  ["engine/arch"],
  ["engine/arch/*"],
  ["engine/arch/all.ts"],
  ["engine/kernel/btf"],
  ["engine/kernel/symbols"],
  ["engine/kernel/core"],
  ["engine/kernel/locate", "engine/kernel/patching"],
  ["engine/kernel/functions"],
  ["engine/kernel/objects", "engine/arch/*/kernel"],
  ["engine/kernel/view"],
  ["engine/targets", "engine/session.ts", "engine/agent"],
  ["engine/ftrace/events"],
  ["engine/ftrace/ring"],
  ["engine/ftrace/boot"],
  ["engine/ftrace/clock"],
  ["engine/ftrace/graph"],
  ["engine/tracedat"],
  ["engine/seal/page"],
  ["engine/seal/keys"],
  ["engine/seal/recording"],
  ["engine/seal/tracer"],
  ["engine/control"],
  ["engine/output/text"],
  ["engine/output/page"],
  ["engine/output/writer.ts"],
  ["engine/output/formats", "engine/output/sealed", "engine/output/tracecmd"],
  ["engine/output"],
  ["engine/detect/finding.ts"],
  ["engine/detect/reading"],
  ["engine/detect/text", "engine/detect/flow"],
  // The input of checks consists of texts and flows, so core is above both.
  ["engine/detect/core"],
  ["engine/detect/pointers"],
  ["engine/detect/checks", "engine/arch/*/checks"],
  ["engine/arch/all_checks.ts"],
  ["engine/detect"],
  ["engine/install"],
  ["engine/output/findings", "engine/output/sql"],
  ["engine/query"],
  ["engine/passes/fields"],
  ["engine/passes/sinks"],
  ["engine/passes"],
  ["engine/run"],
  ["engine/snapshot"],
  // What the library exports from the rooms above.
  [
    "engine/control/mod.ts",
    "engine/detect/mod.ts",
    "engine/ftrace/mod.ts",
    "engine/install/mod.ts",
    "engine/kernel/mod.ts",
    "engine/output/mod.ts",
    "engine/seal/mod.ts",
    "engine/targets/mod.ts",
  ],
  ["ffi"],
  // The names are data; the types of the language are made of them.
  ["dsl/names"],
  ["dsl"],
  ["dsl/compile"],
  ["dsl/mod.ts"],
  ["dsl/run"],
  ["mod.ts"],
  ["live.ts"],
];

/** All rooms, from the bottom up. */
export const ROOMS: readonly string[] = ORDER.flat();

const RANK: ReadonlyMap<string, number> = new Map(
  ORDER.flatMap((rooms, rank) => rooms.map((room) => [room, rank] as const)),
);

/** Rooms that never import certain lower rooms. */
const APART: Readonly<Record<string, readonly string[]>> = {
  dsl: ["ffi"],
  "dsl/names": ["ffi"],
  "dsl/compile": ["ffi"],
  "dsl/run": ["ffi"],
  "dsl/mod.ts": ["ffi"],
  "mod.ts": ["ffi"],
};

/** Layers in which every file must belong to a room. */
const OF_ROOMS = /^(?:engine|dsl|ffi)\//;

/** Rooms whose files are all alike: their number is not limited. */
const ALIKE = new Set([
  "engine/arch/*/checks",
  "engine/detect/checks",
  "engine/kernel/objects",
  "engine/output/formats",
  "engine/passes/sinks",
  "scripts/cli/commands",
]);

/** The most source files in one folder, not counting tests and fixtures. */
const MOST_FILES = 25;

/**
 * The path with `*` in place of an architecture: their folders are laid out
 * alike.
 */
function roomPath(path: string): string {
  return path.replace(/^(engine\/arch\/)[^/]+\//, "$1*/");
}

/** The room that a file belongs to; `undefined` when it belongs to none. */
export function roomOf(path: string): string | undefined {
  for (
    let at = roomPath(path);
    at !== "";
    at = at.slice(0, Math.max(0, at.lastIndexOf("/")))
  ) {
    if (RANK.has(at)) return at;
  }
  return undefined;
}

/** The rule that an import between two rooms breaks, if any. */
export function brokenByRooms(from: string, to: string): string | undefined {
  const [lower, upper] = [roomOf(to), roomOf(from)];
  if (lower === undefined || upper === undefined || lower === upper) {
    return undefined;
  }
  const apart = APART[upper]?.includes(lower) === true;
  if (!apart && (RANK.get(lower) ?? 0) < (RANK.get(upper) ?? 0)) {
    return undefined;
  }
  return `${upper} must not depend on ${lower} (${to}): rooms import downwards`;
}

/** The rule that a file breaks by its place, if any. */
export function brokenByPlace(path: string): string | undefined {
  if (!OF_ROOMS.test(path) || roomOf(path) !== undefined) return undefined;
  return "belongs to no room: put it into one, or add one to scripts/dev/rooms.ts";
}

/** Folders with too many source files. */
export function crowded(
  paths: readonly string[],
): { readonly path: string; readonly rule: string }[] {
  const counts = new Map<string, number>();
  for (const path of paths) {
    if (isForTests(path)) continue;
    const folder = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([folder, count]) =>
      count > MOST_FILES && !ALIKE.has(roomPath(folder))
    )
    .map(([path, count]) => ({
      path,
      rule:
        `holds ${count} files: part it into rooms of at most ${MOST_FILES}, by what they are about`,
    }));
}

/**
 * Groups of files that import each other in a circle (Tarjan's algorithm).
 *
 * @param imports for each file, the files that it imports
 */
export function circles(
  imports: ReadonlyMap<string, ReadonlySet<string>>,
): string[][] {
  const found: string[][] = [];
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const open = new Set<string>();
  const visit = (file: string) => {
    const own = index.size;
    index.set(file, own);
    low.set(file, own);
    stack.push(file);
    open.add(file);
    for (const next of imports.get(file) ?? []) {
      if (!imports.has(next)) continue;
      if (!index.has(next)) visit(next);
      if (open.has(next)) {
        low.set(file, Math.min(low.get(file) ?? 0, low.get(next) ?? 0));
      }
    }
    if (low.get(file) !== own) return;
    const circle = stack.splice(stack.indexOf(file));
    for (const each of circle) open.delete(each);
    if (circle.length > 1 || imports.get(file)?.has(file) === true) {
      found.push(circle.sort());
    }
  };
  for (const file of [...imports.keys()].sort()) {
    if (!index.has(file)) visit(file);
  }
  return found;
}
