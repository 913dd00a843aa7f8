/**
 * A snapshot without a guest, for tests of the view.
 *
 * @module
 */
import type { TopFunction, TopSnapshot, TopSyscall } from "xftrace/output";
import type { TopFacts } from "./head.ts";
import type { Shown } from "./view.ts";

/** Names by their numbers. */
const NAMES = ["vfs_read", "vfs_write", "rw_verify_area", "ext4_file_read"];

/** A function with `calls` calls of a microsecond each. */
export function func(id: number, calls: number): TopFunction {
  return {
    key: `f${id}`,
    id,
    name: NAMES[id] ?? `f${id}`,
    calls,
    rate: calls / 2,
    total: 1000 * calls,
    share: calls / 1e6,
    self: 400 * calls,
    p50: 900,
    p99: 1500 + id,
    max: 2000 + id,
    longest: [0, 2000 + id, 1000],
    foreign: false,
  };
}

/** A process's use of a system call. */
export function syscall(
  process: string,
  name: string,
  calls: number,
  errors: readonly (readonly [number, number])[] = [],
): TopSyscall {
  return {
    key: `s${process} ${name}`,
    process,
    name,
    calls,
    rate: calls,
    total: 500 * calls,
    share: calls / 1e6,
    max: 700,
    longest: [700],
    errors: new Map(errors),
  };
}

/** vfs_read calls rw_verify_area and ext4_file_read, which calls vfs_write. */
const CALLEES: Readonly<Record<string, readonly number[]>> = {
  "0": [2, 3],
  "0/3": [1],
};

/** Facts of a guest that records. */
export const FACTS: TopFacts = {
  target: "qemu:web1",
  tracer: "function_graph",
  recording: true,
  seconds: 12.34,
  rate: 100,
  lost: 0,
  dropped: 0,
  inNs: true,
};

/** Functions, system calls and what is below them. */
export function shownOf(
  functions: readonly TopFunction[],
  more: Partial<TopSnapshot> = {},
  facts: Partial<TopFacts> = {},
): Shown {
  return {
    facts: { ...FACTS, ...facts },
    snapshot: {
      count: 1234,
      functions,
      syscalls: [],
      events: [],
      longest: [1000, 3000],
      lost: new Map(),
      foreign: 0,
      leftOut: [],
      graph: {
        calleesOf: (path) =>
          (CALLEES[path.join("/")] ?? []).map((name) => ({
            name,
            calls: 10 - name,
            total: 100 * (10 - name),
            self: 50,
          })),
      },
      nameOf: (id) => NAMES[id] ?? `f${id}`,
      ...more,
    },
  };
}
