/**
 * Target strings: `qemu:NAME`, `pid:N`, `file:PATH`, `core:PATH`,
 * `dat:PATH`, `xfs:PATH`. Pure.
 *
 * @module
 */

import { EXIT, XftraceError } from "../base/errors.ts";

/** A parsed target string. */
export type TargetSpec =
  /** A VM by its name (or UUID). */
  | { readonly kind: "qemu"; readonly name: string }
  /** A VM by the pid of its process. */
  | { readonly kind: "pid"; readonly pid: number }
  /** A memory file, either of a running VM or left over. */
  | { readonly kind: "file"; readonly path: string }
  /** A dump of memory or a snapshot. */
  | { readonly kind: "core"; readonly path: string }
  /** A trace.dat: events without the guest's memory. */
  | { readonly kind: "dat"; readonly path: string }
  /** A sealed recording: verified entries without the guest's memory. */
  | { readonly kind: "xfs"; readonly path: string };

/**
 * The forms of target strings, for messages and help.
 *
 * @example
 * ```ts
 * import { TARGET_FORMS } from "xftrace/targets";
 *
 * console.log(TARGET_FORMS); // qemu:NAME, pid:N, file:PATH, core:PATH, dat:PATH or xfs:PATH
 * ```
 */
export const TARGET_FORMS =
  "qemu:NAME, pid:N, file:PATH, core:PATH, dat:PATH or xfs:PATH";

/**
 * Parses a target string.
 *
 * @throws {XftraceError} (exit code 64) when it has another form.
 *
 * @example
 * ```ts
 * import { parseTarget } from "xftrace/targets";
 *
 * console.log(parseTarget("qemu:web1")); // { kind: "qemu", name: "web1" }
 * ```
 */
export function parseTarget(text: string): TargetSpec {
  const usage = (what: string) =>
    new XftraceError(what, { exitCode: EXIT.usage });
  const at = text.indexOf(":");
  const kind = text.slice(0, Math.max(at, 0));
  const rest = text.slice(at + 1);
  if (at > 0 && rest === "") {
    throw usage(
      `the target "${text}" is incomplete; a target is ${TARGET_FORMS}`,
    );
  }
  switch (kind) {
    case "qemu":
      return { kind, name: rest };
    case "pid": {
      if (!/^[1-9]\d{0,9}$/.test(rest)) {
        throw usage(`the target "${text}" needs a process id, like pid:1234`);
      }
      return { kind, pid: Number(rest) };
    }
    case "file":
    case "core":
    case "dat":
    case "xfs":
      return { kind, path: rest };
    default: {
      const hint = text.includes("/") || text.includes(".")
        ? /\.(?:dat|xfs)$/.test(text)
          ? `; did you mean ${text.slice(-3)}:${text}?`
          : `; did you mean file:${text} or core:${text}?`
        : /^\d+$/.test(text)
        ? `; did you mean pid:${text}?`
        : text !== "" && at < 0
        ? `; did you mean qemu:${text}?`
        : "";
      throw usage(
        `"${text}" is not a target; a target is ${TARGET_FORMS}${hint}`,
      );
    }
  }
}

/**
 * The target string for this target; the inverse of {@linkcode parseTarget}.
 */
export function formatTarget(spec: TargetSpec): string {
  switch (spec.kind) {
    case "qemu":
      return `qemu:${spec.name}`;
    case "pid":
      return `pid:${spec.pid}`;
    default:
      return `${spec.kind}:${spec.path}`;
  }
}

/**
 * The error for a command that needs the guest's memory, which a trace.dat or a
 * sealed recording does not hold.
 *
 * @example
 * ```ts
 * import { withoutMemory } from "xftrace/targets";
 *
 * console.log(withoutMemory("dat:trace.dat").message);
 * ```
 */
export function withoutMemory(target: string): XftraceError {
  const readers = target.startsWith("xfs:")
    ? "verify, report, convert and open read such a file"
    : "report, events, eval and convert read such a file";
  return new XftraceError(
    `${target} holds events without the guest's memory, which is needed here; only ${readers}`,
    { exitCode: EXIT.usage },
  );
}
