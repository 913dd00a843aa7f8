/**
 * XF023: patch sites.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  jumpSites,
  moduleJumpSites,
} from "../../kernel/patching/jump_labels.ts";
import type { JumpSite } from "../../kernel/patching/jump_labels.ts";
import {
  moduleStaticCalls,
  staticCalls,
  type StaticCallSite,
} from "../../kernel/patching/static_calls.ts";
import type { ImageBytes } from "../../kernel/patching/text_image.ts";
import type { CheckContext } from "../core/context.ts";
import { hexDigits } from "../../base/hex.ts";
import { eachModule } from "../core/module_parts.ts";
import { callPlaces, KeyedCalls, staticCallName } from "../text/keyed_calls.ts";
import type { Finding, Report } from "../finding.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";
import type { Check } from "../core/check.ts";

/**
 * Checks that the places that the kernel patches at run time hold what it
 * writes there.
 */
export const patchSiteText: Check = {
  id: "XF023",
  title: "patch sites",
  technique: "T1601.001",
  help:
    "Every jump label of the kernel and its modules is a no-op or the jump that the kernel's table names; every static call leads to its key's function or to kernel code, or is one of the instructions that stand for none. (Ftrace's call sites are XF009.) Needs no trusted image.",
  run(context, report) {
    const { kernel } = context;
    report.part("jump labels of the kernel", () => {
      const sites = new Sites(context, report, context.text);
      for (const site of jumpSites(kernel)) sites.jump(site);
      sites.tellOdd();
    });
    report.part("static calls of the kernel", () => {
      const sites = new Sites(context, report, context.text);
      for (const site of staticCalls(kernel)) sites.call(site);
      sites.tellBent();
      sites.tellOdd();
    });
    eachModule(context, report, "patch sites of module", (module, report) => {
      const text = context.moduleText(module);
      const sites = new Sites(context, report, text, module.name);
      for (const site of moduleJumpSites(kernel, module.gva)) sites.jump(site);
      for (const site of moduleStaticCalls(kernel, module.gva)) {
        sites.call(site);
      }
      sites.tellBent();
      sites.tellOdd();
    });
  },
};

/**
 * The bytes at a GVA of a text; `undefined` when the GVA is outside the text.
 */
function bytesAt(
  { start, bytes }: ImageBytes,
  gva: bigint,
  length: number,
): Uint8Array | undefined {
  const at = Number(gva - start);
  return at < 0 || at + length > bytes.length
    ? undefined
    : bytes.subarray(at, at + length);
}

/** The patch sites of one text. */
class Sites {
  readonly #context: CheckContext;
  readonly #report: Report;
  readonly #text: ImageBytes;
  readonly #module: string | undefined;
  readonly #init: GvaRange | undefined;
  readonly #odd: { gva: bigint; why: string }[] = [];
  readonly #bent = new KeyedCalls();
  readonly #found = new Map<bigint, Uint8Array>();

  constructor(
    context: CheckContext,
    report: Report,
    text: ImageBytes,
    module?: string,
  ) {
    this.#context = context;
    this.#report = report;
    this.#text = text;
    this.#module = module;
    this.#init = module === undefined ? initCode(context.kernel) : undefined;
  }

