/**
 * The text that a module should have: that of its file, laid out and relocated
 * as the loader does it.
 *
 * Source: kernel/module/main.c.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import { moduleBuildId } from "../../kernel/objects/module_load.ts";
import { moduleSections } from "../../kernel/patching/module_sections.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import type { CodeReading } from "../reading/code_reading.ts";
import { type PatchSites, SiteMarks } from "./site_marks.ts";
import {
  buildIdOf,
  type ObjectSymbol,
  type Relocatable,
  type Relocation,
  textLayout,
} from "./relocatable.ts";

/** The text that a module's file gives it. */
export interface ModuleText {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly sites: PatchSites;
}

const SHN_UNDEF = 0;
const SHN_ABS = 0xfff1;

/**
 * Computes what a module's text should hold.
 *
 * @param own its current text, which decides between several symbols of the
 * same name
 * @throws {KernelError} when the file is from another build, or was loaded in a
 * way that is not understood.
 */
export function moduleText(
  reading: CodeReading,
  module: ModuleView,
  file: Relocatable,
  own: Uint8Array,
): ModuleText {
  const { kernel } = reading;
  const [fileId, id] = [buildIdOf(file), moduleBuildId(kernel, module.gva)];
  if (fileId !== undefined && id !== undefined && fileId !== id) {
    throw new KernelError(
      `${file.source} is another build (BUILD-ID ${fileId}) than what is loaded (${id})`,
    );
  }
  const { offsets, size } = textLayout(file);
  // A module may be data alone, as nls_ucs2_utils is on 6.12: then its file has
  // no code either.
  const code = module.text.at(0);
  if (size > own.length || code === undefined && size > 0) {
    throw new KernelError(
      `${file.source} is another build: its code takes ${size} bytes, and ${own.length} are loaded`,
    );
  }
  const start = code?.start ?? 0n;
  const placed = places(reading, module, file, offsets, start);
  const bytes = new Uint8Array(own.length);
  for (const [section, offset] of offsets) {
    bytes.set(file.sections[section].bytes, offset);
  }
  // Sites are taken from the text before it is relocated; relocation changes no
  // lengths.
  const sites = patchSites(reading, file, offsets, bytes);
  const view = new DataView(bytes.buffer);
  const now = new DataView(own.buffer, own.byteOffset, own.length);
  for (const [section, offset] of offsets) {
    for (const one of file.relocations.get(section) ?? []) {
      const at = offset + one.at;
      relocate(reading, { module, file, placed, start }, view, now, at, one);
    }
  }
  return { bytes, sites };
}

/**
 * A module, where its text begins, its file, and the addresses of the file's
 * sections.
 */
interface Loaded {
  readonly module: ModuleView;
  readonly file: Relocatable;
  readonly placed: ReadonlyMap<number, bigint>;
  readonly start: bigint;
}

/** GVAs of the sections, by section number. */
function places(
  reading: CodeReading,
  module: ModuleView,
  file: Relocatable,
  text: ReadonlyMap<number, number>,
  start: bigint,
): ReadonlyMap<number, bigint> {
  const { kernel } = reading;
  const found = new Map<number, bigint>();
  let section = 0;
  for (const { name, address } of moduleSections(kernel, module.gva)) {
    const from = section;
    do section++; while (
      section < file.sections.length &&
      (file.sections[section].name !== name ||
        file.sections[section].size === 0)
    );
    if (section >= file.sections.length) {
      throw new KernelError(
        `${file.source} is another build: it has no section ${name} behind number ${from}`,
      );
    }
    found.set(section, address);
  }
  for (const [number, address] of found) {
    const { name, size, alloc } = file.sections[number];
    // Kept elsewhere for kallsyms, and not the target of any relocation.
    if (!alloc) continue;
    const offset = text.get(number);
    // The guest states the address; it must be where the loader would put the
    // section.
    const right = offset !== undefined
      ? address === start + BigInt(offset)
      : name.startsWith(".init") ||
        module.ranges.some((range) =>
          address >= range.start && address + BigInt(size) <= range.end
        );
    if (!right) {
      throw new KernelError(
        `section ${name} is said to lie at ${
          hex(address)
        }, where ${file.source} does not put it`,
      );
    }
  }
  // Allocated separately from the module, and not listed among its sections.
  const own = kernel.object("module", module.gva);
  const percpu = file.sections.findIndex(({ name, alloc }) =>
    alloc && name === ".data..percpu"
  );
  if (percpu > 0 && own.has("percpu")) found.set(percpu, own.u64("percpu"));
  for (const [number, offset] of text) {
    found.set(number, start + BigInt(offset));
  }
  return found;
}

