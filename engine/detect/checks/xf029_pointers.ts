/**
 * XF029: pointers to foreign code.
 *
 * @module
 */
import type { Suspect } from "../pointers/suspects.ts";
import { type Reference, sweep } from "../pointers/sweep.ts";
import { givenBack } from "../core/given_back.ts";
import { partAt } from "../core/module_parts.ts";
import type { CheckContext } from "../core/context.ts";
import type { Check } from "../core/check.ts";

/** How many places are told for the code of one owner. */
const MOST_PLACES = 200;

/**
 * Searches all memory for pointers to code that nothing may lead to.
 */
export const foreignPointers: Check = {
  id: "XF029",
  title: "pointers to foreign code",
  technique: "T1014",
  help:
    "No word of memory that the kernel uses leads to code that is nobody's, to a module that the module list does not show, or to one that nobody vouches for: not in variables, in objects of any kind or on stacks. Where there is no such code, nothing is searched. It cannot see a pointer to the kernel's own functions in a wrong place.",
  run(context, report) {
    const { suspects, references, unjudged, words, elsewhere } = sweep(context);
    report.judged(context.code.modules.length + suspects.length + words);
    if (elsewhere > 0) {
      report.known(
        `${elsewhere} words in free memory, or in that of processes and files, lead to such code too`,
      );
    }
    for (const why of unjudged) {
      report.passing("pointers to foreign code", why);
    }
    const told = new Map<string, number>();
    const isGivenBack = givenBack(context);
    for (const reference of references) {
      const owner = ownerOf(reference.suspect);
      const count = (told.get(owner) ?? 0) + 1;
      told.set(owner, count);
      if (count > MOST_PLACES) continue;
      const { holder, suspect, target, through } = reference;
      partAt(context, report, target, holder.where, (report) => {
        const found = findingOf(context, reference, owner);
        // The place itself: whoever owns the code may fill its start with traps.
        const momentary = suspect.of !== "unvouched" &&
          isGivenBack(through ?? target);
        if (momentary) report.gone(found);
        else report.finding(found);
      });
    }
    for (const [owner, count] of told) {
      if (count <= MOST_PLACES) continue;
      report.unjudged(
        `${count - MOST_PLACES} more pointers to ${owner}`,
        "they are too many to be listed",
      );
    }
  },
};

function ownerOf({ of, module, start }: Suspect): string {
  return module === undefined
    ? `code at 0x${start.toString(16)} that belongs to nobody`
    : of === "hidden"
    ? `module ${module.name}, which the module list does not show`
    : `module ${module.name}, for which the kernel does not vouch (${
      module.taints.join(", ") || "not signed"
    })`;
}

function findingOf(
  context: CheckContext,
  { holder, suspect, target, through }: Reference,
  owner: string,
) {
  const { code } = context;
  const { of, module } = suspect;
  const by = through === undefined ? "" : ` through ${code.nameOf(through)}`;
  const name = code.at(target).name;
  return {
    severity: of === "unvouched" ? "high" as const : "critical" as const,
    where: holder.where,
    address: holder.address,
    target: through ?? target,
    found: name,
    // What lies beside a list node may be any of several functions.
    varies: through !== undefined,
    summary: `${holder.where} leads to ${name}${by}: ${owner}`,
    ...(module === undefined ? {} : { module: module.name }),
    ...(of === "unvouched" && module !== undefined
      ? { hint: context.howToTrust(module) }
      : {}),
  };
}
