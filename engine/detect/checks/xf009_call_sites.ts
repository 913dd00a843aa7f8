/**
 * XF009: Ftrace call sites.
 *
 * @module
 */
import { copyOf } from "../../kernel/patching/copied_code.ts";
import {
  ftraceOps,
  SITE,
  trampolineOps,
} from "../../kernel/patching/ftrace_ops.ts";
import { variable } from "../../kernel/symbols/required.ts";
import { RangeTest } from "../../memory/gva_ranges.ts";
import type { CheckContext } from "../core/context.ts";
import { hex, hexDigits } from "../../base/hex.ts";
import { judge } from "../core/judge.ts";
import { eachModule, partAt } from "../core/module_parts.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/** Functions of the image to which an enabled call site may lead. */
const ENTRIES = ["ftrace_caller", "ftrace_regs_caller"];

/**
 * What a site calls at once, before 0c0593b45c9b (5.17), if nobody else listens
 * there: the trampoline of the function graph tracer.
 */
const GRAPH = "ftrace_graph_caller";

/** Checks the call site in every function that Ftrace knows. */
export const callSiteText: Check = {
  id: "XF009",
  title: "Ftrace call sites",
  technique: "T1014",
  help:
    "At the start of every function that can be traced stands what Ftrace's own books say: a no-op, or a call of Ftrace's entry, of a known trampoline, or of a BPF trampoline. Sees hooks written over a function's start, and tracing silently disabled there.",
  run(context, report) {
    const { kernel, sites } = context;
    const { instructions, ftraceSites } = kernel.arch;
    const entries = new Set(
      ENTRIES.flatMap((name) => kernel.symbols.addresses(name)),
    );
    const graph = new Set(kernel.symbols.addresses(GRAPH));
    const starts = new Set<bigint>();
    report.part(
      "Ftrace's trampolines",
      () => trampolines(context, report, starts),
    );
    const texts = new Texts(context, report);
    const call = new Uint8Array(ftraceSites.size);
    const unread = new Set<bigint>();
    let judged = 0;
    let outside = 0;
    for (let i = 0; i < sites.count; i++) {
      // Whatever its flags say: one that Ftrace leaves alone (DISABLED) holds
      // what it held before.
      const flags = sites.flags[i];
      const low = sites.ip[2 * i];
      if (!texts.copy(low, sites.ip[2 * i + 1], call)) {
        if (!texts.isElsewhere(low, sites.ip[2 * i + 1])) outside++;
        continue;
      }
      judged++;
      const enabled = (flags & SITE.enabled) !== 0;
      if (!enabled && instructions.nopAt(call) === call.length) continue;
      const ip = BigInt(sites.ip[2 * i + 1]) << 32n | BigInt(low);
      const branch = enabled ? instructions.branchAt(call, ip) : undefined;
      // Since Linux 6.19 a BPF trampoline may be jumped to
      // (DYNAMIC_FTRACE_WITH_JMP).
      const jumps = branch?.kind === "jump" && (flags & SITE.direct) !== 0 &&
        ["bpf", "unread"].includes(context.code.at(branch.target).kind);
      if (branch?.kind === "call" || branch !== undefined && jumps) {
        const { target } = branch;
        if (!jumps && entries.has(target)) continue;
        if (
          !jumps && (flags & SITE.trampoline) !== 0 && graph.has(target)
        ) continue;
        if (explained(context, report, ip, target, flags, unread, starts)) {
          continue;
        }
      }
      odd(context, report, ip, call, enabled);
    }
    report.judged(judged);
    records(context, report, outside);
    if (judged === 0) {
      report.unjudged("Ftrace's call sites", "Ftrace's list of them is empty");
    }
  },
};

function explained(
  context: CheckContext,
  report: Report,
  ip: bigint,
  target: bigint,
  flags: number,
  unread: Set<bigint>,
  starts: ReadonlySet<bigint>,
): boolean {
  const { kind, name } = context.code.at(target);
  // What follows a trampoline is nobody's, whatever size it claims.
  if (kind === "ftrace") return starts.has(target);
  if (kind === "unread") {
    // Tens of thousands of places may call it.
    if (!unread.has(target)) {
      report.unjudged(
        `the call of ${name} at ${context.code.at(ip).name}`,
        context.code.whyUnread,
      );
    }
    unread.add(target);
    return true;
  }
  if ((flags & SITE.direct) === 0) return false;
  // A direct call: to a BPF trampoline, or to what a module registered.
  judge(context, report, {
    where: `direct call at ${context.code.at(ip).name}`,
    address: ip,
    target,
    allowed: "vouched",
    by: "text",
    severity: "critical",
  });
  return true;
}

