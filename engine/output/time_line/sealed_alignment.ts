/**
 * Puts the times of a sealed trace on a time line that it shares with others.
 *
 * @module
 */
import { ClockMap } from "../../ftrace/clock/clock_map.ts";
import { alignmentOf, HOST_CLOCK } from "./alignment.ts";
import type { Alignment } from "../writer.ts";
import type { SealedEvents } from "./sealed_events.ts";

/** The most by which the host's wall clock is sped up or slowed down (NTP). */
const MOST_SLEW = 5e-4;

/** The host's wall clock, compared with the clock of the time line. */
export interface WallClock {
  /** From when its times count, ns since 1970. */
  readonly base: bigint;
  /** From ns since its base to ns since that of the time line. */
  readonly map: ClockMap;
}

/** How the times of a sealed trace come to a time line. */
export interface SealedAlignment {
  /** From ns of the guest's clock to ns since the base of the time line. */
  readonly map: (ts: number) => number;
  readonly aligned: Alignment;
}

/**
 * Compares the guest's clock with that of the time line: its key log says when,
 * by the host's wall clock, keys were sent and taken. If that clock was set
 * after the trace, times are wrong by as much.
 *
 * @param base from when times of the time line count, in ns of its clock
 *
 * @example
 * ```ts ignore
 * import { ClockPair } from "xftrace/ftrace";
 * import { HostClock } from "xftrace/live";
 * import { alignSealed, SealedEvents } from "xftrace/output";
 *
 * const [clock, wall] = [new HostClock(), new HostClock("real")];
 * const map = new ClockPair(wall, clock).map();
 * const trace = SealedEvents.read("web1.xfs");
 * const { aligned } = alignSealed(trace, { base: wall.base, map }, clock.base);
 * console.log(aligned.errorNs);
 * ```
 */
export function alignSealed(
  trace: Pick<SealedEvents, "clock" | "hostBase" | "start">,
  wall: WallClock,
  base: bigint,
): SealedAlignment {
  const shift = Number(trace.hostBase - wall.base);
  const placed = (to: number) => wall.map.at(to + shift);
  const { atMost, atLeast } = trace.clock;
  const onLine = (bounds: typeof atMost) =>
    bounds.map(({ from, to }) => ({ from, to: placed(to) }));
  const bounds = { atMost: onLine(atMost), atLeast: onLine(atLeast) };
  const fitted = ClockMap.fit(bounds);
  if (fitted === undefined) {
    const start = Number(trace.start);
    const latest = ClockMap.latest(bounds);
    const begun = placed(0) - start;
    return {
      map: latest === undefined ? (ts) => ts + begun : (ts) => latest.at(ts),
      aligned: { clock: HOST_CLOCK, errorNs: null, torn: [] },
    };
  }
  const { errorNs, torn, clock } = alignmentOf(fitted, base);
  const more = wallError(wall.map, [...atMost, ...atLeast], shift);
  return {
    map: (ts) => fitted.at(ts),
    aligned: {
      clock,
      errorNs: errorNs === null ? null : Math.ceil(errorNs + more),
      torn: torn.map((span) => ({
        ...span,
        errorNs: Math.ceil(span.errorNs + more),
      })),
    },
  };
}

/** How wrong times of the wall clock may be on the time line. */
function wallError(
  { parts, error }: ClockMap,
  times: readonly { readonly to: number }[],
  shift: number,
): number {
  const known = { from: parts[0].from, until: parts[parts.length - 1].until };
  const outside = times.reduce((most, { to }) => {
    const time = to + shift;
    return Math.max(most, known.from - time, time - known.until);
  }, 0);
  // If it was set while it was looked at, nothing says when.
  const set = parts.reduce(
    (sum, { start, end }) => sum + Math.abs(end - start),
    0,
  );
  return error + set + MOST_SLEW * outside;
}