/** The GVAs that a symbol may have; none when its section is gone. */
function values(
  { kernel }: CodeReading,
  placed: ReadonlyMap<number, bigint>,
  { name, section, value }: ObjectSymbol,
): readonly bigint[] {
  if (section === SHN_ABS) return [BigInt(value)];
  if (section === SHN_UNDEF) return kernel.symbols.addresses(name);
  const at = placed.get(section);
  return at === undefined ? [] : [at + BigInt(value)];
}

function relocate(
  reading: CodeReading,
  { module, file, placed, start: textStart }: Loaded,
  view: DataView,
  now: DataView,
  at: number,
  { type, symbol, addend }: Relocation,
): void {
  const how = reading.kernel.arch.patching.relocation(type);
  if (how === undefined) return;
  const candidates = values(reading, placed, symbol);
  const { relative } = how;
  const wide = how.bytes === 8;
  const bits = wide ? 64 : 32;
  const is = BigInt.asUintN(
    bits,
    wide ? now.getBigUint64(at, true) : BigInt(now.getUint32(at, true)),
  );
  const place = textStart + BigInt(at);
  const wanted = candidates.map((value) =>
    BigInt.asUintN(bits, value + addend - (relative ? place : 0n))
  );
  // Several functions may share a name, and any of them is accepted. An empty
  // section also has an address, but nothing states it.
  const nothing = file.sections[symbol.section]?.size === 0 &&
    module.ranges.some(({ start, end }) => {
      const value = BigInt.asUintN(
        bits,
        is - addend + (relative ? place : 0n),
      );
      return value >= BigInt.asUintN(bits, start) &&
        value <= BigInt.asUintN(bits, end);
    });
  const value = nothing
    ? is
    : wanted.find((one) => one === is) ?? wanted[0] ?? 0n;
  if (wide) view.setBigUint64(at, value, true);
  else view.setUint32(at, Number(value), true);
}

/**
 * The places where the loader and the kernel patch the module, from the file's
 * tables.
 */
function patchSites(
  { kernel }: CodeReading,
  file: Relocatable,
  offsets: ReadonlyMap<number, number>,
  text: Uint8Array,
): PatchSites {
  const sites = new SiteMarks(kernel.arch, text);
  const calls = new Set<number>();
  const { bentCalls, staticCalls, tables } = kernel.arch.patching;
  /** The places in the text to which every `step`th byte of a table points. */
  const each = (
    table: string,
    step: number,
    visit: (at: number, entry: Uint8Array) => void,
  ) => {
    file.sections.forEach(({ name, bytes }, number) => {
      if (name !== table) return;
      for (const { at, symbol, addend } of file.relocations.get(number) ?? []) {
        const offset = offsets.get(symbol.section);
        if (at % step !== 0 || offset === undefined) continue;
        visit(
          offset + symbol.value + Number(addend),
          bytes.subarray(at, at + step),
        );
      }
    });
  };
  for (
    const { section, entry, mechanism, length } of tables(
      kernel.types,
    )
  ) {
    each(
      section,
      entry,
      (at, bytes) => sites.markEntry(mechanism, at, length, bytes),
    );
  }
  if (bentCalls !== undefined) {
    each(bentCalls.table, 4, (at) => calls.add(at));
  }
  for (const { name, section, value } of file.symbols) {
    const offset = offsets.get(section);
    if (offset === undefined || !name.startsWith(staticCalls.trampoline)) {
      continue;
    }
    const { mechanism, trampolineBytes } = staticCalls;
    sites.mark(mechanism, offset + value, trampolineBytes);
  }
  return sites.sites(calls);
}
