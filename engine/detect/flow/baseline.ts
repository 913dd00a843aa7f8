/**
 * A baseline: the call flow of a kernel that is known to be good, stored in a
 * file.
 *
 * @module
 */
import { z } from "zod";
import { XftraceError } from "../../base/errors.ts";
import { shownJson } from "../../base/shown.ts";
import type { CallFlow } from "./call_flow.ts";

const Flow = z.record(
  z.string(),
  z.object({
    calls: z.number().int().nonnegative(),
    callees: z.record(
      z.string(),
      z.object({ total: z.number().int(), within: z.number().int() }),
    ),
    sizes: z.array(z.tuple([z.number().int(), z.number().int()])),
  }),
);

const File = z.object({
  format: z.literal("xftrace-baseline"),
  version: z.literal(1),
  release: z.string(),
  buildId: z.string().nullable(),
  /** Number of function events from which it was learned. */
  events: z.number().int(),
  flow: Flow,
});

/** A learned call flow, and the kernel it belongs to. */
export interface Baseline {
  readonly release: string;
  readonly buildId: string | null;
  /** Number of function events from which it was learned. */
  readonly events: number;
  readonly flow: CallFlow;
}

/**
 * Encodes a baseline as the text of its file (JSON).
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { encodeBaseline, recordedFlow } from "xftrace/detect";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { release, buildId = null } = guest.session.kernel.facts;
 * const { flow, events } = recordedFlow(guest.session.kernel);
 * const text = encodeBaseline({ release, buildId, events, flow });
 * console.log(text.length, "characters for good.baseline");
 * ```
 */
export function encodeBaseline(baseline: Baseline): string {
  const { release, buildId, events } = baseline;
  const flow = Object.fromEntries(
    [...baseline.flow].map(([name, { calls, callees, sizes }]) => [
      name,
      { calls, callees: Object.fromEntries(callees), sizes: [...sizes] },
    ]),
  );
  return shownJson(JSON.stringify({
    format: "xftrace-baseline",
    version: 1,
    release,
    buildId,
    events,
    flow,
  }));
}

/**
 * Parses the text of a baseline file.
 *
 * @param source name of the file, for messages
 * @throws {XftraceError} when it is not a baseline.
 *
 * @example
 * ```ts
 * import { decodeBaseline, encodeBaseline } from "xftrace/detect";
 *
 * const text = encodeBaseline({
 *   release: "6.1.0-56-amd64",
 *   buildId: null,
 *   events: 0,
 *   flow: new Map(),
 * });
 * console.log(decodeBaseline("good.baseline", text).release);
 * ```
 */
export function decodeBaseline(source: string, text: string): Baseline {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw notOne(source);
  }
  const parsed = File.safeParse(value);
  if (!parsed.success) throw notOne(source);
  const { release, buildId, events, flow } = parsed.data;
  return {
    release,
    buildId,
    events,
    flow: new Map(
      Object.entries(flow).map(([name, { calls, callees, sizes }]) => [
        name,
        {
          calls,
          callees: new Map(Object.entries(callees)),
          sizes: new Map(sizes),
        },
      ]),
    ),
  };
}

function notOne(source: string): XftraceError {
  return new XftraceError(
    `${source} is no baseline; make one with: xftrace baseline learn -o FILE`,
  );
}

/**
 * Adds the calls in `more` to `flow`.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { addFlow, recordedFlow } from "xftrace/detect";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { flow } = recordedFlow(guest.session.kernel);
 * addFlow(flow, recordedFlow(guest.session.kernel).flow);
 * console.log(flow.size);
 * ```
 */
export function addFlow(flow: CallFlow, more: CallFlow): void {
  for (const [name, { calls, callees, sizes }] of more) {
    let into = flow.get(name);
    if (into === undefined) {
      flow.set(name, into = { calls: 0, callees: new Map(), sizes: new Map() });
    }
    into.calls += calls;
    for (const [callee, { total, within }] of callees) {
      const seen = into.callees.get(callee) ?? { total: 0, within: 0 };
      into.callees.set(callee, {
        total: seen.total + total,
        within: seen.within + within,
      });
    }
    for (const [size, n] of sizes) {
      into.sizes.set(size, (into.sizes.get(size) ?? 0) + n);
    }
  }
}
