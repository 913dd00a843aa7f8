/**
 * Resolves the names that users write to functions of the kernel: a system call
 * (`sys_open`) resolves to its entry function and to those of the calls that
 * programs use in its place today.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { isGlob } from "../../base/glob.ts";
import { didYouMean } from "../../base/near_names.ts";
import type { FunctionIndex } from "./index.ts";
import { namedSyscall } from "./successors.ts";

/** A function, or several functions of the same name. */
export interface NamedFunction {
  /** The symbol's name. */
  readonly name: string;
  /** GVAs of those that can be traced. */
  readonly addresses: readonly bigint[];
}

/** A requested name and the functions it resolves to in this kernel. */
export interface NamedFunctions {
  /** The name as it was given. */
  readonly asked: string;
  /** The functions; each name appears once. */
  readonly functions: readonly NamedFunction[];
  /**
   * Those among the names for which programs call another function today; it
   * does no harm when these are never called.
   */
  readonly outdated: readonly string[];
  /** One sentence that says what programs call in its place today. */
  readonly note?: string;
}

/** Maximum number of suggestions for an unknown name. */
const MOST_NEAR = 3;

/**
 * Resolves one name: a system call (`sys_read`), a kernel function, or a glob
 * over functions (`vfs_*`, `sys_open*`).
 *
 * @throws {KernelError} when the kernel has no such function (with
 * suggestions), or cannot trace it.
 */
export function resolveFunctions(
  index: FunctionIndex,
  asked: string,
): NamedFunctions {
  const names = index.syscalls.spellings(asked);
  if (isGlob(asked)) {
    const functions = index.glob(names[0]).flatMap((name) =>
      functionOf(index, name)
    );
    if (functions.length > 0) return { asked, functions, outdated: [] };
    throw new KernelError(
      `no function of the kernel ${index.kernel} matches "${asked}"`,
    );
  }
  const found = index.syscalls.isSyscall(asked)
    ? syscall(index, asked)
    : { functions: functionOf(index, asked), outdated: [] };
  if (found.functions.length === 0) throw unknown(index, asked);
  const functions = found.functions.map(({ name, addresses }) => ({
    name,
    addresses: addresses.filter((at) => index.state(at) !== "untraceable"),
  })).filter(({ addresses }) => addresses.length > 0);
  if (functions.length === 0) {
    throw new KernelError(
      `"${asked}" cannot be traced: the kernel has it without a call to Ftrace; trace a function that calls it, or one that it calls`,
    );
  }
  return { asked, ...found, functions };
}

/** The function with that name, in a list; empty when there is none. */
function functionOf(index: FunctionIndex, name: string): NamedFunction[] {
  const addresses = index.addresses(name);
  return addresses.length === 0 ? [] : [{ name, addresses }];
}

function syscall(
  index: FunctionIndex,
  asked: string,
): Omit<NamedFunctions, "asked"> {
  const { syscalls } = index;
  const entry = (call: string) =>
    syscalls.spellings(`sys_${call}`)
      .flatMap((name) => functionOf(index, name)).slice(0, 1);
  const call = /^(?:sys|SyS)_(.*)$/s.exec(asked)?.[1];
  // The full name means this function only.
  if (call === undefined) {
    return { functions: functionOf(index, asked), outdated: [] };
  }
  const { own, today } = namedSyscall(call);
  const old = entry(own);
  const newer = today.flatMap((name) =>
    entry(name).map((each) => ({ ...each, call: name }))
  );
  if (newer.length === 0) {
    return {
      functions: old.length > 0 ? old : functionOf(index, asked),
      outdated: [],
    };
  }
  return {
    functions: [
      ...old,
      ...newer.map(({ name, addresses }) => ({ name, addresses })),
    ],
    outdated: old.map(({ name }) => name),
    note: `${asked}: programs of today call ${
      newer.map((each) => each.call).join(" or ")
    } for it, which is traced${old.length > 0 ? " too" : ""}`,
  };
}

function unknown(index: FunctionIndex, asked: string): KernelError {
  const { kernel, syscalls } = index;
  const near = index.near(syscalls.entry(asked)).map((name) =>
    syscalls.short(name)
  );
  return new KernelError(
    `the kernel ${kernel} has no function "${asked}"${
      didYouMean([...new Set(near)].slice(0, MOST_NEAR))
    }`,
  );
}

/** Remarks about the resolved names for the user, one sentence each. */
export function functionNotes(named: readonly NamedFunctions[]): string[] {
  return named.flatMap(({ asked, functions, note }) => {
    if (note !== undefined) return [note];
    const count = functions.reduce(
      (sum, { addresses }) => sum + addresses.length,
      0,
    );
    if (isGlob(asked)) return [`${asked} matches ${count} functions`];
    return count > 1
      ? [`${asked} names ${count} functions: all are meant`]
      : [];
  });
}
