/**
 * Collects all facts of a kernel that xftrace depends on, for those who want to
 * support a kernel that they do not have: `xftrace kernel-report`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { GuestGoneError, MemoryError, XftraceError } from "../base/errors.ts";
import { shownJson } from "../base/shown.ts";
import { VERSION } from "../base/version.ts";
import { checks } from "../detect/checks.ts";
import { CheckContext } from "../detect/core/context.ts";
import { readOnce } from "../detect/core/runner.ts";
import { steady } from "../kernel/core/lists.ts";
import { limitDepth, stopCpu, switchRecording } from "../control/switches.ts";
import { PlannedMemory } from "../control/words.ts";
import { listEvents } from "../ftrace/events/event_list.ts";
import type { EventFormat } from "../ftrace/events/formats.ts";
import {
  type OpenInstance,
  openInstance,
} from "../ftrace/ring/open_instance.ts";
import { readFirstPage } from "../ftrace/ring/reader.ts";
import { traceClocks } from "../ftrace/ring/trace_array.ts";
import {
  instanceOptions,
  type TraceOption,
} from "../ftrace/ring/trace_options.ts";
import { tracerTypes } from "../ftrace/ring/tracers.ts";
import { AskedNames, asking } from "../kernel/core/asked.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import { functionIndex } from "../kernel/functions/index.ts";
import { readBtf } from "../kernel/locate/describe.ts";
import { bootMark } from "../kernel/locate/life.ts";
import { SymbolTable } from "../kernel/symbols/symbol_table.ts";
import { selfTest } from "../output/text/guest/known_kernel.ts";
import { guestTextOptions, traceMeta } from "../output/text/trace_meta.ts";
import { rawReason } from "../output/text/unfollowed.ts";
import type { Session } from "../session.ts";
import { configFacts } from "./config_facts.ts";
import { collectInfo } from "./guest_info.ts";
import type { KernelReport } from "./kernel_report_type.ts";
import { readFacts } from "./read_facts.ts";
import {
  askedFacts,
  bannerText,
  cut,
  PublicText,
  valuesOf,
  vmcoreinfoLines,
} from "./report_text.ts";

/** The longest print_fmt; that of Linux 7.2 has 9,000 characters. */
const MOST_FORMAT = 1 << 16;
/** The most events; a kernel with all its modules has some 4,000. */
const MOST_EVENTS = 1 << 14;

/** What only those know who opened the guest. */
export interface KernelReportOptions {
  /** Steps of attaching, and how long each took in ms. */
  readonly steps?: readonly { readonly step: string; readonly ms: number }[];
  /** Whether to run the checks as well, once, to note what they look for. */
  readonly checks?: boolean;
}

/**
 * Collects the facts. What cannot be read is stated, with the reason; nothing
 * else ends it. It contains no address, nothing of the guest's memory but
 * what the kernel's build has put there, and no name of the guest, its host, its
 * files or its tasks.
 *
 * @throws {GuestGoneError} when the guest ends meanwhile.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { kernelReport } from "xftrace/kernel";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { asked, ftrace } = kernelReport(guest.session);
 * console.log(ftrace.events.length, asked.members.length);
 * ```
 */
