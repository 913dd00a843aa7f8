/**
 * Fields of events, and the conditions made of them.
 *
 * @module
 */
import type {
  Comparison,
  Expression,
  FieldKind,
  TextTest,
} from "../engine/query/expression.ts";
import type { SourcePlace } from "../engine/query/place.ts";
import { Condition } from "./condition.ts";
import { CompileError, here } from "./errors.ts";
import type { KnownArguments } from "./names/events.ts";
import {
  type Duration,
  durationNs,
  type Size,
  sizeBytes,
  tryDuration,
  trySize,
} from "./units.ts";

/** Marks what a source must have for a condition; for the type checker. */
declare const NEEDS: unique symbol;

/** A field that can be counted by: any of the fields below. */
export interface FieldRef<in F> {
  /** For the type checker alone: which field it is. */
  readonly [NEEDS]?: (fields: F) => void;
  /** `duration`, `args.filename`. */
  readonly path: string;
}

/** Comparisons in an order. */
export interface Ordered<F, V> extends FieldRef<F> {
  /** Equal. */
  eq(value: V): Condition<F>;
  /** Not equal. */
  ne(value: V): Condition<F>;
  /** Less. */
  lt(value: V): Condition<F>;
  /** Less or equal. */
  le(value: V): Condition<F>;
  /** Greater. */
  gt(value: V): Condition<F>;
  /** Greater or equal. */
  ge(value: V): Condition<F>;
  /** From `low` to `high`, both included. */
  between(low: V, high: V): Condition<F>;
  /** One of these values. */
  in(...values: V[]): Condition<F>;
}

/** A field with plain numbers. */
export interface NumberField<F> extends Ordered<F, number | bigint> {
  /** All bits of `mask` are set. */
  has(mask: number): Condition<F>;
}

/** A field with durations or times, in ns or with a unit. */
export interface DurationField<F> extends Ordered<F, Duration | number> {
  readonly path: string;
}

/** A field with sizes, in bytes or with a unit. */
export interface SizeField<F> extends Ordered<F, Size | number> {
  readonly path: string;
}

/** A field with texts. */
export interface TextField<F> extends FieldRef<F> {
  /** Equal. */
  eq(value: string): Condition<F>;
  /** Not equal. */
  ne(value: string): Condition<F>;
  /** One of these texts. */
  in(...values: string[]): Condition<F>;
  /** Matches a glob: `*`, `?`, `[a-z]`. */
  glob(pattern: string): Condition<F>;
  /** Starts with. */
  startsWith(start: string): Condition<F>;
  /** Ends with. */
  endsWith(end: string): Condition<F>;
  /** Contains. */
  includes(part: string): Condition<F>;
}

/** A field with a kernel function. */
export interface FunctionField<F> extends TextField<F> {
  /** The address lies in no text of the kernel or of a known module. */
  isForeign(): Condition<F>;
}

type Numeric = "number" | "duration" | "size" | "time" | "address";
type Textual = "text" | "function";

/** `{ name: kind }`, or `{ args: { name: kind } }`. */
type Need<N extends string, A extends boolean, K> = A extends true
  ? { readonly args: { readonly [P in N]: K } }
  : { readonly [P in N]: K };

/**
 * A field of an event that the language does not know by itself: what it is
 * compared with says what it must be.
 */
export interface AnyField<N extends string, A extends boolean>
  extends FieldRef<Need<N, A, FieldKind>> {
  /** Equal. */
  eq(value: number | bigint): Condition<Need<N, A, Numeric>>;
  /** Equal, as text. */
  eq(value: string): Condition<Need<N, A, Textual>>;
  /** Not equal. */
  ne(value: number | bigint): Condition<Need<N, A, Numeric>>;
  /** Not equal, as text. */
  ne(value: string): Condition<Need<N, A, Textual>>;
  /** Less. */
  lt(value: number | bigint | Duration | Size): Condition<Need<N, A, Numeric>>;
  /** Less or equal. */
  le(value: number | bigint | Duration | Size): Condition<Need<N, A, Numeric>>;
  /** Greater. */
  gt(value: number | bigint | Duration | Size): Condition<Need<N, A, Numeric>>;
  /** Greater or equal. */
  ge(value: number | bigint | Duration | Size): Condition<Need<N, A, Numeric>>;
  /** From `low` to `high`, both included. */
  between(
    low: number | bigint,
    high: number | bigint,
  ): Condition<Need<N, A, Numeric>>;
  /** One of these values. */
  in(...values: number[]): Condition<Need<N, A, Numeric>>;
  /** One of these texts. */
  in(...values: string[]): Condition<Need<N, A, Textual>>;
  /** All bits of `mask` are set. */
  has(mask: number): Condition<Need<N, A, Numeric>>;
  /** Matches a glob: `*`, `?`, `[a-z]`. */
  glob(pattern: string): Condition<Need<N, A, Textual>>;
  /** Starts with. */
  startsWith(start: string): Condition<Need<N, A, Textual>>;
  /** Ends with. */
  endsWith(end: string): Condition<Need<N, A, Textual>>;
  /** Contains. */
  includes(part: string): Condition<Need<N, A, Textual>>;
  /** The address lies in no text of the kernel or of a known module. */
  isForeign(): Condition<Need<N, A, "function">>;
}

