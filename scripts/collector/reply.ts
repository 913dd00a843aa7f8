/**
 * What a collector answers, checked where it arrives: a collector of another
 * version may be listening.
 *
 * @module
 */
import { z } from "zod";
import { XftraceError } from "xftrace";
import type { SealedStatus } from "xftrace/seal";
import type { CollectorStatus } from "./collector.ts";
import { type CollectorResult, resultSchema } from "./state.ts";

/** What a collector answers. */
export type Reply =
  | { readonly status: CollectorStatus }
  | { readonly result: CollectorResult }
  | { readonly error: string };

/** JSON has null for numbers that are infinite or none. */
const number = z.union([z.number(), z.null().transform(() => NaN)]);
/** The most characters of an error that are shown. */
const MOST_ERROR = 4096;

const sealedStatus: z.ZodType<SealedStatus> = z.object({
  enabled: z.boolean(),
  registered: z.boolean(),
  seal: z.enum(["none", "xor", "siphash", "siphash+ratchet"]),
  parked: z.boolean(),
  generation: number,
  phase: z.string(),
  cpus: z.array(z.object({ cpu: number, written: number, epoch: number })),
  dropped: z.object({ nmi: number, unkeyed: number, nested: number }),
  entries: number,
  lost: number,
  keySwitches: number,
  heartbeatAgeMs: number,
  recordedBytes: number,
  findings: z.array(z.object({
    problem: z.custom<SealedStatus["findings"][number]["problem"]>((value) =>
      typeof value === "string"
    ),
    detail: z.string(),
  })),
});

const status: z.ZodType<CollectorStatus> = z.object({
  events: number,
  lost: number,
  dropped: number,
  bytes: number,
  exact: z.boolean(),
  starting: z.string().optional(),
  failed: z.string().optional(),
  sealed: sealedStatus.optional(),
});

const replySchema: z.ZodType<Reply> = z.union([
  z.object({ error: z.string() }),
  z.object({ status }),
  z.object({ result: resultSchema }),
]);

/**
 * Parses a collector's reply.
 *
 * @throws {XftraceError} when it is an error, or is not understood.
 */
export function parseReply(line: string): Reply {
  const reply = replySchema.safeParse(jsonOf(line)).data;
  if (reply === undefined) {
    throw new XftraceError(
      "what the collector answers is not understood: run the command with the version of xftrace that began the trace",
    );
  }
  if ("error" in reply) {
    throw new XftraceError(reply.error.slice(0, MOST_ERROR));
  }
  return reply;
}

/** Parsed JSON; `undefined` when it is none. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
