/**
 * The sources with which a trace begins: calls, system calls, events.
 *
 * @module
 */
import type { TraceSpec } from "../engine/query/spec.ts";
import { here } from "./errors.ts";
import { reference } from "./functions.ts";
import type { TracedFunction } from "./names/functions.ts";
import { Trace } from "./trace.ts";
import type {
  AllArguments,
  CallFields,
  EventFields,
  EventName,
  OwnFields,
} from "./types.ts";

function spec(source: TraceSpec["source"]): TraceSpec {
  const at = here();
  return {
    source,
    under: [],
    filters: [],
    from: [],
    until: [],
    ...(at === undefined ? {} : { at }),
  };
}

/**
 * Calls of kernel functions: an event for each call, when it returns. Without
 * arguments: of all functions that the guest traces.
 *
 *     trace(sys_openat).filter(duration.gt("1ms")).print()
 *     trace(kernel.vfs_read, fn("ext4_*")).count(func)
 *
 * @example
 * ```ts
 * import { func, open, sys_openat, sys_read, trace } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const calls = trace(sys_openat, sys_read).on(guest);
 * console.log(`${await calls.count(func)}`);
 * ```
 */
export function trace<
  const T extends readonly (TracedFunction<unknown> | string)[],
>(...functions: T): Trace<CallFields<AllArguments<T>>, "calls"> {
  return new Trace(
    spec({ kind: "calls", functions: functions.map(reference) }),
    "calls",
  );
}

/**
 * System calls: all of them, or those whose names match (`"open*"`).
 *
 * @example
 * ```ts
 * import { func, open, syscalls } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * console.log(`${await syscalls("open*").on(guest).count(func)}`);
 * ```
 */
export function syscalls(
  ...names: string[]
): Trace<CallFields<never>, "calls"> {
  const globs = names.length === 0 ? ["*"] : names;
  return new Trace(
    spec({
      kind: "calls",
      functions: globs.map((name) =>
        reference(name.startsWith("sys_") ? name : `sys_${name}`)
      ),
    }),
    "calls",
  );
}

/**
 * Trace events, by `system:name`, by name, or by glob.
 *
 *     event("sched:sched_switch").count("next_comm")
 *
 * @example
 * ```ts
 * import { event, open } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const switches = event("sched:sched_switch").on(guest);
 * console.log(`${await switches.count("next_comm")}`);
 * ```
 */
export function event<N extends EventName>(
  name: N,
): Trace<EventFields<OwnFields<N>>, "events">;
/** Several events, or globs over events. */
export function event(...names: string[]): Trace<never, "events">;
export function event(...names: string[]): unknown {
  return new Trace<never, "events">(
    spec({ kind: "events", names: names.map(reference) }),
    "events",
  );
}
