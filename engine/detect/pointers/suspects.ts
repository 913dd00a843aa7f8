/**
 * Code that nothing may lead to: nobody's, that of modules which the module
 * list does not show, and that of modules which nobody vouches for.
 *
 * @module
 */
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { disjoint, type GvaRange, rangeAt } from "../../memory/gva_ranges.ts";
import type { CheckContext } from "../core/context.ts";
import { ownedCode, subtract, unowned } from "../core/owned_code.ts";

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
  for (
    const { start, end } of unowned(context, ownedCode(context).concat(found))
  ) {
    found.push({ start, end, text: true, of: "nobody" });
  }
  if (!found.some(({ text }) => text)) return [];
  for (const range of data(context)) {
    found.push({ ...range, text: false, of: "nobody" });
  }
  return disjoint(found, rankOf);
}

/**
 * What is mapped where modules lie, and that no module has: data of the same
 * code, whatever size or place a module says that it has.
 */
function data({ code }: CheckContext): GvaRange[] {
  const owned = [...code.modules, ...code.unlisted]
    .flatMap((module) => code.memoryOf(module))
    .concat(code.pages.executable, code.reserves);
  return code.pages.inRegion.flatMap((range) => subtract(range, owned));
}

/**
 * Code before data, and what nobody may have before what somebody may: a module
 * that claims the memory of others hides nothing of them.
 */
function rankOf({ text, of }: Suspect): number {
  return (text ? 0 : 3) + ["nobody", "hidden", "unvouched"].indexOf(of);
}

/** The one that holds a GVA. */
export function suspectAt(
  all: readonly Suspect[],
  gva: bigint,
): Suspect | undefined {
  return all[rangeAt(all, gva)];
}
