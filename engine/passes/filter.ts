/**
 * Compiles filter expressions to loops over columns. Each part processes all
 * rows of a batch before the next part does, and no object is created for an
 * event.
 *
 * @module
 */
import type {
  Access,
  Accessor,
  AddressAccess,
  TextAccess,
} from "./fields/access.ts";
import {
  type Comparison,
  conjuncts,
  type Expression,
  type ProcessSpec,
} from "../query/expression.ts";
import type { Frame } from "./fields/frame.ts";
import { globRegExp } from "../base/glob.ts";

/**
 * Keeps the rows that pass: compacts the first `n` of `rows` in place.
 *
 * @returns the number of rows kept.
 */
export type RowFilter = (frame: Frame, rows: Uint32Array, n: number) => number;

/** Sets `mask[i]` according to whether row `rows[i]` passes. */
type Mask = (
  frame: Frame,
  rows: Uint32Array,
  n: number,
  mask: Uint8Array,
) => void;

/** Creates the test whether a thread belongs to the specified processes. */
export type ProcessTest = (who: ProcessSpec) => (pid: number) => boolean;

/** What filters need in addition to the fields. */
export interface FilterContext {
  readonly access: Accessor;
  readonly process: ProcessTest;
  /**
   * The form in which names in a field of kind `function` are compared: the
   * short form for system calls, `sys_openat`.
   */
  readonly functionName?: (name: string) => string;
}

let scratch = new Float64Array(0);

function numbers(n: number): Float64Array {
  if (scratch.length < n) scratch = new Float64Array(Math.max(n, 65536));
  return scratch;
}

/** Compiles an expression; the parts of an `and` run one after the other. */
export function compileFilter(
  node: Expression,
  context: FilterContext,
): RowFilter {
  const masks = conjuncts(node).map((part) => compileMask(part, context));
  let mask = new Uint8Array(0);
  return (frame, rows, n) => {
    if (mask.length < n) mask = new Uint8Array(Math.max(n, 65536));
    let left = n;
    for (const each of masks) {
      if (left === 0) return 0;
      each(frame, rows, left, mask);
      left = compact(rows, left, mask);
    }
    return left;
  };
}

/** Moves the rows whose mask is set to the front. */
export function compact(
  rows: Uint32Array,
  n: number,
  mask: Uint8Array,
): number {
  let out = 0;
  for (let i = 0; i < n; i++) {
    rows[out] = rows[i];
    out += mask[i];
  }
  return out;
}

function compileMask(node: Expression, context: FilterContext): Mask {
  switch (node.op) {
    case "all":
    case "any":
      return joined(
        node.of.map((part) => compileMask(part, context)),
        node.op === "all",
      );
    case "not": {
      const inner = compileMask(node.of, context);
      return (frame, rows, n, mask) => {
        inner(frame, rows, n, mask);
        for (let i = 0; i < n; i++) mask[i] ^= 1;
      };
    }
    case "process": {
      const test = context.process(node.who);
      return (frame, rows, n, mask) => {
        const pids = frame.columns.pid;
        const known = new Map<number, number>();
        for (let i = 0; i < n; i++) {
          const pid = pids[rows[i]];
          let is = known.get(pid);
          if (is === undefined) {
            is = test(pid) ? 1 : 0;
            known.set(pid, is);
          }
          mask[i] = is;
        }
      };
    }
    default:
      return compileLeaf(node, context);
  }
}

function joined(parts: readonly Mask[], all: boolean): Mask {
  let other = new Uint8Array(0);
  return (frame, rows, n, mask) => {
    mask.fill(all ? 1 : 0, 0, n);
    if (other.length < n) other = new Uint8Array(Math.max(n, 65536));
    for (const part of parts) {
      part(frame, rows, n, other);
      if (all) { for (let i = 0; i < n; i++) mask[i] &= other[i]; }
      else for (let i = 0; i < n; i++) mask[i] |= other[i];
    }
  };
}

const nothing: Mask = (_frame, _rows, n, mask) => {
  mask.fill(0, 0, n);
};

function compileLeaf(
  node: Exclude<Expression, { op: "all" | "any" | "not" | "process" }>,
  context: FilterContext,
): Mask {
  const access = context.access(node.field);
  if (access === undefined) return nothing;
  switch (node.op) {
    case "foreign":
      return access.shape === "text" && access.foreign !== undefined
        ? perRow(access.foreign, access.key)
        : nothing;
    case "text": {
      if (access.shape !== "text") return nothing;
      const { test, pattern } = node;
      return textMask(access, textTest(test, named(pattern, access, context)));
    }
    case "bits": {
      const { mask: wanted } = node;
      if (access.shape === "text") return nothing;
      if (access.shape === "address") {
        return perRow((frame, row) =>
          access.has(frame, row) &&
          ((access.lo(frame, row) & wanted) >>> 0) === wanted >>> 0
        );
      }
      return (frame, rows, n, mask) => {
        const values = numbers(n);
        access.load(frame, rows, n, values);
        for (let i = 0; i < n; i++) {
          const value = values[i];
          mask[i] = value === value &&
              ((value & wanted) >>> 0) === wanted >>> 0
            ? 1
            : 0;
        }
      };
    }
    case "among": {
      const parts = node.values.map((value) =>
        compareMask(access, "eq", value, context)
      );
      return joined(parts, false);
    }
    case "compare":
      return compareMask(access, node.is, node.value, context);
  }
}

