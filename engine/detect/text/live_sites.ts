/**
 * The places where a running kernel still changes its text, according to its
 * own lists; used when text is compared with its own earlier state. Patches
 * applied only at boot (alternatives, return thunks) are not among them.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import {
  jumpSites,
  moduleJumpSites,
} from "../../kernel/patching/jump_labels.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { moduleStaticCallSites } from "../../kernel/patching/static_calls.ts";
import { staticCallSites } from "../../kernel/patching/static_calls.ts";
import type { CodeReading } from "../reading/code_reading.ts";
import { type PatchSites, SiteMarks } from "./site_marks.ts";

/** KPROBE_FLAG_OPTIMIZED (include/linux/kprobes.h). */
const OPTIMIZED = 4;

/**
 * The patch sites in one text.
 *
 * @param text the current bytes
 * @param start GVA of the first one
 * @param module the module whose text it is; `undefined` for the image
 */
export function liveSites(
  reading: CodeReading,
  text: Uint8Array,
  start: bigint,
  module?: ModuleView,
): PatchSites {
  const { kernel, sites } = reading;
  const { patching } = kernel.arch;
  const marks = new SiteMarks(kernel.arch, text);
  const at = (gva: bigint) => Number(gva - start);
  const jumps = module === undefined
    ? jumpSites(kernel)
    : moduleJumpSites(kernel, module.gva);
  for (const { code } of jumps) {
    // While a site is being patched, a breakpoint hides its length.
    const length = patching.jumpLabel(marks.lengthAt(at(code)));
    marks.mark("jump labels", at(code), length);
  }
  const statics = module === undefined
    ? staticCallSites(kernel)
    : moduleStaticCallSites(kernel, module.gva);
  const { staticCalls } = patching;
  for (const gva of statics.keys()) {
    const length = Math.max(staticCalls.bytes, marks.lengthAt(at(gva)));
    marks.mark("static calls", at(gva), length);
  }
  if (module !== undefined) {
    const known = kernel.live.modules.find(({ gva }) => gva === module.gva);
    for (const gva of known?.symbols.addresses ?? []) {
      if (gva < start || gva >= start + BigInt(text.length)) continue;
      const name = known?.symbols.lookup(gva)?.name;
      if (name?.startsWith(staticCalls.trampoline) === true) {
        marks.mark("static calls", at(gva), staticCalls.trampolineBytes);
      }
    }
  } else {
    marks.markNamed(kernel.symbols, start);
  }
  const low = Number(start & 0xffffffffn);
  for (let i = 0; i < sites.count; i++) {
    const site = (sites.ip[2 * i] - low) | 0;
    marks.mark("Ftrace", site, kernel.arch.ftraceSites.size);
  }
  return marks.sites();
}

/** Restores the original bytes where kprobes are currently set. */
export function withoutProbes(
  reading: CodeReading,
  text: Uint8Array,
  start: bigint,
): Uint8Array<ArrayBuffer> {
  const plain = Uint8Array.from(text);
  const { kernel } = reading;
  const { instructions, patching } = kernel.arch;
  const rest = patching.probeBytes - 1;
  const opcode = kernel.types.tryMember("kprobe", "opcode");
  const copied = kernel.types.tryOffset(
    "optimized_kprobe",
    "optinsn.copied_insn",
  );
  for (const { gva, address, flags } of reading.kprobes) {
    const at = Number(address - start);
    if (at < 0 || at + patching.probeBytes > text.length) continue;
    const there = text.subarray(at, at + patching.probeBytes);
    const optimised = (flags & OPTIMIZED) !== 0 && patching.isProbeJump(there);
    if (!instructions.isBreakpoint(there) && !optimised) continue;
    try {
      if (opcode !== undefined) {
        const from = gva + BigInt(opcode.offset);
        plain.set(kernel.space.bytes(from, opcode.size), at);
      }
      if (!optimised || copied === undefined) continue;
      plain.set(kernel.space.bytes(gva + BigInt(copied), rest), at + 1);
    } catch (error) {
      // Unloaded meanwhile with its module: what it wrote stays, and is found
      // when it is still there at the next reading. A recording lacks a page.
      if (error instanceof MemoryError && kernel.memory.live) continue;
      throw error;
    }
  }
  return plain;
}
