/**
 * Pass: names of functions and events to what the target's kernel has.
 *
 * @module
 */
import {
  type EventFact,
  shortName,
  SYSCALL_PREFIX,
  type TargetFacts,
} from "../../engine/query/facts.ts";
import { globRegExp, isGlob } from "../../engine/base/glob.ts";
import { didYouMean, nearNames } from "../../engine/base/near_names.ts";
import type { FunctionTarget } from "../../engine/query/program.ts";
import type { FunctionRef } from "../../engine/query/spec.ts";
import { CompileError } from "../errors.ts";

/** An ENDBR64 may stand before the fentry call that entries name. */
const ENDBR_BYTES = 4n;

/** The addresses at which entries may name a function. */
function target(name: string, addresses: readonly bigint[]): FunctionTarget {
  return {
    name,
    addresses: addresses.flatMap((at) => [at, at + ENDBR_BYTES]),
  };
}

/** Whether a name is that of a system call, `sys_openat`. */
export function isSyscall(name: string): boolean {
  return name.startsWith("sys_") || name.startsWith(`${SYSCALL_PREFIX}sys_`);
}

/**
 * The functions that a name or glob stands for; `sys_openat` is the entry
 * function `__x64_sys_openat`.
 *
 * @throws {CompileError} when there is none, with near names.
 */
export function resolveFunction(
  ref: FunctionRef,
  facts: TargetFacts,
): FunctionTarget[] {
  const { functions } = facts;
  const name = ref.name.startsWith("sys_")
    ? SYSCALL_PREFIX + ref.name
    : ref.name;
  if (isGlob(name)) {
    const found = functions.glob(name).map((each) =>
      target(each, functions.addresses(each))
    );
    if (found.length > 0) return found.sort(byName);
    throw new CompileError(
      `no function of the kernel ${facts.kernel} matches "${ref.name}"`,
      ref.at,
    );
  }
  const addresses = functions.addresses(name);
  if (addresses.length === 0) {
    throw new CompileError(
      `the kernel ${facts.kernel} has no function "${ref.name}"${
        didYouMean(functions.near(name).slice(0, 3).map(shortName))
      }`,
      ref.at,
    );
  }
  if (addresses.every((at) => functions.state(at) === "untraceable")) {
    throw new CompileError(
      `"${ref.name}" cannot be traced: the kernel has it without a call to Ftrace; trace a function that calls it, or one that it calls`,
      ref.at,
    );
  }
  return [target(name, addresses)];
}

/** In the order of their names. */
export function byName(a: FunctionTarget, b: FunctionTarget): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/**
 * The events that a name (`system:name` or `name`) or glob stands for.
 *
 * @throws {CompileError} when there is none, with near names.
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