  /** Judges a jump label. */
  jump({ code, target, init }: JumpSite): void {
    const { instructions } = this.#context.kernel.arch;
    const bytes = this.#bytesOf(code, init);
    if (bytes === undefined) return;
    const { start, end } = this.#text;
    const name = (gva: bigint) => this.#context.code.at(gva).name;
    const of = {
      where: `jump label at ${name(code)}`,
      address: code,
      expected: `a no-op, or a jump to ${name(target)}`,
      found: hexDigits(bytes, " "),
    };
    const branch = instructions.branchAt(bytes, code);
    const to = branch?.target;
    // It leads to another place of the same function, which may have been moved
    // out of the way, but never out of the text.
    if (target < start || target >= end) {
      this.#finding({
        ...of,
        expected: "a jump within its text",
        target,
        summary: `the jump label at ${name(code)} is to lead to ${
          name(target)
        }, outside of its text`,
      });
      return;
    }
    if (instructions.nopAt(bytes) > 0) return;
    if (branch?.kind === "jump" && to === target) return;
    this.#finding({
      ...of,
      summary: to === undefined
        ? `the jump label at ${name(code)} holds other instructions`
        : `the jump label at ${name(code)} leads to ${name(to)} and not to ${
          name(target)
        }`,
      ...(to === undefined ? {} : { target: to }),
    });
  }

  /** Judges a static call. */
  call({ call: gva, key, init }: StaticCallSite): void {
    const { kernel, code } = this.#context;
    const { instructions, patching } = kernel.arch;
    const bytes = this.#bytesOf(gva, init);
    if (bytes === undefined || patching.isNoCall(bytes)) return;
    const to = instructions.branchAt(bytes, gva)?.target;
    const func = kernel.object("static_call_key", key).u64("func");
    const isStandIn = patching.standIns.some((one) =>
      one.bytes.every((byte, i) => byte === bytes[i]) &&
      kernel.symbols.addresses(one.symbol).includes(func)
    );
    if (isStandIn) return;
    if (to !== undefined) {
      // The target is judged with the key: by XF006 for tracepoints, by XF008
      // otherwise.
      if (to === func) return;
      const { kind, symbol } = code.at(to);
      // Not patched yet, it calls its trampoline. It may also lead to the return
      // thunk, or to a few bytes before or after the start of the function.
      if (kind === "kernel" || kind === "thunk") return;
      if (symbol?.startsWith(patching.staticCalls.trampoline) === true) return;
    }
    if (to !== undefined) {
      this.#bent.add(key, to, gva);
      this.#found.set(gva, bytes);
      return;
    }
    const { name } = code.at(gva);
    const called = staticCallName(code, key);
    this.#finding({
      where: `static call at ${name}`,
      address: gva,
      expected: `a call of ${called}`,
      found: hexDigits(bytes, " "),
      summary:
        `the static call of ${called} at ${name} holds other instructions`,
    });
  }

  /** Reports the static calls that lead elsewhere than their key says. */
  tellBent(): void {
    const { code } = this.#context;
    for (const { key, target, calls } of this.#bent.groups) {
      const [call] = calls;
      const name = staticCallName(code, key);
      const to = code.at(target).name;
      this.#finding({
        where: `static call at ${code.at(call).name}`,
        address: call,
        expected: `a call of ${name}`,
        found: hexDigits(this.#found.get(call) ?? new Uint8Array(), " "),
        target,
        summary: calls.length === 1
          ? `the static call of ${name} ${
            callPlaces(code, calls)
          } leads to ${to}, which its key does not name`
          : `${calls.length} static calls of ${name} lead to ${to}, which its key does not name: ${
            callPlaces(code, calls)
          }`,
      });
    }
  }

  /** Reports the sites that could not be judged. */
  tellOdd(): void {
    const [first] = this.#odd;
    if (first === undefined) return;
    const more = this.#odd.length - 1;
    this.#report.unjudged(
      `patch site at ${this.#context.code.nameOf(first.gva)}${
        more === 0 ? "" : ` and ${more} more`
      }`,
      first.why,
    );
  }

  /**
   * The bytes at a site; `undefined` for one in init code, which is gone. Where
   * it lies and the kernel's own mark of it must agree on that.
   */
  #bytesOf(gva: bigint, init: boolean): Uint8Array | undefined {
    const { longestBranch } = this.#context.kernel.arch.instructions;
    const bytes = bytesAt(this.#text, gva, longestBranch);
    if (bytes !== undefined && !init) {
      this.#report.judged(1);
      return bytes;
    }
    const range = this.#init;
    const gone = bytes === undefined && init &&
      // Where a module's init code was is not known.
      (this.#module !== undefined ||
        range !== undefined && gva >= range.start && gva < range.end);
    if (!gone) {
      this.#odd.push({
        gva,
        why: init
          ? "the kernel has marked it as one in init code, and it lies elsewhere"
          : "its table names it, and it lies in no code",
      });
    }
    return undefined;
  }

  #finding(of: Omit<Finding, "check" | "severity" | "module">): void {
    this.#report.finding({
      severity: "critical",
      ...of,
      ...(this.#module === undefined ? {} : { module: this.#module }),
    });
  }
}

/** Where the image's init code was. */
function initCode({ symbols }: Kernel): GvaRange | undefined {
  const start = symbols.tryAddress("__init_begin") ??
    symbols.tryAddress("_sinittext");
  const end = symbols.tryAddress("__init_end") ??
    symbols.tryAddress("_einittext");
  return start === undefined || end === undefined ? undefined : { start, end };
}