function compareMask(
  access: Access,
  is: Comparison,
  value: number | bigint | string,
  context: FilterContext,
): Mask {
  if (access.shape === "text") {
    if (typeof value !== "string") return nothing;
    const wanted = named(value, access, context);
    return textMask(access, stringTest(is, wanted));
  }
  if (typeof value === "string") return nothing;
  if (access.shape === "address") return addressMask(access, is, value);
  const limit = Number(value);
  const loop = NUMBER_LOOPS[is];
  return (frame, rows, n, mask) => {
    const values = numbers(n);
    access.load(frame, rows, n, values);
    loop(values, n, limit, mask);
  };
}

type NumberLoop = (
  values: Float64Array,
  n: number,
  limit: number,
  mask: Uint8Array,
) => void;

// A missing field is NaN, for which all comparisons must be false.
const NUMBER_LOOPS: Record<Comparison, NumberLoop> = {
  eq(values, n, limit, mask) {
    for (let i = 0; i < n; i++) mask[i] = values[i] === limit ? 1 : 0;
  },
  ne(values, n, limit, mask) {
    for (let i = 0; i < n; i++) {
      mask[i] = values[i] < limit || values[i] > limit ? 1 : 0;
    }
  },
  lt(values, n, limit, mask) {
    for (let i = 0; i < n; i++) mask[i] = values[i] < limit ? 1 : 0;
  },
  le(values, n, limit, mask) {
    for (let i = 0; i < n; i++) mask[i] = values[i] <= limit ? 1 : 0;
  },
  gt(values, n, limit, mask) {
    for (let i = 0; i < n; i++) mask[i] = values[i] > limit ? 1 : 0;
  },
  ge(values, n, limit, mask) {
    for (let i = 0; i < n; i++) mask[i] = values[i] >= limit ? 1 : 0;
  },
};

/**
 * Whether a comparison holds when the order of the values is -1, 0 or 1 (less,
 * equal, greater).
 */
function holds(is: Comparison, order: number): boolean {
  switch (is) {
    case "eq":
      return order === 0;
    case "ne":
      return order !== 0;
    case "lt":
      return order < 0;
    case "le":
      return order <= 0;
    case "gt":
      return order > 0;
    case "ge":
      return order >= 0;
  }
}

function addressMask(
  access: AddressAccess,
  is: Comparison,
  value: number | bigint,
): Mask {
  const wide = BigInt.asUintN(64, BigInt(value));
  const lo = Number(wide & 0xffffffffn);
  const hi = Number(wide >> 32n);
  return perRow((frame, row) => {
    if (!access.has(frame, row)) return false;
    const h = access.hi(frame, row);
    const order = h === hi ? Math.sign(access.lo(frame, row) - lo) : h - hi;
    return holds(is, order);
  });
}

function stringTest(is: Comparison, wanted: string): (t: string) => boolean {
  if (is === "eq") return (text) => text === wanted;
  if (is === "ne") return (text) => text !== wanted;
  return (text) => holds(is, text < wanted ? -1 : text === wanted ? 0 : 1);
}

function textTest(
  test: "glob" | "startsWith" | "endsWith" | "includes",
  pattern: string,
): (text: string) => boolean {
  switch (test) {
    case "glob": {
      const regExp = globRegExp(pattern);
      return (text) => regExp.test(text);
    }
    case "startsWith":
      return (text) => text.startsWith(pattern);
    case "endsWith":
      return (text) => text.endsWith(pattern);
    case "includes":
      return (text) => text.includes(pattern);
  }
}

function named(
  name: string,
  access: TextAccess,
  context: FilterContext,
): string {
  return access.kind === "function" && context.functionName !== undefined
    ? context.functionName(name)
    : name;
}

function textMask(
  access: TextAccess,
  test: (text: string) => boolean,
): Mask {
  return perRow((frame, row) => {
    const text = access.at(frame, row);
    return text !== undefined && test(text);
  }, access.key);
}

/** A test of single rows, whose result is cached for each key of a batch. */
function perRow(
  test: (frame: Frame, row: number) => boolean,
  key?: (frame: Frame, row: number) => number,
): Mask {
  if (key === undefined) {
    return (frame, rows, n, mask) => {
      for (let i = 0; i < n; i++) mask[i] = test(frame, rows[i]) ? 1 : 0;
    };
  }
  return (frame, rows, n, mask) => {
    const known = new Map<number, number>();
    // Consecutive rows often belong to the same task or function.
    let last = NaN;
    let is = 0;
    for (let i = 0; i < n; i++) {
      const row = rows[i];
      const k = key(frame, row);
      if (k !== last) {
        last = k;
        const found = known.get(k);
        if (found === undefined) {
          is = test(frame, row) ? 1 : 0;
          known.set(k, is);
        } else is = found;
      }
      mask[i] = is;
    }
  };
}
