/**
 * A zod schema of the file that `xftrace kernel-report` writes.
 *
 * @module
 */
import * as z from "zod";
import type { KernelReport } from "./kernel_report_type.ts";

const list = <T extends z.ZodType>(item: T) => z.array(item).readonly();
const option = z.object({ name: z.string(), mask: z.string() });
const value = z.object({ name: z.string(), value: z.number().nullable() });
const size = z.object({ name: z.string(), size: z.number().nullable() });

const event = z.object({
  system: z.string(),
  name: z.string(),
  id: z.number(),
  fields: list(z.object({
    name: z.string(),
    type: z.string(),
    offset: z.number(),
    size: z.number(),
    signed: z.boolean(),
  })),
  printFmt: z.string(),
  syscall: z.object({ name: z.string(), args: list(z.string()) })
    .exactOptional(),
  raw: z.string().nullable(),
});

const asked = z.object({
  symbols: list(z.object({ name: z.string(), at: list(z.string()) })),
  structs: list(size),
  members: list(z.object({
    name: z.string(),
    offset: z.number().nullable(),
    size: z.number().nullable(),
    type: z.string().nullable(),
    bits: z.tuple([z.number(), z.number()]).readonly().exactOptional(),
  })),
  enums: list(z.object({ name: z.string(), values: list(value).nullable() })),
  enumerators: list(value),
  variables: list(size),
  functions: list(
    z.object({ name: z.string(), prototype: z.string().nullable() }),
  ),
});

/**
 * The file that `xftrace kernel-report` writes, as a zod schema.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { kernelReport, kernelReportSchema } from "xftrace/kernel";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const report = kernelReport(guest.session);
 * console.log(kernelReportSchema.safeParse(report).success); // true
 * ```
 */
export const kernelReportSchema: z.ZodType<KernelReport> = z.object({
  format: z.literal("xftrace kernel report"),
  version: z.literal(1),
  xftrace: z.string(),
  kernel: z.object({
    release: z.string(),
    banner: z.string(),
    arch: z.string(),
    buildId: z.string().nullable(),
    pageSize: z.number(),
    pagingLevels: z.number(),
    btf: z.object({
      types: z.number(),
      bytes: z.number(),
      sha256: z.string(),
    }).nullable(),
    symbols: z.object({ count: z.number(), sha256: z.string().nullable() }),
    modules: z.number(),
  }),
  config: list(z.object({
    name: z.string(),
    value: z.union([z.boolean(), z.number()]),
    by: z.string(),
  })),
  locate: z.object({
    locatedBy: z.string(),
    describedBy: z.string(),
    steps: list(z.object({ step: z.string(), ms: z.number() })),
    candidates: list(z.object({
      release: z.string().nullable(),
      copies: z.number(),
      taken: z.boolean(),
      why: z.string(),
    })),
    vmcoreinfo: list(z.string()).nullable(),
  }),
  selfTest: list(z.object({
    part: z.string(),
    known: z.boolean(),
    found: z.string(),
  })),
  outputs: list(z.object({
    output: z.string(),
    refused: z.string().nullable(),
  })),
  ftrace: z.object({
    tracer: z.string().nullable(),
    options: list(option),
    optionBits: list(value),
    tracers: list(z.object({ name: z.string(), options: list(option) })),
    entryFlags: list(value),
    entryTypes: list(value),
    clocks: list(z.object({ name: z.string(), inNs: z.boolean() })),
    events: list(event),
    leftOut: z.string().nullable(),
  }),
  checks: list(z.object({
    id: z.string(),
    judged: z.number(),
    unjudged: z.number(),
    notRun: z.string().nullable(),
  })).nullable(),
  complete: z.boolean(),
  asked,
});