export function kernelReport(
  session: Pick<Session, "target" | "kernel" | "ramBytes">,
  options: KernelReportOptions = {},
): KernelReport {
  const { kernel: plain, target } = session;
  const text = new PublicText(plain, target);
  const asked = new AskedNames();
  const outputs: KernelReport["outputs"][number][] = [];
  /** Notes why something is refused. */
  const attempt = <T>(output: string, read: () => T): T | undefined => {
    plain.space.budget.renew();
    try {
      const found = read();
      outputs.push({ output, refused: null });
      return found;
    } catch (error) {
      if (!(error instanceof XftraceError) || error instanceof GuestGoneError) {
        throw error;
      }
      // What a recording lacks says nothing about the kernel.
      const refused = error instanceof MemoryError && !plain.memory.live
        ? "this recording lacks memory that it needs"
        : text.sentence(error.message);
      outputs.push({ output, refused });
      return undefined;
    }
  };
  const kernel = attempt("modules", () => asking(plain, asked)) ?? plain;
  attempt(
    "boot",
    () =>
      bootMark({ ...kernel, banner: kernel.symbols.address("linux_banner") }),
  );
  const open = attempt("ftrace", () => openInstance({ kernel }));
  const ftrace = ftraceFacts(kernel, open, attempt, text);
  if (open !== undefined) useAll({ ...session, kernel }, open, attempt);
  const { facts } = kernel;
  return {
    format: "xftrace kernel report",
    version: 1,
    xftrace: VERSION,
    kernel: {
      release: cut(facts.release),
      banner: bannerText(facts.banner),
      arch: kernel.arch.name,
      buildId: facts.buildId ?? null,
      pageSize: kernel.pageSize,
      pagingLevels: kernel.space.tables.levels,
      btf: attempt("types", () => {
        const bytes = readBtf(kernel.space, kernel.symbols);
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        return { types: kernel.types.count, bytes: bytes.length, sha256 };
      }) ?? null,
      symbols: {
        count: kernel.symbols.count,
        sha256: symbolsDigest(plain, text) ?? null,
      },
      modules: kernel.live.modules.length,
    },
    config: attempt("configuration", () => configFacts(kernel)) ?? [],
    locate: locateFacts(kernel, options, text),
    selfTest: open === undefined ? [] : selfTest(open).map((row) => ({
      ...row,
      found: text.sentence(row.found),
    })),
    outputs,
    ftrace,
    checks: options.checks === true
      ? attempt("check", () => checkFacts(kernel, text)) ?? []
      : null,
    complete: !asked.leftOut,
    asked: askedFacts(plain, asked, text),
  };
}

/** Runs something, and notes why it is refused. */
type Attempt = <T>(output: string, read: () => T) => T | undefined;

/** Asks for what commands ask for; of what they would print, nothing is kept. */
function useAll(
  session: Pick<Session, "target" | "kernel" | "ramBytes">,
  open: OpenInstance,
  attempt: Attempt,
): void {
  const { kernel } = session;
  const { events, instance, layout } = open;
  attempt("info", () => void collectInfo(session, open));
  attempt("report", () => {
    guestTextOptions(instance);
    traceMeta(instance, events, layout).entryFlags();
    readFirstPage(instance, layout);
  });
  attempt("report --snapshot", () => void instance.snapshot());
  attempt("events", () => void listEvents(instance, events));
  attempt("functions", () => void functionIndex(kernel));
  attempt("eval and run", () => {
    readFacts({ target: "", instance, events, live: kernel.memory.live });
  });
  const memory = new PlannedMemory(kernel);
  attempt("on and off", () => {
    switchRecording(memory, instance, !instance.recording);
  });
  attempt("on --depth", () => void limitDepth(memory, 1));
  attempt("on --without-cpu", () => {
    const [first] = instance.buffer().cpuBuffers();
    if (first !== undefined) stopCpu(memory, instance, first.cpu);
  });
}

/** Has each check read the kernel once; what it found is not kept. */
function checkFacts(
  kernel: Kernel,
  text: PublicText,
): NonNullable<KernelReport["checks"]> {
  const context = steady(() => new CheckContext(kernel, {}, undefined));
  return checks
    .filter(({ arch }) => arch === undefined || arch === kernel.arch.name)
    .map((check) => {
      kernel.space.budget.renew();
      const { judged, notRun, unjudged } = readOnce(kernel, check, context);
      return {
        id: check.id,
        judged,
        unjudged: unjudged.length,
        notRun: notRun === undefined ? null : text.sentence(notRun),
      };
    });
}

function ftraceFacts(
  kernel: Kernel,
  open: OpenInstance | undefined,
  attempt: Attempt,
  text: PublicText,
): KernelReport["ftrace"] {
  const { types } = kernel;
  const names = open === undefined
    ? []
    : attempt("options", () => instanceOptions(open.instance.object)) ?? [];
  return {
    tracer: attempt("tracer", () => cut(open?.instance.tracer ?? "")) ?? null,
    options: names.map(optionOf),
    optionBits: valuesOf(types.tryEnum("trace_iterator_bits")),
    tracers: (attempt("tracers", () => tracerTypes(kernel)) ?? []).map((
      { name, options },
    ) => ({ name: cut(name), options: options.map(optionOf) })),
    entryFlags: valuesOf(types.tryEnum("trace_flag_type")),
    entryTypes: valuesOf(types.tryEnum("trace_type")),
    clocks: (attempt("clocks", () => traceClocks(kernel)) ?? [])
      .map(({ name, inNs }) => ({ name: cut(name), inNs })),
    events: open === undefined
      ? []
      : attempt("formats", () => eventFacts(open, text)) ?? [],
    leftOut: open?.events.leftOut === undefined
      ? null
      : text.sentence(open.events.leftOut),
  };
}

