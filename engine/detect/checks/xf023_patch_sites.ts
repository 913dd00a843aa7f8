/**
 * XF023: patch sites.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import {
  jumpSites,
  moduleJumpSites,
} from "../../kernel/patching/jump_labels.ts";
import type { JumpSite } from "../../kernel/patching/jump_labels.ts";
import { moduleStaticCallSites } from "../../kernel/patching/static_calls.ts";
import { staticCallSites } from "../../kernel/patching/static_calls.ts";
import type { ImageBytes } from "../../kernel/patching/text_image.ts";
import type { CheckContext } from "../core/context.ts";
import { hexDigits } from "../../base/hex.ts";
import { eachModule } from "../core/module_parts.ts";
import type { Report } from "../finding.ts";
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
      for (const site of jumpSites(kernel)) {
        jump(context, report, context.text, site);
      }
    });
    report.part("static calls of the kernel", () => {
      for (const [gva, key] of staticCallSites(kernel)) {
        call(context, report, context.text, gva, key);
      }
    });
    eachModule(context, report, "patch sites of module", (module, report) => {
      const text = context.moduleText(module);
      for (const site of moduleJumpSites(kernel, module.gva)) {
        jump(context, report, text, site, module.name);
      }
      for (const [gva, key] of moduleStaticCallSites(kernel, module.gva)) {
        call(context, report, text, gva, key, module.name);
      }
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

function jump(
  context: CheckContext,
  report: Report,
  text: ImageBytes,
  { code, target }: JumpSite,
  module?: string,
): void {
  const { instructions } = context.kernel.arch;
  const bytes = bytesAt(text, code, instructions.longestBranch);
  if (bytes === undefined) return outside(context, code, module);
  report.judged(1);
  const branch = instructions.branchAt(bytes, code);
  const to = branch?.target;
  if (instructions.nopAt(bytes) > 0) return;
  if (branch?.kind === "jump" && to === target) return;
  const at = context.code.at(code);
  report.finding({
    severity: "critical",
    where: `jump label at ${at.name}`,
    address: code,
    expected: `a no-op, or a jump to ${context.code.at(target).name}`,
    found: hexDigits(bytes, " "),
    summary: to === undefined
      ? `the jump label at ${at.name} holds other instructions`
      : `the jump label at ${at.name} leads to ${
        context.code.at(to).name
      } and not to ${context.code.at(target).name}`,
    ...(to === undefined ? {} : { target: to }),
    ...(module === undefined ? {} : { module }),
  });
}

/**
 * Sites in init code lie outside, and are gone; other sites must not be
 * outside.
 */
function outside(
  { kernel }: CheckContext,
  gva: bigint,
  module?: string,
): void {
  if (module !== undefined) return;
  const { symbols } = kernel;
  const start = symbols.tryAddress("__init_begin") ??
    symbols.tryAddress("_sinittext");
  const end = symbols.tryAddress("__init_end") ??
    symbols.tryAddress("_einittext");
  if (start !== undefined && end !== undefined && gva >= start && gva < end) {
    return;
  }
  throw new KernelError(
    `the table names 0x${gva.toString(16)}, which is no code: it is damaged`,
  );
}

function call(
  context: CheckContext,
  report: Report,
  text: ImageBytes,
  gva: bigint,
  key: bigint,
  module?: string,
): void {
  const { instructions, patching } = context.kernel.arch;
  const bytes = bytesAt(text, gva, instructions.longestBranch);
  if (bytes === undefined) return outside(context, gva, module);
  report.judged(1);
  if (patching.isNoCall(bytes)) return;
  const to = instructions.branchAt(bytes, gva)?.target;
  const { kernel, code } = context;
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
  const at = code.at(gva);
  report.finding({
    severity: "critical",
    where: `static call at ${at.name}`,
    address: gva,
    expected: "a call of its key's function",
    found: hexDigits(bytes, " "),
    summary: to === undefined
      ? `the static call at ${at.name} holds other instructions`
      : `the static call at ${at.name} leads to ${
        code.at(to).name
      }, which its key does not name`,
    ...(to === undefined ? {} : { target: to }),
    ...(module === undefined ? {} : { module }),
  });
}
