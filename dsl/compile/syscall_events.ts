/**
 * Pass: finds the events `sys_enter_*` and `sys_exit_*` of system calls.
 *
 * @module
 */
import type { SyscallFormat } from "../../engine/ftrace/events/formats.ts";
import type { TargetFacts } from "../../engine/query/facts.ts";
import type {
  FunctionTarget,
  SyscallTarget,
} from "../../engine/query/program.ts";

/**
 * Pairs entry functions of system calls with their events; functions for which
 * the kernel has none are left out.
 */
export function syscallEvents(
  functions: readonly FunctionTarget[],
  facts: TargetFacts,
): (SyscallTarget & { readonly enabled: boolean })[] {
  const events = new Map(
    facts.events.all.filter((event) => event.system === "syscalls")
      .map((event) => [event.name, event]),
  );
  return functions.flatMap((target) => {
    const short = facts.functions.syscalls.short(target.name);
    const call = short.replace(/^sys_/, "");
    const enter = events.get(`sys_enter_${call}`);
    const exit = events.get(`sys_exit_${call}`);
    if (enter === undefined || exit === undefined) return [];
    const format = facts.events.format(enter.id)?.syscall;
    if (format === undefined) return [];
    return [{
      name: `sys_${call}`,
      addresses: target.addresses,
      enter: enter.id,
      exit: exit.id,
      args: format.args,
      types: format.types,
      ...recordedStrings(format),
      enabled: enter.enabled && exit.enabled,
    }];
  });
}

/** Offset in an enter event of the first argument (trace_syscalls.c). */
const VALUES = 16;

/** Where the enter event holds the strings that arguments point to. */
function recordedStrings(
  { user, args }: SyscallFormat,
): Pick<SyscallTarget, "strings"> {
  if (user === undefined) return {};
  // Bytes with a size (those of `write`) are no strings.
  const text = user.sizeArgument < 0 || user.isString;
  const recorded = args.map((_, arg) => arg)
    .filter((arg) => (user.mask >> arg & 1) === 1);
  const strings = recorded.map((arg, i) => ({
    arg,
    at: VALUES + 8 * args.length + 4 * i,
  }));
  return text && strings.length > 0 ? { strings } : {};
}
