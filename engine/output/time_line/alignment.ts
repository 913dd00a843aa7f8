/**
 * What is said of how a source's times were put on a time line.
 *
 * @module
 */
import type { ClockMap } from "../../ftrace/clock/clock_map.ts";
import type { Alignment } from "../writer.ts";

/**
 * The clock of time lines.
 *
 * @example
 * ```ts
 * import { HOST_CLOCK } from "xftrace/output";
 *
 * console.log(HOST_CLOCK); // CLOCK_MONOTONIC of the host
 * ```
 */
export const HOST_CLOCK = "CLOCK_MONOTONIC of the host";
/** Torn spans that are named. */
const MOST_TORN = 100;

/**
 * Describes a map from a guest's trace clock to the host's clock.
 *
 * @param map both in ns since `epoch`
 *
 * @example
 * ```ts
 * import { ClockMap } from "xftrace/ftrace";
 * import { alignmentOf } from "xftrace/output";
 *
 * const map = ClockMap.fit({
 *   atMost: [{ from: 0, to: 110 }],
 *   atLeast: [{ from: 0, to: 90 }],
 * });
 * if (map !== undefined) console.log(alignmentOf(map, 0n).errorNs); // 10
 * ```
 */
export function alignmentOf(map: ClockMap, epoch: bigint): Alignment {
  const whole = map.parts.filter(({ torn }) => !torn);
  const torn = map.parts.filter(({ torn }) => torn);
  const most = (parts: typeof torn) =>
    parts.reduce((most, { error }) => Math.max(most, error), 0);
  const time = (at: number) => String(epoch + BigInt(Math.round(map.at(at))));
  return {
    clock: HOST_CLOCK,
    errorNs: Math.ceil(most(whole.length > 0 ? whole : torn)),
    torn: torn.slice(0, MOST_TORN).map(({ from, until, error }) => ({
      from: time(from),
      until: time(until),
      errorNs: Math.ceil(error),
    })),
  };
}
