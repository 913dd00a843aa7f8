/**
 * A baseline: the call flow of a kernel that is known to be good, stored in a
 * file.
 *
 * @module
 */
import { parseJson } from "../../base/json.ts";
import { z } from "zod";
import { XftraceError } from "../../base/errors.ts";
import { shownJson } from "../../base/shown.ts";
import type { CallFlow } from "./call_flow.ts";

// The parts of a flow are checked one by one, up to the first that is none:
// zod would make an issue of each, which may be millions.
const Parts = z.record(z.string(), z.unknown());
const Called = z.object({
  calls: z.int().nonnegative(),
  callees: Parts,
  sizes: z.array(z.unknown()),
});
const Callee = z.object({ total: z.int(), within: z.int() });
const Size = z.tuple([z.int(), z.int()]);

const File = z.object({
  format: z.literal("xftrace-baseline"),
  version: z.literal(1),
  release: z.string(),
  buildId: z.string().nullable(),
  /** Number of function events from which it was learned. */
  events: z.number().int(),
  flow: Parts,
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
    value = parseJson(text);
  } catch {
    throw notOne(source);
  }
  const parsed = File.safeParse(value);
  if (!parsed.success) throw notOne(source);
  const { release, buildId, events } = parsed.data;
  const flow = flowOfParts(parsed.data.flow);
  if (flow === undefined) throw notOne(source);
  return { release, buildId, events, flow };
}

/** The flow of a file; `undefined` when a part of it is none. */
function flowOfParts(
  parts: Readonly<Record<string, unknown>>,
): CallFlow | undefined {
  const flow: CallFlow = new Map();
  for (const [name, part] of Object.entries(parts)) {
    const own = Called.safeParse(part).data;
    if (own === undefined) return undefined;
    const callees = new Map<string, { total: number; within: number }>();
    for (const [callee, counts] of Object.entries(own.callees)) {
      const seen = Callee.safeParse(counts).data;
      if (seen === undefined) return undefined;
      callees.set(callee, seen);
    }
    const sizes = new Map<number, number>();
    for (const pair of own.sizes) {
      const size = Size.safeParse(pair).data;
      if (size === undefined) return undefined;
      sizes.set(...size);
    }
    flow.set(name, { calls: own.calls, callees, sizes });
  }
  return flow;
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
