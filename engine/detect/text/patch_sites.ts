/**
 * Where a kernel changes its own text, by the tables of a trusted image.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import { type Mechanism, type PatchSites, SiteMarks } from "./site_marks.ts";
import type { Vmlinux } from "./vmlinux.ts";

/** Offsets in the text of a table's entries that are self-relative. */
function* relative(
  bytes: Uint8Array,
  address: bigint,
  step: number,
): Generator<bigint> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i + step <= bytes.length; i += step) {
    yield address + BigInt(i + view.getInt32(i, true));
  }
}

/**
 * Marks every patch site of the text.
 *
 * @param text the trusted text, before it was patched
 * @param start GVA it is linked for
 * @param slide added to linked GVAs by this boot
 */
export function patchSites(
  kernel: Kernel,
  image: Vmlinux,
  text: Uint8Array,
  start: bigint,
  slide: bigint,
  probes: readonly bigint[],
): PatchSites {
  const sites = new SiteMarks(text);
  const mark = (what: Mechanism, linked: bigint, length: number) =>
    sites.mark(what, Number(linked - start), length);
  const lengthAt = (linked: bigint) => sites.lengthAt(Number(linked - start));
  const section = (name: string) =>
    image.sections.find((one) => one.name === name);
  /** Between two symbols, out of the trusted image. */
  const table = (from: string, to: string) => {
    const first = kernel.symbols.tryAddress(from);
    const last = kernel.symbols.tryAddress(to);
    if (first === undefined || last === undefined) return undefined;
    const linked = first - slide;
    const holder = image.sections.find(({ address, bytes }) =>
      linked >= address && last - slide <= address + BigInt(bytes.length)
    );
    if (holder === undefined) return undefined;
    const at = Number(linked - holder.address);
    return {
      address: linked,
      bytes: holder.bytes.subarray(at, at + Number(last - first)),
    };
  };

  const alternatives = section(".altinstructions");
  if (alternatives !== undefined) {
    const size = kernel.types.tryStruct("alt_instr")?.size ?? 12;
    const lengthAt = kernel.types.tryOffset("alt_instr", "instrlen") ??
      size - 2;
    let i = 0;
    for (
      const at of relative(alternatives.bytes, alternatives.address, size)
    ) {
      mark("alternatives", at, alternatives.bytes[i + lengthAt]);
      i += size;
    }
  }
  const paravirt = section(".parainstructions");
  if (paravirt !== undefined) {
    const { bytes } = paravirt;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let i = 0; i + 16 <= bytes.length; i += 16) {
      mark("paravirt calls", view.getBigUint64(i, true), bytes[i + 9]);
    }
  }
  const simple = (
    name: string,
    what: Mechanism,
    length: (at: bigint) => number,
  ) => {
    const found = section(name);
    if (found === undefined) return;
    for (const at of relative(found.bytes, found.address, 4)) {
      mark(what, at, length(at));
    }
  };
  simple(".smp_locks", "SMP locks", () => 1);
  simple(".retpoline_sites", "retpolines", lengthAt);
  simple(".return_sites", "return thunks", () => 5);
  simple(".ibt_endbr_seal", "sealed ENDBR", () => 4);

  const statics = table(
    "__start_static_call_sites",
    "__stop_static_call_sites",
  );
  if (statics !== undefined) {
    for (const at of relative(statics.bytes, statics.address, 8)) {
      mark("static calls", at, Math.max(5, lengthAt(at)));
    }
  }
  const jumps = table("__start___jump_table", "__stop___jump_table");
  if (jumps !== undefined) {
    for (const at of relative(jumps.bytes, jumps.address, 16)) {
      mark("jump labels", at, Math.max(2, lengthAt(at)));
    }
  }
  const fentries = table("__start_mcount_loc", "__stop_mcount_loc");
  if (fentries !== undefined) {
    const { bytes } = fentries;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let i = 0; i + 8 <= bytes.length; i += 8) {
      mark("Ftrace", view.getBigUint64(i, true), 5);
    }
  }
  // Constants known at boot only (6.12: asm/runtime-const.h).
  for (const name of kernel.symbols.glob("__start_runtime_*")) {
    const found = table(name, name.replace("__start_", "__stop_"));
    if (found === undefined) continue;
    const width = name.startsWith("__start_runtime_shift_") ? 1 : 8;
    for (const at of relative(found.bytes, found.address, 4)) {
      mark("runtime constants", at, width);
    }
  }
  sites.markNamed(kernel.symbols, start + slide);
  for (const gva of probes) mark("kprobes", gva - slide, 5);

  const calls = new Set<number>();
  const callSites = section(".call_sites");
  if (callSites !== undefined) {
    for (const at of relative(callSites.bytes, callSites.address, 4)) {
      calls.add(Number(at - start));
    }
  }
  return sites.sites(calls);
}

/**
 * Whether what stands at a patch site is something that its mechanism writes,
 * where that is a short list; sites of the others are taken as they are.
 *
 * @param bytes the text found, from the site's start
 */
export function isPlausible(
  mechanism: Mechanism,
  bytes: Uint8Array,
): boolean {
  const is = (...wanted: number[]) =>
    wanted.every((byte, i) => bytes[i] === byte);
  const branch = bytes[0] === 0xe8 || bytes[0] === 0xe9;
  const nop5 = is(0x0f, 0x1f, 0x44, 0x00, 0x00);
  switch (mechanism) {
    case "return thunks":
      return bytes[0] === 0xe9 || is(0xc3, 0xcc, 0xcc, 0xcc, 0xcc);
    case "sealed ENDBR":
      return is(0x66, 0x0f, 0x1f, 0x00) || is(0xf3, 0x0f, 0x1e, 0xfa);
    case "SMP locks":
      return bytes[0] === 0xf0 || bytes[0] === 0x3e;
    case "Ftrace":
      return bytes[0] === 0xe8 || bytes[0] === 0xe9 || nop5;
    case "jump labels":
      return branch || nop5 || bytes[0] === 0xeb || is(0x66, 0x90);
    case "kprobes":
      return bytes[0] === 0xcc || branch;
    default:
      return true;
  }
}
