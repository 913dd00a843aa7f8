/**
 * An instance's events as listed by tracefs, with their states.
 *
 * @module
 */
import type { KernelObject } from "../../kernel/core/object.ts";
import { type EventFile, eventFiles, type TraceEvents } from "./events.ts";

/** One event of an instance. */
export interface ListedEvent extends EventFile {
  /** `trace_entry.type`. */
  readonly id: number;
  /**
   * Whether it belongs to a tracer (system `ftrace`): it then has a format but
   * no switch, and is missing from `available_events`.
   */
  readonly internal: boolean;
}

/**
 * The events of an instance, in the order of its `available_events`
 * (kernel/trace/trace_events.c, t_next).
 *
 * @param instance its `trace_array`
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { listEvents, openInstance } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, events } = openInstance(guest.session);
 * const enabled = listEvents(instance, events).filter((one) => one.enabled);
 * console.log(enabled.map(({ system, name }) => `${system}:${name}`));
 * ```
 */
export function listEvents(
  instance: { readonly object: KernelObject },
  events: TraceEvents,
): ListedEvent[] {
  const { kernel } = events;
  const ignore = kernel.types.enumerator("TRACE_EVENT_FL_IGNORE_ENABLE");
  const byName = new Map(
    events.all().map((event) => [`${event.system}:${event.name}`, event]),
  );
  const listed: ListedEvent[] = [];
  for (const file of eventFiles(kernel, instance.object, events)) {
    const event = byName.get(`${file.system}:${file.name}`);
    if (event === undefined) continue;
    const call = kernel.object("trace_event_call", event.gva);
    const reg = call.follow("class", "trace_event_class")?.u64("reg") ?? 0n;
    listed.push({
      ...file,
      id: event.id,
      internal: reg === 0n || (call.number("flags") & ignore) !== 0,
    });
  }
  return listed;
}
