/**
 * The file that `xftrace kernel-report` writes: its members, and what each is.
 *
 * @module
 */
import * as z from "zod";

const NAMED = z.string();
/** `true` or a number as the kernel shows it; how that was seen. */
const CONFIG = z.object({
  name: NAMED,
  value: z.union([z.boolean(), z.number()]),
  by: z.string(),
});
const OPTION = z.object({ name: NAMED, mask: z.string() });
const FIELD = z.object({
  name: NAMED,
  type: z.string(),
  offset: z.number(),
  size: z.number(),
  signed: z.boolean(),
});
const EVENT = z.object({
  system: NAMED,
  name: NAMED,
  id: z.number(),
  fields: z.array(FIELD),
  printFmt: z.string(),
  /** Of a system call: its name, and its arguments as `type name`. */
  syscall: z.object({ name: NAMED, args: z.array(z.string()) }).optional(),
  /** Why its entries are shown as raw fields; null: they are not. */
  raw: z.string().nullable(),
});
const MEMBER = z.object({
  name: NAMED,
  /** In bytes from the start of the struct; null: it has no such member. */
  offset: z.number().nullable(),
  size: z.number().nullable(),
  type: z.string().nullable(),
  /** Of a bit-field: its first bit, and its width. */
  bits: z.tuple([z.number(), z.number()]).optional(),
});
const VALUE = z.object({ name: NAMED, value: z.number().nullable() });
const SIZE = z.object({ name: NAMED, size: z.number().nullable() });

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
export const kernelReportSchema = z.object({
  format: z.literal("xftrace kernel report"),
  /** Counts up when a member changes its meaning. */
  version: z.literal(1),
  /** The version of xftrace that wrote it. */
  xftrace: z.string(),
  kernel: z.object({
    release: z.string(),
    /** `linux_banner`, without who built it and where. */
    banner: z.string(),
    arch: z.string(),
    buildId: z.string().nullable(),
    pageSize: z.number(),
    pagingLevels: z.number(),
    /** Types, or null where the BTF cannot be read. */
    btf: z.object({
      types: z.number(),
      bytes: z.number(),
      sha256: z.string(),
    }).nullable(),
    /** The SHA-256 of all lines `OFFSET TYPE NAME`, from `_text`, in order. */
    symbols: z.object({
      count: z.number(),
      sha256: z.string().nullable(),
    }),
    modules: z.number(),
  }),
  /** What of the kernel's configuration shows. */
  config: z.array(CONFIG),
  locate: z.object({
    locatedBy: z.string(),
    describedBy: z.string(),
    /** Steps of attaching; none where they were not measured. */
    steps: z.array(z.object({ step: z.string(), ms: z.number() })),
    candidates: z.array(z.object({
      release: z.string().nullable(),
      copies: z.number(),
      taken: z.boolean(),
      why: z.string(),
    })),
    /** Lines of vmcoreinfo that hold no address; null: it has none. */
    vmcoreinfo: z.array(z.string()).nullable(),
  }),
  /** As `doctor` tells it. */
  selfTest: z.array(z.object({
    part: z.string(),
    known: z.boolean(),
    found: z.string(),
  })),
  /** What the kernel allows, and why not. */
  outputs: z.array(z.object({
    output: z.string(),
    refused: z.string().nullable(),
  })),
  ftrace: z.object({
    tracer: z.string().nullable(),
    /** Options by the kernel's names, in the order of their bits. */
    options: z.array(OPTION),
    /** Enumerators `TRACE_ITER_*_BIT` by their names. */
    optionBits: z.array(VALUE),
    tracers: z.array(z.object({ name: NAMED, options: z.array(OPTION) })),
    /** `enum trace_flag_type`. */
    entryFlags: z.array(VALUE),
    /** `enum trace_type`. */
    entryTypes: z.array(VALUE),
    clocks: z.array(z.object({ name: NAMED, inNs: z.boolean() })),
    events: z.array(EVENT),
    /** What of the events could not be read; null: nothing. */
    leftOut: z.string().nullable(),
  }),
  /** Whether it is complete: no more was asked for than is noted. */
  complete: z.boolean(),
  /** All that xftrace has looked for, in the order of the names. */
  asked: z.object({
    /** Where each symbol is; none: there is no such symbol. */
    symbols: z.array(z.object({ name: NAMED, at: z.array(z.string()) })),
    structs: z.array(SIZE),
    members: z.array(MEMBER),
    enums: z.array(z.object({
      name: NAMED,
      values: z.array(VALUE).nullable(),
    })),
    enumerators: z.array(VALUE),
    variables: z.array(SIZE),
    /** Prototypes as C declares them. */
    functions: z.array(z.object({
      name: NAMED,
      prototype: z.string().nullable(),
    })),
  }),
});

/** All facts of a kernel that xftrace depends on. */
export type KernelReport = z.infer<typeof kernelReportSchema>;
