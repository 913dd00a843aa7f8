/**
 * Fails when an import or the text of a file breaks a rule of rules.ts,
 * rooms.ts, architecture.ts, allocations.ts or exported_names.ts. Prints `file:line: rule` for
 * each.
 *
 * @module
 */
import { z } from "zod";
import { brokenByAllocation } from "./allocations.ts";
import { brokenByArchImport, brokenByArchitecture } from "./architecture.ts";
import { doubleNames, isNamed } from "./exported_names.ts";
import { filesBelow, readText } from "./files.ts";
import { importsOf } from "./imports.ts";
import { brokenByPlace, brokenByRooms, circles, crowded } from "./rooms.ts";
import {
  brokenByEntry,
  brokenByImport,
  brokenByInside,
  brokenByLayer,
  brokenByText,
  isCode,
  isForTests,
  isLong,
  unpinned,
  type Violation,
} from "./rules.ts";

/** Files that are written by tools. */
const GENERATED = new Set(["deno.lock"]);

const Config = z.object({
  imports: z.record(z.string(), z.string()),
  exports: z.record(z.string(), z.string()),
});
const config = Config.parse(JSON.parse(readText("deno.json")));
/** The library's entries. */
const exported = new Set(
  Object.values(config.exports).map((path) => path.replace(/^\.\//, "")),
);
const paths = filesBelow().filter((path) => !GENERATED.has(path));
const code = paths.filter(isCode);
const violations: Violation[] = [];

for (const path of paths) {
  const text = readText(path);
  violations.push(
    ...brokenByText(path, text),
    ...brokenByArchitecture(path, text),
    ...brokenByAllocation(path, text),
  );
  if (isCode(path) && isLong(text)) {
    console.warn(`${path}: warning: long; split it by its ideas`);
  }
}
const graph = new Map<string, Set<string>>(
  code.map((path) => [path, new Set<string>()]),
);
for (const each of await importsOf(code)) {
  const { from, to, line } = each;
  graph.get(from)?.add(to);
  const rule = brokenByImport(each);
  if (rule !== undefined) violations.push({ path: from, line, rule });
  const inside = brokenByInside(each, exported);
  if (inside !== undefined) {
    violations.push({ path: from, line, rule: inside });
  }
  const arch = brokenByArchImport(from, to);
  if (arch !== undefined) violations.push({ path: from, line, rule: arch });
  const room = isForTests(from) ? undefined : brokenByRooms(from, to);
  if (room !== undefined) violations.push({ path: from, line, rule: room });
}
for (const path of code) {
  const rule = brokenByLayer(path) ?? brokenByPlace(path);
  if (rule !== undefined) violations.push({ path, line: 1, rule });
}
for (const { path, rule } of crowded(code)) {
  violations.push({ path, line: 1, rule });
}
for (const circle of circles(graph)) {
  const rule = `imports in a circle: ${circle.join(", ")}`;
  violations.push({ path: circle[0], line: 1, rule });
}
const named = code.filter((path) => isNamed(path) && !isForTests(path));
violations.push(
  ...doubleNames(new Map(named.map((path) => [path, readText(path)]))),
);
for (const path of exported) {
  const rule = /(?:^|\/)mod\.ts$/.test(path)
    ? brokenByEntry(readText(path))
    : undefined;
  if (rule !== undefined) violations.push({ path, line: 1, rule });
}
for (const name of unpinned(config.imports)) {
  violations.push({
    path: "deno.json",
    line: 1,
    rule: `${name} must be pinned to one version`,
  });
}

for (const { path, line, rule } of violations) {
  console.error(`${path}:${line}: ${rule}`);
}
if (violations.length > 0) {
  console.error(`layering: ${violations.length} broken rules`);
  Deno.exit(1);
}
console.log(`layering: ${paths.length} files, no rule broken`);
