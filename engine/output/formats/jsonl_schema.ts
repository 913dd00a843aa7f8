/**
 * A zod schema of the lines of the format `jsonl`, for programs that read them.
 * Writing does not use it.
 *
 * @module
 */
import * as z from "zod";

/** A line as it is after `JSON.parse`: numbers beyond 2^53 are rounded. */
const number = z.number();
const texts = z.array(z.string());

/** A field of an event: see docs/json.md. */
const value = z.union([
  number,
  z.string(),
  z.null(),
  z.array(z.union([number, z.string()])),
]);

/** A function was entered. */
const callEntry = z.strictObject({
  func: z.string(),
  depth: z.int(),
  retaddr: z.string().exactOptional(),
  args: texts.exactOptional(),
});

/** A function returned. */
const callReturn = z.strictObject({
  func: z.string(),
  depth: z.int(),
  duration: number,
  retval: number.exactOptional(),
});

/** The bytes of an event whose format is not known. */
const unknownEvent = z.strictObject({
  type: z.int().nonnegative(),
  bytes: z.array(z.int().min(0).max(255)),
});

const fields = z.record(z.string(), value);

/** Fields of an entry that is too short for all of them, in a damaged trace. */
const cutShort = fields.refine(
  (members) => Object.values(members).includes(null),
  "no field is missing, and the fields are not those of such an event",
);

/** With several guests, the one that a line is about. */
const target = z.string().nullable().exactOptional();

/** What the lines of all events have. */
const event = {
  target,
  ts: number,
  cpu: z.int().nonnegative(),
  pid: z.int(),
  comm: z.string().nullable(),
};

const CALLS: readonly string[] = ["funcgraph_entry", "funcgraph_exit"];

/**
 * A line of the format `jsonl` (`xftrace report --format jsonl`) after
 * `JSON.parse`, as a zod schema: the entry or the return of a function, another
 * event, one of an unknown type, a place where events are missing, how well
 * times on a time line are known, or the verdict on a seal. Members that a line does not have are refused.
 *
 * @example
 * ```ts
 * import { traceLineSchema } from "xftrace/output";
 *
 * const line = traceLineSchema.parse(JSON.parse(
 *   '{"ts":5,"cpu":0,"pid":7,"comm":"bash","name":"sched_wakeup","fields":{"pid":9}}',
 * ));
 * if ("lost" in line) console.log(`${line.lost ?? "some"} events are missing`);
 * else if ("clock" in line) console.log(line.clock, line.errorNs);
 * else if ("seal" in line) console.log(line.seal, line.verdict);
 * else console.log(line.name, line.comm); // sched_wakeup bash
 * ```
 */
export const traceLineSchema: z.ZodType<TraceLine> = z.union([
  z.strictObject({
    ...event,
    name: z.literal("funcgraph_entry"),
    fields: z.union([callEntry, cutShort]),
  }),
  z.strictObject({
    ...event,
    name: z.literal("funcgraph_exit"),
    fields: z.union([callReturn, cutShort]),
  }),
  z.strictObject({
    ...event,
    name: z.string().refine((name) => !CALLS.includes(name)),
    fields,
  }),
  z.strictObject({ ...event, name: z.null(), fields: unknownEvent }),
  z.strictObject({
    target,
    lost: number.nonnegative().nullable(),
    cpu: z.int().nonnegative(),
    before: number,
  }),
  z.strictObject({
    target: z.string().nullable(),
    clock: z.string(),
    errorNs: number.nonnegative().nullable(),
    torn: z.array(z.strictObject({
      from: number,
      until: number,
      errorNs: number.nonnegative(),
    })),
  }),
  z.strictObject({
    target: z.string().nullable(),
    seal: z.enum(["good", "bad", "unknown"]),
    verdict: z.string(),
  }),
]);

/** A field of an event: see {@linkcode TraceLine}. */
export type TraceValue = number | string | null | (number | string)[];

/**
 * A line of the format `jsonl`: an event, a place where events are missing,
 * how well the times of a guest are known, or the verdict on its seal.
 * docs/json.md describes the members.
 *
 * @example
 * ```ts
 * import type { TraceLine } from "xftrace/output";
 *
 * const line: TraceLine = { lost: 3, cpu: 0, before: 17 };
 * console.log(line);
 * ```
 */
export type TraceLine =
  | {
    target?: string | null;
    ts: number;
    cpu: number;
    pid: number;
    comm: string | null;
    name: string | null;
    fields: { [field: string]: TraceValue };
  }
  | {
    target?: string | null;
    lost: number | null;
    cpu: number;
    before: number;
  }
  | {
    target: string | null;
    clock: string;
    errorNs: number | null;
    torn: { from: number; until: number; errorNs: number }[];
  }
  | {
    target: string | null;
    seal: "good" | "bad" | "unknown";
    verdict: string;
  };
