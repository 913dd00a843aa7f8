/**
 * XF008: branches out of kernel text.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import { variable } from "../../kernel/symbols/required.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { copyOf } from "../../kernel/patching/copied_code.ts";
import type { Kprobe } from "../../kernel/patching/kprobes.ts";
import {
  tracepointCode,
  tracepoints,
} from "../../kernel/objects/tracepoints.ts";
import { staticCallSites } from "../../kernel/patching/static_calls.ts";
import type { ImageBytes } from "../../kernel/patching/text_image.ts";
import type { CodeAt } from "../reading/code_map.ts";
import type { CheckContext } from "../core/context.ts";
import { hexDigits } from "../../base/hex.ts";
import { RangeTest } from "../../memory/gva_ranges.ts";
import { judge } from "../core/judge.ts";
import { eachModule } from "../core/module_parts.ts";
import type { WayOut } from "../../arch/instructions.ts";
import { isStill } from "../text/second_look.ts";
import { waysOut } from "../text/ways_out.ts";
import type { Report } from "../finding.ts";
import { givenBack } from "../core/given_back.ts";
import { isTraps } from "../core/traps.ts";
import type { Check } from "../core/check.ts";

/** Kinds of code that the text of a module may not lead to either. */
const NOBODYS = ["foreign", "hidden module", "freed init"];

/**
 * Checks that branches in the text of the kernel and of modules lead only to
 * allowed code.
 */
export const textBranches: Check = {
  id: "XF008",
  title: "branches out of kernel text",
  technique: "T1014",
  help:
    "No instruction of the kernel's text calls, jumps to or holds the address of code outside of it, except by the kernel's own mechanisms: optimised kprobes, static calls, BPF dispatchers, thunks (Ftrace's call sites are XF009). No instruction of a module's text leads to code of nobody's or of a hidden module. Inline hooks and patched branches are seen here; a branch bent to other kernel text needs XF020.",
  run(context, report) {
    const { kernel, text, code } = context;
    const statics = staticCallSites(kernel);
    const sites = siteSet(context);
    const points = new Set(
      tracepointCode(kernel, tracepoints(kernel)).map(({ key }) => key),
    );
    const isGivenBack = givenBack(context);
    report.judged(text.bytes.length);
    for (const way of waysOut(kernel, text, code.pages.executable)) {
      if (sites.has(Number(way.from & 0xffffffffn))) continue;
      if (way.how === "may lead to") {
        perhaps(context, report, way, isGivenBack);
        continue;
      }
      const from = code.at(way.from);
      const to = code.at(way.target);
      if (to.kind === "kernel" || to.kind === "thunk") continue;
      if (to.kind === "unread") {
        report.unjudged(`${from.name} ${way.how} ${to.name}`, code.whyUnread);
        continue;
      }
      if (to.kind === "kprobe") {
        // Several probes at one place have one detour.
        const probes = context.kprobes.filter(({ address }) =>
          address === way.from
        );
        if (probes.some((probe) => isDetour(kernel, probe, way.target))) {
          report.known(`${from.name} jumps to its optimised kprobe`);
          continue;
        }
      }
      if (to.kind === "bpf" && from.symbol?.startsWith("bpf_dispatcher_")) {
        continue;
      }
      const call = staticCall(
        context,
        statics,
        way.from,
        way.target,
        from.symbol,
      );
      if (call !== undefined) {
        // Calls the probe of a tracepoint that has only one: judged by XF006.
        if (points.has(call.key)) continue;
        judge(context, report, {
          where: `static call at ${from.name}`,
          address: way.from,
          target: way.target,
          allowed: "vouched",
          by: "text",
        });
        continue;
      }
      found(kernel, report, way, from, to, to.module);
    }
    eachModule(context, report, "text of module", (module, report) => {
      const moduleText = context.moduleText(module);
      ofModule(context, report, moduleText, sites, isGivenBack);
    });
  },
};

/**
 * A module may call the kernel and other modules; only code without an owner is
 * suspicious.
 */
