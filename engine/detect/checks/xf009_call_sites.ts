/**
 * XF009: Ftrace call sites.
 *
 * @module
 */
import { SITE } from "../../kernel/patching/ftrace_ops.ts";
import { RangeTest } from "../../memory/gva_ranges.ts";
import type { CheckContext } from "../core/context.ts";
import { hexDigits } from "../../base/hex.ts";
import { judge } from "../core/judge.ts";
import { eachModule } from "../core/module_parts.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/** Functions of the image to which an enabled call site may lead. */
const ENTRIES = ["ftrace_caller", "ftrace_regs_caller"];

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
    const texts = new Texts(context, report);
    const call = new Uint8Array(ftraceSites.size);
    let judged = 0;
    for (let i = 0; i < sites.count; i++) {
      const flags = sites.flags[i];
      if ((flags & SITE.disabled) !== 0) continue;
      const low = sites.ip[2 * i];
      if (!texts.copy(low, sites.ip[2 * i + 1], call)) continue;
      judged++;
      const enabled = (flags & SITE.enabled) !== 0;
      if (!enabled && instructions.nopAt(call) === call.length) continue;
      const ip = BigInt(sites.ip[2 * i + 1]) << 32n | BigInt(low);
      const branch = enabled ? instructions.branchAt(call, ip) : undefined;
      if (branch?.kind === "call") {
        const { target } = branch;
        if (entries.has(target)) continue;
        if (explained(context, report, ip, target, flags)) continue;
      }
      odd(context, report, ip, call, enabled);
    }
    report.judged(judged);
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
): boolean {
  const { kind, name } = context.code.at(target);
  if (kind === "ftrace") return true;
  if (kind === "unread") {
    report.unjudged(
      `the call of ${name} at ${context.code.at(ip).name}`,
      context.code.whyUnread,
    );
    return true;
  }
  if ((flags & SITE.direct) === 0) return false;
  // A direct call: to a BPF trampoline, or to what a module registered.
  judge(context, report, {
    where: `direct call at ${context.code.at(ip).name}`,
    address: ip,
    target,
    allowed: "vouched",
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
      : hexDigits(ftraceSites.nop, " "),
    found: hexDigits(bytes, " "),
    summary: `the start of ${at.symbol ?? at.name} ${what}, where Ftrace has ${
      enabled ? "a call of its own" : "nothing"
    }`,
    ...(target === undefined ? {} : { target }),
    ...(to?.module === undefined ? {} : { module: to.module.name }),
  });
}

/** Text of the image and of modules that are live. */
class Texts {
  readonly #parts: readonly {
    test: RangeTest;
    low: number;
    bytes: Uint8Array;
  }[];

  constructor(context: CheckContext, report: Report) {
    const texts = [context.text];
    eachModule(context, report, "call sites of module", (module) => {
      texts.push(context.moduleText(module));
    });
    this.#parts = texts.map((part) => ({
      test: new RangeTest(part),
      low: Number(part.start & 0xffffffffn),
      bytes: part.bytes,
    }));
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
