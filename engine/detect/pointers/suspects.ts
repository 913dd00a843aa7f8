/**
 * Code that nothing may lead to: nobody's, that of modules which the module
 * list does not show, and that of modules which nobody vouches for.
 *
 * @module
 */
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { type GvaRange, rangeAt } from "../../memory/gva_ranges.ts";
import type { CheckContext } from "../core/context.ts";
import { ownedCode, subtract } from "../core/owned_code.ts";
import { withoutTraps } from "../core/traps.ts";

/** Memory of code that nothing may lead to. */
export interface Suspect extends GvaRange {
  /** Whether it is executed; otherwise it is data of the same owner. */
  readonly text: boolean;
  /** `nobody`, `hidden`: of a module off the list; `unvouched`: of one on it. */
  readonly of: "nobody" | "hidden" | "unvouched";
  readonly module?: ModuleView;
}

/** All of it, ascending, without overlaps. */
export function suspects(context: CheckContext): Suspect[] {
  const { code } = context;
  const found: Suspect[] = [];
  const add = (of: Suspect["of"], module: ModuleView) => {
    const text = code.textOf(module);
    for (const range of text) found.push({ ...range, text: true, of, module });
    for (const range of code.memoryOf(module)) {
      for (const { start, end } of subtract(range, text)) {
        found.push({ start, end, text: false, of, module });
      }
    }
  };
  for (const module of code.unlisted) add("hidden", module);
  for (const module of code.modules) {
    if (!context.trusts(module)) add("unvouched", module);
  }
  const owned = ownedCode(context).concat(found);
  for (const range of code.pages.executable) {
    const parts = subtract(range, owned)
      .flatMap((part) => withoutTraps(context.kernel, part));
    for (const { start, end } of parts) {
      const { kind } = code.at(start);
      if (kind === "thunk" || kind === "unread") continue;
      found.push({ start, end, text: true, of: "nobody" });
    }
  }
  found.sort((a, b) => a.start < b.start ? -1 : 1);
  // Ranges that a guest's words make overlap are looked at once.
  return found.filter(({ end }, i) =>
    i === 0 || end > found.slice(0, i).reduce(later, 0n)
  );
}

const later = (most: bigint, { end }: GvaRange) => end > most ? end : most;

/** The one that holds a GVA. */
export function suspectAt(
  all: readonly Suspect[],
  gva: bigint,
): Suspect | undefined {
  return all[rangeAt(all, gva)];
}
