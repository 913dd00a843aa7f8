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

/** For the type checker only: marks the fields that a source must have. */
declare const NEEDS: unique symbol;

/** Any field, by which sinks such as `count()` can group. */
export interface FieldRef<in F> {
  /** For the type checker only: which field it is. */
  readonly [NEEDS]?: (fields: F) => void;
  /** The field's name in an event: `duration`, `args.filename`. */
  readonly path: string;
}

/** A field whose values are ordered. */
export interface Ordered<F, V> extends FieldRef<F> {
  /** Equal to the value. */
  eq(value: V): Condition<F>;
  /** Not equal to the value. */
  ne(value: V): Condition<F>;
  /** Less than the value. */
  lt(value: V): Condition<F>;
  /** Less than or equal to the value. */
  le(value: V): Condition<F>;
  /** Greater than the value. */
  gt(value: V): Condition<F>;
  /** Greater than or equal to the value. */
  ge(value: V): Condition<F>;
  /** From `low` to `high`, both included. */
  between(low: V, high: V): Condition<F>;
  /** Equal to one of the values. */
  in(...values: V[]): Condition<F>;
}

/** A field that holds plain numbers. */
export interface NumberField<F> extends Ordered<F, number | bigint> {
  /** All bits of `mask` are set. */
  has(mask: number): Condition<F>;
}

/**
 * A field that holds durations or times: compared with ns, or text with a unit.
 */
export interface DurationField<F> extends Ordered<F, Duration | number> {
  readonly path: string;
}

/** A field that holds sizes: compared with bytes, or text with a unit. */
export interface SizeField<F> extends Ordered<F, Size | number> {
  readonly path: string;
}

/** A field that holds text. */
export interface TextField<F> extends FieldRef<F> {
  /** Equal to the value. */
  eq(value: string): Condition<F>;
  /** Not equal to the value. */
  ne(value: string): Condition<F>;
  /** Equal to one of the texts. */
  in(...values: string[]): Condition<F>;
  /** Matches a glob: `*`, `?`, `[a-z]`. */
  glob(pattern: string): Condition<F>;
  /** Begins with this text. */
  startsWith(start: string): Condition<F>;
  /** Ends with this text. */
  endsWith(end: string): Condition<F>;
  /** Contains this text. */
  includes(part: string): Condition<F>;
}

/** A field that holds a kernel function, compared by its name. */
export interface FunctionField<F> extends TextField<F> {
  /**
   * The function's address lies outside the text of the kernel and of all known
   * modules.
   */
  isForeign(): Condition<F>;
}

type Numeric = "number" | "duration" | "size" | "time" | "address";
type Textual = "text" | "function";

/** `{ name: kind }`, or `{ args: { name: kind } }`. */
type Need<N extends string, A extends boolean, K> = A extends true
  ? { readonly args: { readonly [P in N]: K } }
  : { readonly [P in N]: K };

/**
 * A field that the language does not know: its kind follows from what it is
 * compared with, and is checked when the trace is compiled.
 */
export interface AnyField<N extends string, A extends boolean>
  extends FieldRef<Need<N, A, FieldKind>> {
  /** Equal to the value. */
  eq(value: number | bigint): Condition<Need<N, A, Numeric>>;
  /** Equal to the text. */
  eq(value: string): Condition<Need<N, A, Textual>>;
  /** Not equal to the value. */
  ne(value: number | bigint): Condition<Need<N, A, Numeric>>;
  /** Not equal to the text. */
  ne(value: string): Condition<Need<N, A, Textual>>;
  /** Less than the value. */
  lt(value: number | bigint | Duration | Size): Condition<Need<N, A, Numeric>>;
  /** Less than or equal to the value. */
  le(value: number | bigint | Duration | Size): Condition<Need<N, A, Numeric>>;
  /** Greater than the value. */
  gt(value: number | bigint | Duration | Size): Condition<Need<N, A, Numeric>>;
  /** Greater than or equal to the value. */
  ge(value: number | bigint | Duration | Size): Condition<Need<N, A, Numeric>>;
  /** From `low` to `high`, both included. */
  between(
    low: number | bigint,
    high: number | bigint,
  ): Condition<Need<N, A, Numeric>>;
  /** Equal to one of the values. */
  in(...values: number[]): Condition<Need<N, A, Numeric>>;
  /** Equal to one of the texts. */
  in(...values: string[]): Condition<Need<N, A, Textual>>;
  /** All bits of `mask` are set. */
  has(mask: number): Condition<Need<N, A, Numeric>>;
  /** Matches a glob: `*`, `?`, `[a-z]`. */
  glob(pattern: string): Condition<Need<N, A, Textual>>;
  /** Begins with this text. */
  startsWith(start: string): Condition<Need<N, A, Textual>>;
  /** Ends with this text. */
  endsWith(end: string): Condition<Need<N, A, Textual>>;
  /** Contains this text. */
  includes(part: string): Condition<Need<N, A, Textual>>;
  /**
   * The function's address lies outside the text of the kernel and of all known
   * modules.
   */
  isForeign(): Condition<Need<N, A, "function">>;
}

/** Kinds of the fields that the language itself provides. */
export interface CommonKinds {
  /** Time in ns of the guest's trace clock; for a call, when it returned. */
  readonly ts: "time";
  /** The CPU on which it happened. */
  readonly cpu: "number";
  /** Id of the thread that ran. */
  readonly pid: "number";
  /** The thread's command name. */
  readonly comm: "text";
  /** The event's name; for a call, the function's. */
  readonly name: "text";
  /** Calls only: the function that was called. */
  readonly func: "function";
  /** Calls only: the function that made the call. */
  readonly caller: "function";
  /** Calls only: nesting level below the outermost function asked for. */
  readonly depth: "number";
  /** Calls only: time from entry to return. */
  readonly duration: "duration";
  /** Calls only: the return value. */
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

/**
 * The implementation of all field types; the interfaces restrict what may be
 * called.
 */
class Field implements FieldRef<never> {
  readonly path: string;
  readonly #kind: FieldKind | undefined;
  readonly #at: SourcePlace | undefined;

  /**
   * @param at where the script names the field; default: where it compares it
   */
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

  /**
   * The number that an ordered comparison uses: a text must be one with a unit.
   */
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
  // The interfaces above say which of the methods a kind has.
  return new Field(path, kind, at) as unknown as T;
}

/**
 * Time in ns of the guest's trace clock; for a call, when it returned.
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
 * The CPU on which it happened.
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
 * Id of the thread that ran.
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
 * Command name of the thread that ran.
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
 * The event's name; for a call, the function's.
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
 * The function that was called (calls only).
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
 * The function that made the call (calls only).
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
 * Nesting level below the outermost function asked for (calls only).
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
 * Time from entry to return (calls only).
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
 * The return value (calls only).
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
 * A field by name: one that the language provides (`duration`), or one of the
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
 * A system call's argument, or one of an event's own fields, by any name.
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
 * Arguments of system calls and events' own fields: `args.filename`. Only names
 * of known kernels compile; {@linkcode arg} takes any name.
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