function optionOf({ name, mask }: TraceOption) {
  return { name: cut(name), mask: `0x${mask.toString(16)}` };
}

function eventFacts(
  { events, instance, layout }: OpenInstance,
  text: PublicText,
): KernelReport["ftrace"]["events"] {
  const meta = traceMeta(instance, events, layout);
  return events.all().slice(0, MOST_EVENTS).map(({ id, system, name }) => {
    const format = events.format(id);
    const raw = format === undefined
      ? "its format cannot be read"
      : rawReason(format, meta);
    return {
      system: cut(system),
      name: cut(name),
      id,
      fields: format?.fields.map((field) => ({
        name: cut(field.name),
        type: cut(field.type),
        offset: field.offset,
        size: field.size,
        signed: field.signed,
      })) ?? [],
      printFmt: cut(format?.printFmt ?? "", MOST_FORMAT),
      ...syscallOf(format),
      raw: raw === undefined ? null : text.sentence(raw),
    };
  });
}

function syscallOf(format: EventFormat | undefined) {
  const syscall = format?.syscall;
  return syscall === undefined ? {} : {
    syscall: {
      name: cut(syscall.name),
      args: syscall.args.map((name, i) => cut(`${syscall.types[i]} ${name}`)),
    },
  };
}

/** The same for each boot of a kernel: see kernel_report_type.ts. */
function symbolsDigest(
  { symbols }: Kernel,
  { start }: PublicText,
): string | undefined {
  if (!(symbols instanceof SymbolTable) || start === undefined) {
    return undefined;
  }
  const hash = createHash("sha256");
  let left = symbols.count;
  for (const { address, type, name } of symbols.entries()) {
    if (left-- === 0) break;
    const offset = address < start ? address : address - start;
    hash.update(`${offset.toString(16)} ${type} ${name}\n`);
  }
  return hash.digest("hex");
}

function locateFacts(
  { facts, origin }: Kernel,
  { steps }: KernelReportOptions,
  text: PublicText,
): KernelReport["locate"] {
  return {
    locatedBy: cut(facts.locatedBy),
    describedBy: cut(facts.describedBy),
    steps: (steps ?? []).map(({ step, ms }) => ({
      step: text.sentence(step),
      ms: Math.round(ms * 10) / 10,
    })),
    candidates: (origin?.candidates ?? []).slice(0, 64).map((candidate) => ({
      release: candidate.release === undefined ? null : cut(candidate.release),
      copies: candidate.copies,
      taken: candidate.taken,
      why: text.sentence(candidate.why),
    })),
    vmcoreinfo: facts.vmcoreinfo === undefined
      ? null
      : vmcoreinfoLines(facts.vmcoreinfo),
  };
}

/**
 * The report as JSON, each item of a list on a line of its own, so that two
 * reports can be compared by lines.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { kernelReport, kernelReportText } from "xftrace/kernel";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * console.log(kernelReportText(kernelReport(guest.session)).length);
 * ```
 */
export function kernelReportText(report: KernelReport): string {
  return shownJson(lines(report, "", 2) + "\n");
}

/** @param deep how many levels of objects have a line for each member */
function lines(value: unknown, indent: string, deep: number): string {
  const inner = `${indent}  `;
  if (Array.isArray(value) && value.length > 0) {
    const items = value.map((item) => inner + JSON.stringify(item));
    return `[\n${items.join(",\n")}\n${indent}]`;
  }
  if (deep === 0 || typeof value !== "object" || value === null) {
    return JSON.stringify(value);
  }
  const members = Object.entries(value).map(([name, member]) =>
    `${inner}${JSON.stringify(name)}: ${lines(member, inner, deep - 1)}`
  );
  return `{\n${members.join(",\n")}\n${indent}}`;
}
