/**
 * Finds events by name or glob.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { globRegExp } from "../../base/glob.ts";
import { didYouMean, nearNames } from "../../base/near_names.ts";
import type { ListedEvent } from "./event_list.ts";

/** What an event is found by. */
export type NamedEvent = Pick<ListedEvent, "system" | "name">;

/**
 * The events selected by `sched:*`, `sched_*` or `sched`; without a glob, all
 * of them.
 *
 * @throws {XftraceError} when none matches; the message suggests similar names.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { findEvents, listEvents, openInstance } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, events } = openInstance(guest.session);
 * console.log(findEvents(listEvents(instance, events), "sched_*").length);
 * ```
 */
export function findEvents<E extends NamedEvent>(
  all: readonly E[],
  glob?: string,
): readonly E[] {
  if (glob === undefined) return all;
  const meant = matcher(glob);
  const matching = all.filter(meant);
  if (matching.length === 0) throw noneFound(glob, all);
  return matching;
}

function matcher(glob: string): (event: NamedEvent) => boolean {
  const pattern = globRegExp(glob);
  return glob.includes(":")
    ? (event) => pattern.test(`${event.system}:${event.name}`)
    : (event) => pattern.test(event.name) || event.system === glob;
}

function noneFound(glob: string, all: readonly NamedEvent[]): XftraceError {
  const names = new Set(
    all.flatMap((event) => [
      event.system,
      event.name,
      `${event.system}:${event.name}`,
    ]),
  );
  return new XftraceError(
    `the guest's kernel has no event "${glob}"` +
      didYouMean(nearNames(glob, names)),
  );
}