function odd(
  context: CheckContext,
  report: Report,
  ip: bigint,
  bytes: Uint8Array,
  enabled: boolean,
): void {
  const at = context.code.at(ip);
  const { instructions, ftraceSites } = context.kernel.arch;
  const branch = instructions.branchAt(bytes, ip);
  const target = branch?.target;
  const to = target === undefined ? undefined : context.code.at(target);
  const what = to !== undefined
    ? `${branch?.kind === "call" ? "calls" : "jumps to"} ${to.name}`
    : instructions.nopAt(bytes) === bytes.length
    ? "does not call Ftrace"
    : instructions.isBreakpoint(bytes)
    ? "stops at a breakpoint"
    : "holds other instructions";
  report.finding({
    severity: to === undefined || to.kind === "kernel" ? "high" : "critical",
    where: at.name,
    address: ip,
    expected: enabled
      ? "a call of Ftrace (it is traced)"
      : ftraceSites.nops.map((nop) => hexDigits(nop, " ")).join(" or "),
    found: hexDigits(bytes, " "),
    summary: `the start of ${at.symbol ?? at.name} ${what}, where Ftrace has ${
      enabled ? "a call of its own" : "nothing"
    }`,
    ...(target === undefined ? {} : { target }),
    ...(to?.module === undefined ? {} : { module: to.module.name }),
  });
}

/**
 * Judges the trampolines to which sites may lead: a copy of Ftrace's own code
 * that passes its `ftrace_ops` on, and calls what may listen.
 *
 * @param seen takes the GVAs at which they start
 */
function trampolines(
  context: CheckContext,
  report: Report,
  seen: Set<bigint>,
): void {
  const { kernel } = context;
  for (const ops of [...ftraceOps(kernel), ...trampolineOps(kernel)]) {
    const start = ops.trampoline?.start;
    if (start === undefined || seen.has(start)) continue;
    seen.add(start);
    const where = `the trampoline at ${hex(start)}`;
    partAt(context, report, start, where, (report) => {
      const copy = kernel.arch.ftraceSites.trampolines
        .map((template) => copyOf(kernel, template, start))
        .find((one) => one?.object === ops.gva);
      if (copy !== undefined) {
        judge(context, report, {
          where,
          address: start,
          target: copy.calls,
          allowed: "vouched",
          by: "text",
          means: "it is told of every call that is traced through it",
        });
        return;
      }
      report.judged(1);
      report.finding({
        severity: "critical",
        where,
        address: start,
        expected: "a copy of ftrace_caller or ftrace_regs_caller",
        found: hexDigits(kernel.space.bytes(start, 16), " "),
        summary: `${where} of the ftrace_ops at ${
          hex(ops.gva)
        } is not what Ftrace makes for it`,
      });
    });
  }
}

/**
 * Compares Ftrace's records with each other and with its own count of them: one
 * that was moved or added would excuse what stands there.
 */
function records(
  { kernel, sites }: CheckContext,
  report: Report,
  outside: number,
): void {
  const what = "Ftrace's records";
  if (outside > 0) {
    report.passing(what, `${outside} of them name places outside of all text`);
  }
  const seen = new Set<number>();
  for (let i = 0; i < sites.count; i++) seen.add(sites.ip[2 * i]);
  if (seen.size < sites.count) {
    report.passing(
      what,
      `${sites.count - seen.size} of them name a place that another one names`,
    );
  }
  const counted = variable(kernel.symbols, "ftrace_update_tot_cnt", [
    "ftrace_number_of_pages",
    "ftrace_number_of_groups",
  ]);
  if (counted === undefined) return;
  const count = kernel.space.u32(counted);
  if (count === sites.count) return;
  report.passing(
    what,
    `there are ${sites.count} of them, and Ftrace has counted ${count}`,
  );
}

/** Text of the image and of modules that are live. */
class Texts {
  readonly #parts: readonly {
    test: RangeTest;
    low: number;
    bytes: Uint8Array;
  }[];
  readonly #moving: readonly RangeTest[];

  constructor(context: CheckContext, report: Report) {
    const texts = [context.text];
    eachModule(context, report, "call sites of module", (module) => {
      texts.push(context.moduleText(module));
    });
    const live = context.kernel.types.enumerator("MODULE_STATE_LIVE");
    // Their parts are unjudged already.
    this.#moving = context.code.modules.filter(({ state }) => state !== live)
      .flatMap(({ text }) => text.map((part) => new RangeTest(part)));
    this.#parts = texts.map((part) => ({
      test: new RangeTest(part),
      low: Number(part.start & 0xffffffffn),
      bytes: part.bytes,
    }));
  }

  /** Whether a place is judged elsewhere: a module that comes or goes. */
  isElsewhere(low: number, high: number): boolean {
    return this.#moving.some((test) => test.has(low, high));
  }

  copy(low: number, high: number, into: Uint8Array): boolean {
    for (const { test, low: start, bytes } of this.#parts) {
      if (!test.has(low, high)) continue;
      const at = (low - start) >>> 0;
      if (at + into.length > bytes.length) continue;
      for (let i = 0; i < into.length; i++) into[i] = bytes[at + i];
      return true;
    }
    return false;
  }
}
