/**
 * The places where a kernel changes its own text, from the tables of a trusted
 * image.
 *
 * @module
 */
import type { PatchTable } from "../../arch/patching.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { type PatchSites, SiteMarks } from "./site_marks.ts";
import type { Vmlinux } from "./vmlinux.ts";

/**
 * Offsets of a table's entries, with the GVA of the text to which each refers.
 * The last one may end where its members do, without the padding of the others.
 */
export function* places(
  { address, bytes }: { readonly address: bigint; readonly bytes: Uint8Array },
  { entry, place, length }:
    & Pick<PatchTable, "entry" | "place">
    & Partial<Pick<PatchTable, "length">>,
): Generator<[number, bigint]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const least = typeof length === "object" && "entryByte" in length
    ? length.entryByte + 1
    : entry;
  for (let i = 0; i + least <= bytes.length; i += entry) {
    yield [
      i,
      place === "relative"
        ? address + BigInt(i + view.getInt32(i, true))
        : view.getBigUint64(i, true),
    ];
  }
}

/**
 * Marks every patch site of the text.
 *
 * @param text the trusted text, before it was patched
 * @param start GVA for which it was linked
 * @param slide this boot's kaslr offset
 */
export function patchSites(
  kernel: Kernel,
  image: Vmlinux,
  text: Uint8Array,
  start: bigint,
  slide: bigint,
  probes: readonly bigint[],
): PatchSites {
  const sites = new SiteMarks(kernel.arch, text);
  const mark = (what: string, linked: bigint, length: number) =>
    sites.mark(what, Number(linked - start), length);
  const section = (name: string) =>
    image.sections.find((one) => one.name === name);
  /** The bytes between two symbols of the trusted image. */
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

  const { patching } = kernel.arch;
  for (const one of patching.tables(kernel.types)) {
    const found = one.between === undefined
      ? section(one.section)
      : table(...one.between);
    if (found === undefined) continue;
    const { bytes } = found;
    for (const [i, at] of places(found, one)) {
      const entry = bytes.subarray(i, i + one.entry);
      sites.markEntry(one.mechanism, Number(at - start), one.length, entry);
    }
  }
  // Constants set at boot (6.12: asm/runtime-const.h).
  for (const name of kernel.symbols.glob("__start_runtime_*")) {
    const found = table(name, name.replace("__start_", "__stop_"));
    if (found === undefined) continue;
    const width = patching.runtimeConstant(name);
    for (const [, at] of places(found, { entry: 4, place: "relative" })) {
      mark("runtime constants", at, width);
    }
  }
  sites.markNamed(kernel.symbols, start + slide);
  for (const gva of probes) {
    mark("kprobes", gva - slide, patching.probeBytes);
  }

  const calls = new Set<number>();
  const callSites = section(patching.bentCalls?.table ?? "");
  if (callSites !== undefined) {
    for (const [, at] of places(callSites, { entry: 4, place: "relative" })) {
      calls.add(Number(at - start));
    }
  }
  return sites.sites(calls);
}
