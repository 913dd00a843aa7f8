/**
 * XF008: branches out of kernel text.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { variable } from "../../kernel/symbols/required.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { copyOf } from "../../kernel/patching/copied_code.ts";
import type { Kprobe } from "../../kernel/patching/kprobes.ts";
import {
  tracepointCode,
  tracepoints,
} from "../../kernel/objects/tracepoints.ts";
import {
  moduleStaticCallSites,
  staticCallSites,
} from "../../kernel/patching/static_calls.ts";
import type { ImageBytes } from "../../kernel/patching/text_image.ts";
import type { CodeAt } from "../reading/code_map.ts";
import type { CheckContext } from "../core/context.ts";
import { hexDigits } from "../../base/hex.ts";
import { RangeTest } from "../../memory/gva_ranges.ts";
import { judge } from "../core/judge.ts";
import { eachModule } from "../core/module_parts.ts";
import type { WayOut } from "../../arch/instructions.ts";
import { callPlaces, KeyedCalls, staticCallName } from "../text/keyed_calls.ts";
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
    const named = new KeyedCalls();
    const bent = new KeyedCalls();
    const ways = new Map<bigint, WayOut>();
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
      const key = keyOf(context, statics, way.from, from.symbol);
      if (key === undefined) {
        found(kernel, report, way, from, to, to.module);
        continue;
      }
      const holds = kernel.object("static_call_key", key).u64("func");
      if (holds !== way.target) {
        bent.add(key, way.target, way.from);
        ways.set(way.from, way);
      } else if (!points.has(key)) {
        // (Or it calls the probe of a tracepoint that has only one: judged by
        // XF006.)
        named.add(key, way.target, way.from);
      }
    }
    for (const { key, target, calls } of named.groups) {
      judge(context, report, {
        where: `static call ${staticCallName(code, key)}`,
        address: key,
        target,
        allowed: "vouched",
        by: "text",
        means: `it is called ${callPlaces(code, calls)}`,
      });
    }
    tellCalls(context, report, bent, ways, "which its key does not name");
    eachModule(context, report, "text of module", (module, report) => {
      const moduleText = context.moduleText(module);
      ofModule(context, report, module, moduleText, sites, isGivenBack);
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
  module: ModuleView,
  text: ImageBytes,
  sites: ReadonlySet<number>,
  isGivenBack: (gva: bigint) => boolean,
): void {
  const { kernel, code } = context;
  report.judged(text.bytes.length);
  let statics: ReadonlyMap<bigint, bigint> | undefined;
  const calls = new KeyedCalls();
  const ways = new Map<bigint, WayOut>();
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
    statics ??= keysOf(kernel, module);
    const key = statics.get(way.from);
    if (key === undefined) {
      found(kernel, report, way, from, to, from.module);
      continue;
    }
    calls.add(key, way.target, way.from);
    ways.set(way.from, way);
  }
  tellCalls(context, report, calls, ways, "whatever its key names");
}

/** A module's static calls; none if their table is damaged (XF023). */
function keysOf(
  kernel: Kernel,
  { gva }: ModuleView,
): ReadonlyMap<bigint, bigint> {
  try {
    return moduleStaticCallSites(kernel, gva);
  } catch (error) {
    if (error instanceof KernelError || error instanceof MemoryError) {
      return new Map();
    }
    throw error;
  }
}

/**
 * Reports static calls, those of one key that lead to the same code as one.
 *
 * @param why the end of a sentence about the code that they reach
 */
function tellCalls(
  { kernel, code }: CheckContext,
  report: Report,
  of: KeyedCalls,
  ways: ReadonlyMap<bigint, WayOut>,
  why: string,
): void {
  for (const { key, target, calls } of of.groups) {
    const way = ways.get(calls[0]);
    if (way === undefined) continue;
    const [from, to] = [code.at(way.from), code.at(target)];
    const more = calls.slice(1);
    found(kernel, report, way, from, to, from.module ?? to.module, {
      of: `static call ${staticCallName(code, key)}: `,
      more: `, ${why}` +
        (more.length === 0
          ? ""
          : `; so do ${more.length} more of its calls, ${
            callPlaces(code, more)
          }`),
    });
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

/**
 * @param module the module that the finding names as responsible
 * @param call what else is to be said of a static call
 */
function found(
  kernel: Kernel,
  report: Report,
  way: WayOut,
  from: CodeAt,
  to: CodeAt,
  module: ModuleView | undefined,
  call: { readonly of: string; readonly more: string } = { of: "", more: "" },
): void {
  report.finding({
    severity: "critical",
    where: from.name,
    address: way.from,
    target: way.target,
    found: hexDigits(way.bytes, " "),
    summary: `${call.of}${from.name} ${way.how} ${to.name}${
      means(to.kind)
    }${call.more}`,
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
 * The key of the static call that a call site belongs to: a patched site, or the
 * key's trampoline (`__SCT__NAME`).
 */
function keyOf(
  { kernel }: CheckContext,
  statics: ReadonlyMap<bigint, bigint>,
  from: bigint,
  symbol: string | undefined,
): bigint | undefined {
  const name = symbol?.startsWith("__SCT__") ? symbol.slice(7) : undefined;
  return statics.get(from) ??
    (name === undefined
      ? undefined
      : kernel.symbols.tryAddress(`__SCK__${name}`));
}
