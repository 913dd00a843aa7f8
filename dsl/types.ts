/**
 * Types of the fields that events of each source have.
 *
 * @module
 */
import type { FieldKind } from "../engine/query/expression.ts";
import type { CommonKinds } from "./fields.ts";
import type { GuestEvents, TracedFunction } from "./names/functions.ts";
import type { Empty, KnownEvents } from "./names/events.ts";

/** Fields of a call whose arguments have the kinds `A`. */
export interface CallFields<A> extends CommonKinds {
  readonly args: A;
}

/** Fields that every trace event has. */
export type EventCommon = Pick<
  CommonKinds,
  "ts" | "cpu" | "pid" | "comm" | "name"
>;

/**
 * Fields of a trace event whose own fields are `O`. An own field that has the
 * name of a common one is reached as `args.NAME`.
 */
export type EventFields<O> =
  & EventCommon
  & { readonly [N in Exclude<keyof O, keyof EventCommon>]: O[N] }
  & { readonly args: O };

/** The TypeScript type of a field's value, by the field's kind. */
export type ValueOfKind<K> = K extends "text" | "function" ? string
  : K extends "address" ? bigint
  : K extends FieldKind ? number
  : unknown;

/** Fields that an event may lack on some targets. */
type Perhaps = "caller" | "depth" | "ret";

/** An event as functions of the script see it. */
export type EventOf<F> = [F] extends [never]
  ? { readonly [field: string]: unknown }
  : {
    readonly [N in keyof F]: N extends "args"
      ? [F[N]] extends [never] ? { readonly [argument: string]: unknown }
      : { readonly [A in keyof F[N]]: ValueOfKind<F[N][A]> | undefined }
      : N extends Perhaps ? ValueOfKind<F[N]> | undefined
      : ValueOfKind<F[N]>;
  };

type Both<U> = (U extends unknown ? (each: U) => void : never) extends
  (all: infer I) => void ? I : never;

/** The kinds of a function's arguments; `never` when they are not known. */
export type ArgumentsOf<T> = T extends TracedFunction<infer A> ? A : never;

/** Kinds of the arguments of several functions together. */
export type AllArguments<T extends readonly unknown[]> = T extends readonly []
  ? Empty
  : [ArgumentsOf<T[number]>] extends [never] ? never
  : Both<ArgumentsOf<T[number]>>;

/** Names of fields that a script may write as text. */
export type FieldName<F> = [F] extends [never] ? string
  : Exclude<keyof F, "args"> & string;

/** Names of the events whose fields are known. */
export type EventName = (keyof KnownEvents | keyof GuestEvents) & string;

/**
 * The kinds of an event's own fields: by the guest's declarations, else by
 * those that the language knows.
 */
export type OwnFields<N> = N extends keyof GuestEvents ? GuestEvents[N]
  : N extends keyof KnownEvents ? KnownEvents[N]
  : Empty;