/** Kinds of the fields that the language itself gives to events. */
export interface CommonKinds {
  /** When, in ns of the guest's trace clock; of a call: when it returned. */
  readonly ts: "time";
  /** The CPU that it happened on. */
  readonly cpu: "number";
  /** The thread that ran. */
  readonly pid: "number";
  /** The thread's command. */
  readonly comm: "text";
  /** The event's name; of a call, the function's. */
  readonly name: "text";
  /** Calls: the function. */
  readonly func: "function";
  /** Calls: the function that called it. */
  readonly caller: "function";
  /** Calls: levels below the outermost function asked for. */
  readonly depth: "number";
  /** Calls: from entry to return. */
  readonly duration: "duration";
  /** Calls: the return value. */
  readonly ret: "number";
}

/** The field type of a kind. */
export type FieldOf<K, F> = K extends "duration" | "time" ? DurationField<F>
  : K extends "size" ? SizeField<F>
  : K extends "function" ? FunctionField<F>
  : K extends "text" ? TextField<F>
  : NumberField<F>;

type Value = number | bigint | string;
type Literal = { readonly at?: SourcePlace };

/** One implementation for all kinds: the types say what may be called. */
class Field implements FieldRef<never> {
  readonly path: string;
  readonly #kind: FieldKind | undefined;
  readonly #at: SourcePlace | undefined;

  /** @param at where the script names the field; else: compares it */
  constructor(path: string, kind?: FieldKind, at?: SourcePlace) {
    this.path = path;
    this.#kind = kind;
    this.#at = at;
  }

  #value(value: Value): Value {
    if (typeof value !== "string") return value;
    if (this.#kind === "duration" || this.#kind === "time") {
      return durationNs(value as Duration);
    }
    return this.#kind === "size" ? sizeBytes(value as Size) : value;
  }

  /** Texts with units, compared by order, are numbers. */
  #number(value: Value): Value {
    if (typeof value !== "string" || this.#kind !== undefined) {
      return this.#value(value);
    }
    const number = tryDuration(value) ?? trySize(value);
    if (number !== undefined) return number;
    throw new CompileError(
      `"${value}" is neither a duration nor a size: write a number and a unit, as in "100us" or "4KiB"`,
      here(),
    );
  }

  #make(node: Expression & Literal): Condition<unknown> {
    const at = this.#at ?? here();
    return new Condition(at === undefined ? node : { ...node, at });
  }

  #compare(is: Comparison, value: Value): Condition<unknown> {
    return this.#make({ op: "compare", field: this.path, is, value });
  }

  #text(test: TextTest, pattern: string): Condition<unknown> {
    return this.#make({ op: "text", field: this.path, test, pattern });
  }

  eq(value: Value) {
    return this.#compare("eq", this.#value(value));
  }
  ne(value: Value) {
    return this.#compare("ne", this.#value(value));
  }
  lt(value: Value) {
    return this.#compare("lt", this.#number(value));
  }
  le(value: Value) {
    return this.#compare("le", this.#number(value));
  }
  gt(value: Value) {
    return this.#compare("gt", this.#number(value));
  }
  ge(value: Value) {
    return this.#compare("ge", this.#number(value));
  }
  between(low: Value, high: Value) {
    return this.ge(low).and(this.le(high));
  }
  in(...values: Value[]) {
    return this.#make({
      op: "among",
      field: this.path,
      values: values.map((value) => this.#value(value)),
    });
  }
  has(mask: number) {
    return this.#make({ op: "bits", field: this.path, mask });
  }
  glob(pattern: string) {
    return this.#text("glob", pattern);
  }
  startsWith(start: string) {
    return this.#text("startsWith", start);
  }
  endsWith(end: string) {
    return this.#text("endsWith", end);
  }
  includes(part: string) {
    return this.#text("includes", part);
  }
  isForeign() {
    return this.#make({ op: "foreign", field: this.path });
  }
}

const KINDS: { readonly [N in keyof CommonKinds]: CommonKinds[N] } = {
  ts: "time",
  cpu: "number",
  pid: "number",
  comm: "text",
  name: "text",
  func: "function",
  caller: "function",
  depth: "number",
  duration: "duration",
  ret: "number",
};

function make<T>(path: string, kind?: FieldKind, at?: SourcePlace): T {
  // The types above say which of the methods a kind has.
  return new Field(path, kind, at) as unknown as T;
}

/**
 * When, in ns of the guest's trace clock; of a call: when it returned.
 *
 * @example
 * ```ts
 * import { sys_openat, trace, ts } from "xftrace";
 *
 * const last = trace(sys_openat).top(1, ts);
 * ```
 */