function ofModule(
  context: CheckContext,
  report: Report,
  text: ImageBytes,
  sites: ReadonlySet<number>,
  isGivenBack: (gva: bigint) => boolean,
): void {
  const { kernel, code } = context;
  report.judged(text.bytes.length);
  for (const way of waysOut(kernel, text, code.pages.executable)) {
    if (sites.has(Number(way.from & 0xffffffffn))) continue;
    if (way.how === "may lead to") {
      perhaps(context, report, way, isGivenBack);
      continue;
    }
    const to = code.at(way.target);
    const from = code.at(way.from);
    if (to.kind === "unread") {
      report.unjudged(`${from.name} ${way.how} ${to.name}`, code.whyUnread);
    }
    if (!NOBODYS.includes(to.kind)) continue;
    found(kernel, report, way, from, to, from.module);
  }
}

/**
 * Bytes that lead somewhere if an instruction begins there. No honest guest has
 * code of nobody's to which they could lead by chance, except in the unused rest
 * of memory for generated code, which XF016 judges.
 */
function perhaps(
  { kernel, code }: CheckContext,
  report: Report,
  { from, target }: WayOut,
  isGivenBack: (gva: bigint) => boolean,
): void {
  const reserved = code.reserves.some(({ start, end }) =>
    target >= start && target < end
  );
  if (reserved) return;
  const to = code.at(target);
  if (!NOBODYS.includes(to.kind)) return;
  // By chance, bytes lead into the kernel's reserve of executable memory.
  if (isTraps(kernel, target)) return;
  const { name } = code.at(from);
  if (isGivenBack(target)) {
    report.passing(name, `a module came or went at ${to.name}`);
    return;
  }
  report.unjudged(
    name,
    `these bytes lead to ${to.name} if they are run, and no instruction begins there by the symbols and the bytes before`,
  );
}

/**
 * Whether code is what the kernel made for an optimised kprobe: a copy of its
 * template, which passes that probe on.
 */
function isDetour(kernel: Kernel, { gva }: Kprobe, start: bigint): boolean {
  const { detour } = kernel.arch.ftraceSites;
  const callback = variable(kernel.symbols, "optimized_callback", [
    "optprobe_template_entry",
  ]);
  if (detour === undefined || callback === undefined) return false;
  const copy = copyOf(kernel, detour, start);
  const kp = kernel.types.tryOffset("optimized_kprobe", "kp") ?? 0;
  return copy?.calls === callback && copy.object === gva - BigInt(kp);
}

/** @param module the module that the finding names as responsible */
function found(
  kernel: Kernel,
  report: Report,
  way: WayOut,
  from: CodeAt,
  to: CodeAt,
  module: ModuleView | undefined,
): void {
  report.finding({
    severity: "critical",
    where: from.name,
    address: way.from,
    target: way.target,
    found: hexDigits(way.bytes, " "),
    summary: `${from.name} ${way.how} ${to.name}` + means(to.kind),
    ...(isStill(kernel, way.from, way.bytes) ? {} : { brief: true }),
    ...(module === undefined ? {} : { module: module.name }),
  });
}

function means(kind: string): string {
  switch (kind) {
    case "module":
      return ", a module";
    case "hidden module":
      return ", a module that the module list does not show";
    case "foreign":
      return ", code that belongs to nobody";
    default:
      return "";
  }
}

/**
 * Low halves of the GVAs of Ftrace's call sites, of those that XF009 judges: a
 * record of a place outside of all text excuses nothing.
 */
function siteSet({ sites, text, code }: CheckContext): ReadonlySet<number> {
  const texts = [
    new RangeTest(text),
    ...code.modules.flatMap(({ text }) => text.map((t) => new RangeTest(t))),
  ];
  const lows = new Set<number>();
  for (let i = 0; i < sites.count; i++) {
    const low = sites.ip[2 * i];
    const high = sites.ip[2 * i + 1];
    if (texts.some((test) => test.has(low, high))) lows.add(low);
  }
  return lows;
}

/**
 * The key of the static call that a call site belongs to, if it calls what the
 * key holds: a patched site, or the key's trampoline (`__SCT__NAME`).
 */
function staticCall(
  { kernel }: CheckContext,
  statics: ReadonlyMap<bigint, bigint>,
  from: bigint,
  target: bigint,
  symbol: string | undefined,
): { readonly key: bigint } | undefined {
  const name = symbol?.startsWith("__SCT__") ? symbol.slice(7) : undefined;
  const key = statics.get(from) ??
    (name === undefined
      ? undefined
      : kernel.symbols.tryAddress(`__SCK__${name}`));
  if (
    key === undefined ||
    kernel.object("static_call_key", key).u64("func") !== target
  ) return undefined;
  return { key };
}
