/**
 * `process()`: a condition on the process that runs, and traces of such
 * processes.
 *
 * @module
 */
import type { ProcessSpec } from "../engine/query/expression.ts";
import { Condition } from "./condition.ts";
import { here } from "./errors.ts";
import type { TracedFunction } from "./names/functions.ts";
import { event, syscalls, trace } from "./sources.ts";
import type { Trace } from "./trace.ts";
import type {
  AllArguments,
  CallFields,
  EventFields,
  EventName,
  OwnFields,
} from "./types.ts";

/**
 * A condition on the process that runs; it fits every source.
 *
 * @example
 * ```ts
 * import { process, sys_openat, trace } from "xftrace";
 *
 * const children = process("sh").withChildren();
 * const opens = trace(sys_openat).filter(children).count();
 * ```
 */
export class ProcessCondition extends Condition<unknown> {
  readonly #who: ProcessSpec;

  constructor(who: ProcessSpec) {
    const at = here();
    super({ op: "process", who, ...(at === undefined ? {} : { at }) });
    this.#who = who;
  }

  /** Includes the processes that these have started, directly or indirectly. */
  withChildren(): ProcessCondition {
    return new ProcessCondition({ ...this.#who, children: true });
  }

  /** Like `trace(...functions)`, of these processes only. */
  trace<const T extends readonly (TracedFunction<unknown> | string)[]>(
    ...functions: T
  ): Trace<CallFields<AllArguments<T>>, "calls"> {
    return trace(...functions).filter(this);
  }

  /** Like `syscalls(...names)`, of these processes only. */
  syscalls(...names: string[]): Trace<CallFields<never>, "calls"> {
    return syscalls(...names).filter(this);
  }

  /** Like `event(name)`, of these processes only. */
  event<N extends EventName>(
    name: N,
  ): Trace<EventFields<OwnFields<N>>, "events">;
  /** Several events, or globs over events. */
  event(...names: string[]): Trace<never, "events">;
  event(...names: string[]): unknown {
    return event(...names).filter(this);
  }
}

/**
 * Selects processes, with all their threads: as a condition, or to begin a
 * trace.
 *
 *     trace(sys_read).filter(process("nginx*")).print()
 *     process("nginx*").withChildren().syscalls().count(func)
 *
 * @param match a pid, or a glob over command names: `"nginx*"`
 *
 * @example
 * ```ts
 * import { comm, open, process } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const ofShell = process("sh").syscalls().on(guest);
 * console.log(`${await ofShell.count(comm)}`);
 * ```
 */
export function process(match: number | string): ProcessCondition {
  return new ProcessCondition({ match, children: false });
}