export const ts: DurationField<Pick<CommonKinds, "ts">> = make("ts", "time");
/**
 * The CPU that it happened on.
 *
 * @example
 * ```ts
 * import { cpu, sys_openat, trace } from "xftrace";
 *
 * const byProcessor = trace(sys_openat).count(cpu);
 * ```
 */
export const cpu: NumberField<Pick<CommonKinds, "cpu">> = make("cpu", "number");
/**
 * The thread that ran.
 *
 * @example
 * ```ts
 * import { pid, sys_openat, trace } from "xftrace";
 *
 * const ofOne = trace(sys_openat).filter(pid.eq(1)).count();
 * ```
 */
export const pid: NumberField<Pick<CommonKinds, "pid">> = make("pid", "number");
/**
 * The command of the thread that ran.
 *
 * @example
 * ```ts
 * import { comm, open, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const byCommand = await trace(sys_openat).on(guest).count(comm);
 * console.log(byCommand.get("ls"));
 * ```
 */
export const comm: TextField<Pick<CommonKinds, "comm">> = make("comm", "text");
/**
 * The event's name; of a call, the function's.
 *
 * @example
 * ```ts
 * import { event, name } from "xftrace";
 *
 * const byName = event("sched:*").count(name);
 * ```
 */
export const name: TextField<Pick<CommonKinds, "name">> = make("name", "text");
/**
 * Of a call: the function.
 *
 * @example
 * ```ts
 * import { fn, func, trace } from "xftrace";
 *
 * const byFunction = trace(fn("vfs_*")).count(func);
 * ```
 */
export const func: FunctionField<Pick<CommonKinds, "func">> = make(
  "func",
  "function",
);
/**
 * Of a call: the function that called it.
 *
 * @example
 * ```ts
 * import { caller, fn, trace } from "xftrace";
 *
 * const foreign = trace(fn("vfs_*")).filter(caller.isForeign()).print();
 * ```
 */
export const caller: FunctionField<Pick<CommonKinds, "caller">> = make(
  "caller",
  "function",
);
/**
 * Of a call: levels below the outermost function asked for.
 *
 * @example
 * ```ts
 * import { depth, sys_openat, trace } from "xftrace";
 *
 * const shallow = trace(sys_openat).depth(5).filter(depth.lt(3)).print();
 * ```
 */
export const depth: NumberField<Pick<CommonKinds, "depth">> = make(
  "depth",
  "number",
);
/**
 * Of a call: from entry to return.
 *
 * @example
 * ```ts
 * import { duration, open, sys_openat, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * console.log(`${await trace(sys_openat).on(guest).hist(duration)}`);
 * ```
 */
export const duration: DurationField<Pick<CommonKinds, "duration">> = make(
  "duration",
  "duration",
);
/**
 * Of a call: the return value.
 *
 * @example
 * ```ts
 * import { ret, sys_openat, trace } from "xftrace";
 *
 * const failed = trace(sys_openat).filter(ret.lt(0)).count(ret);
 * ```
 */
export const ret: NumberField<Pick<CommonKinds, "ret">> = make("ret", "number");

/**
 * A field by its name: one that the language knows (`duration`), or an
 * event's own (`prev_comm`).
 *
 * @example
 * ```ts
 * import { event, field } from "xftrace";
 *
 * const ofInit = event("sched:sched_switch").filter(field("prev_comm").eq("init"));
 * ```
 */
export function field<N extends keyof CommonKinds>(
  name: N,
): FieldOf<CommonKinds[N], Pick<CommonKinds, N>>;
/** A field by any name, checked when the trace is compiled. */
export function field<N extends string>(name: N): AnyField<N, false>;
export function field(name: string): unknown {
  return new Field(
    name,
    Object.hasOwn(KINDS, name) ? KINDS[name as keyof CommonKinds] : undefined,
    here(),
  );
}

/**
 * A system call's argument, or an event's own field, by any name.
 *
 * @example
 * ```ts
 * import { arg, sys_openat, trace } from "xftrace";
 *
 * const passwords = trace(sys_openat).filter(arg("filename").eq("/etc/shadow"));
 * ```
 */
export function arg<N extends string>(name: N): AnyField<N, true> {
  return make(`args.${name}`, undefined, here());
}

/**
 * Arguments of system calls and events' own fields: `args.filename`. Names
 * that no kernel is known to have do not compile; see {@linkcode arg}.
 *
 * @example
 * ```ts
 * import { args, sys_read, trace } from "xftrace";
 *
 * const large = trace(sys_read).filter(args.count.gt("64KiB")).count();
 * ```
 */
export const args: {
  readonly [N in keyof KnownArguments & string]: AnyField<N, true>;
} = new Proxy(Object.create(null), {
  get: (_target, name) => typeof name === "string" ? arg(name) : undefined,
});
