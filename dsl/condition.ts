/**
 * Conditions on events, as scripts build them.
 *
 * @module
 */
import type { Expression } from "../engine/query/expression.ts";
import { expected } from "./errors.ts";

declare const NEEDS: unique symbol;

/**
 * A condition on an event that has at least the fields `F` (each with its
 * kind): `Condition<{ duration: "duration" }>` fits every source whose events
 * have a duration.
 *
 * @example
 * ```ts
 * import { comm, duration, sys_openat, trace } from "xftrace";
 *
 * const slow = duration.gt("1ms");
 * const calls = trace(sys_openat).filter(slow.and(comm.eq("ls")));
 * ```
 */
export class Condition<in F> {
  /** For the type checker only: the fields that the condition uses. */
  declare readonly [NEEDS]: (fields: F) => void;
  /** The condition as data. */
  readonly node: Expression;

  constructor(node: Expression) {
    this.node = node;
  }

  /** True when both conditions are true. */
  and<G>(other: Condition<G>): Condition<F & G> {
    return new Condition({ op: "all", of: [this.node, other.node] });
  }

  /** True when at least one of the two conditions is true. */
  or<G>(other: Condition<G>): Condition<F & G> {
    return new Condition({ op: "any", of: [this.node, other.node] });
  }

  /** True when the condition is false. */
  not(): Condition<F> {
    return new Condition({ op: "not", of: this.node });
  }
}

/** The fields that several conditions use together. */
export type NeedsOf<C extends readonly Condition<never>[]> = [C[number]] extends
  [Condition<infer F>] ? F : never;

/**
 * True when all the conditions are true.
 *
 * @example
 * ```ts
 * import { all, comm, duration, sys_openat, trace } from "xftrace";
 *
 * const calls = trace(sys_openat).filter(all(duration.gt("1ms"), comm.eq("ls")));
 * ```
 */
export function all<const C extends readonly Condition<never>[]>(
  ...conditions: C
): Condition<NeedsOf<C>> {
  return new Condition({ op: "all", of: conditions.map(nodeOf) });
}

/**
 * True when at least one of the conditions is true.
 *
 * @example
 * ```ts
 * import { any, comm, sys_openat, trace } from "xftrace";
 *
 * const calls = trace(sys_openat).filter(any(comm.eq("ls"), comm.glob("s*")));
 * ```
 */
export function any<const C extends readonly Condition<never>[]>(
  ...conditions: C
): Condition<NeedsOf<C>> {
  return new Condition({ op: "any", of: conditions.map(nodeOf) });
}

/**
 * True when the condition is false.
 *
 * @example
 * ```ts
 * import { comm, not, sys_openat, trace } from "xftrace";
 *
 * const calls = trace(sys_openat).filter(not(comm.eq("ls")));
 * ```
 */
export function not<F>(condition: Condition<F>): Condition<F> {
  return condition.not();
}

/** What no type checker has looked at may be anything. */
function nodeOf(condition: Condition<never>): Expression {
  if (condition instanceof Condition) return condition.node;
  throw expected('a condition, such as duration.gt("1ms")', condition);
}
