/**
 * Pass: resolves names to the functions and events of the target's kernel.
 *
 * @module
 */
import { KernelError } from "../../engine/base/errors.ts";
import type { FunctionIndex } from "../../engine/kernel/functions/index.ts";
import {
  type NamedFunctions,
  resolveFunctions,
} from "../../engine/kernel/functions/resolve.ts";
import type { EventFact, TargetFacts } from "../../engine/query/facts.ts";
import { globRegExp } from "../../engine/base/glob.ts";
import { didYouMean, nearNames } from "../../engine/base/near_names.ts";
import type { FunctionTarget } from "../../engine/query/program.ts";
import type { FunctionRef } from "../../engine/query/spec.ts";
import { CompileError } from "../errors.ts";
import type { Notes } from "./draft.ts";

/**
 * The functions that a name or glob stands for, sorted by name. Adds a note
 * when programs of today call another system call in place of an old one.
 *
 * @param outdated receives the names of such old system calls
 * @throws {CompileError} when there is none; suggests similar names.
 */
export function functionsOf(
  ref: FunctionRef,
  { functions: index }: TargetFacts,
  notes: Notes,
  outdated: Set<string>,
): FunctionTarget[] {
  const found = resolved(index, ref);
  if (found.note !== undefined) notes.note(found.note);
  for (const name of found.outdated) outdated.add(name);
  return found.functions.map(({ name, addresses }) => ({
    name,
    addresses: addresses.flatMap((at) =>
      index.offsets.map((offset) => at + BigInt(offset))
    ),
  }));
}

function resolved(index: FunctionIndex, ref: FunctionRef): NamedFunctions {
  try {
    return resolveFunctions(index, ref.name);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw new CompileError(error.message, ref.at);
  }
}

/** Compares functions by name, for sorting. */
export function byName(a: FunctionTarget, b: FunctionTarget): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/**
 * The events that a name (`system:name` or `name`) or glob stands for.
 *
 * @throws {CompileError} when there is none; suggests similar names.
 */
export function resolveEvent(
  ref: FunctionRef,
  facts: TargetFacts,
): EventFact[] {
  const { all } = facts.events;
  const full = (event: EventFact) => `${event.system}:${event.name}`;
  const regExp = globRegExp(ref.name);
  const found = all.filter((event) =>
    regExp.test(full(event)) || regExp.test(event.name)
  );
  if (found.length > 0) return found;
  throw new CompileError(
    `the kernel ${facts.kernel} has no event "${ref.name}"${
      didYouMean(
        nearNames(
          ref.name,
          all.map((event) => ref.name.includes(":") ? full(event) : event.name),
        ),
      )
    }`,
    ref.at,
  );
}
