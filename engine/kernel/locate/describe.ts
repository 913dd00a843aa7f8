/**
 * Creates a {@linkcode Kernel} from a guest's bare memory: finds the kernel,
 * its page tables, its symbols and its types.
 *
 * @module
 */
import { KernelError, XftraceError } from "../../base/errors.ts";
import { architectures, readableArchs } from "../../arch/all.ts";
import type { Arch } from "../../arch/arch.ts";
import { AddressSpace } from "../../memory/address_space.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import { BtfTypes } from "../btf/btf_types.ts";
import { loadSymbols, storeSymbols } from "./symbol_cache.ts";
import {
  expandKallsyms,
  type KallsymsTables,
  readKallsyms,
  tablesDigest,
  textGvaOf,
} from "../symbols/kallsyms.ts";
import { findKallsyms } from "./kallsyms_scan.ts";
import { Kernel } from "../core/kernel.ts";
import { LiveSymbols } from "../symbols/live_symbols.ts";
import { findName, type SymbolBlob } from "../symbols/symbol_blob.ts";
import { SymbolTable } from "../symbols/symbol_table.ts";
import {
  findVmcoreinfo,
  parseVmcoreinfo,
  type Vmcoreinfo,
} from "./vmcoreinfo.ts";

/** Options of {@linkcode describeKernel}. */
export interface DescribeOptions {
  /** A vmcoreinfo text from another source, such as a core's note. */
  readonly vmcoreinfo?: string;
  /**
   * Folder of the cache of symbols; default: no cache. Only the memory of a
   * running guest is described with it: a recording may come from a stranger.
   */
  readonly cacheDir?: string;
  /** Symbols from a System.map, in place of the kernel's own kallsyms. */
  readonly systemMap?: SymbolBlob;
  /** Receives problems that do no harm, such as a refused cache entry. */
  readonly onWarning?: (message: string) => void;
  /** Called after each step with its name and duration in ms. */
  readonly onStep?: (step: string, ms: number) => void;
}

const LIVENESS_MS = 100;

interface Located {
  readonly arch: Arch;
  readonly space: AddressSpace;
  readonly release: string | undefined;
  readonly buildId: string | undefined;
  readonly kaslrOffset: bigint | undefined;
  readonly physBase: number;
  readonly by: string;
  readonly note: Vmcoreinfo | undefined;
  readonly image: { blob: SymbolBlob; textGva: bigint } | undefined;
}

/**
 * Describes the kernel that runs in a guest's memory.
 *
 * @throws {KernelError} when there is none, or it is not understood.
 * @throws {MemoryError} when memory it needs cannot be read.
 */
export function describeKernel(
  memory: PhysicalMemory,
  options: DescribeOptions = {},
): Kernel {
  let last = performance.now();
  const step = (name: string) => {
    const now = performance.now();
    options.onStep?.(name, now - last);
    last = now;
  };
  const candidates = locate(memory, options, step);
  const kernels: Kernel[] = [];
  let refusal: unknown;
  for (const located of candidates) {
    try {
      kernels.push(describe(located, options, step));
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      refusal ??= error;
    }
  }
  const running = kernels.length > 1 ? pickRunning(kernels) : kernels[0];
  if (running === undefined) throw refusal;
  return running;
}

function locate(
  memory: PhysicalMemory,
  options: DescribeOptions,
  step: (name: string) => void,
): Located[] {
  const given = options.vmcoreinfo === undefined
    ? undefined
    : parseVmcoreinfo(options.vmcoreinfo);
  const notes = given === undefined ? findVmcoreinfo(memory) : [given];
  const found = notes
    .flatMap((note) => fromVmcoreinfo(memory, note));
  if (found.length > 0) {
    step("locate (vmcoreinfo)");
    return found;
  }
  let image: ReturnType<typeof findKallsyms>;
  try {
    image = findKallsyms(memory);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw new KernelError(
      `no running Linux kernel was found in ${memory.name}: neither a vmcoreinfo note nor a kernel symbol table; the guest may still be in its firmware or boot loader (try again when it has booted), or this is not the memory of a Linux guest that can be read (${readableArchs()})`,
      { cause: error },
    );
  }
  const { arch, textGva, textGpa } = image;
  const symbols = new SymbolTable(image.blob, textGva);
  const place = arch.finder.byImage(memory, { textGva, textGpa, symbols });
  step("locate (kallsyms scan)");
  if (place === undefined) {
    throw new KernelError(
      `a kernel's symbol table was found in ${memory.name}, but its page tables do not map it: the guest is still booting; try again`,
    );
  }
  return [{
    arch,
    space: new AddressSpace(place.tables),
    release: undefined,
    buildId: undefined,
    kaslrOffset: undefined,
    physBase: place.physBase,
    by: "kallsyms scan",
    note: undefined,
    image,
  }];
}

/**
 * The kernel that a note describes; empty when the note is from an earlier
 * boot.
 */
function fromVmcoreinfo(memory: PhysicalMemory, note: Vmcoreinfo): Located[] {
  for (const arch of architectures) {
    const place = arch.finder.byNote(memory, note);
    if (place === undefined) continue;
    return [{
      arch,
      space: new AddressSpace(place.tables),
      release: note.release,
      buildId: note.buildId,
      kaslrOffset: note.kaslrOffset,
      physBase: place.physBase,
      by: "vmcoreinfo",
      note,
      image: undefined,
    }];
  }
  return [];
}

/** The symbols and their source. */
interface Image {
  readonly blob: SymbolBlob;
  readonly textGva: bigint;
}

/**
 * GVA of `_text`, computed from a symbol that both the note and the blob have.
 */
function textGvaBy(note: Vmcoreinfo, blob: SymbolBlob): bigint | undefined {
  const gva = note.symbol("_stext");
  const index = findName(blob, "_stext");
  if (gva === undefined || index < 0) return undefined;
  return gva - BigInt(blob.offsets[index]);
}

/** The kallsyms tables at the addresses in the note, if it has them. */
function readTables({ note, space }: Located): KallsymsTables | undefined {
  const at = (name: string) => note?.symbol(`kallsyms_${name}`);
  const names = at("names");
  const numSyms = at("num_syms");
  const tokenTable = at("token_table");
  const tokenIndex = at("token_index");
  const offsets = at("offsets");
  if (
    names === undefined || numSyms === undefined ||
    tokenTable === undefined || tokenIndex === undefined ||
    offsets === undefined
  ) return undefined;
  const relativeBase = at("relative_base");
  return readKallsyms((gva, into) => space.read(gva, into), {
    names,
    numSyms,
    tokenTable,
    tokenIndex,
    offsets,
    ...(relativeBase === undefined ? {} : { relativeBase }),
  });
}

/**
 * The kernel's own symbols: as its tables expand to, or as the cache says that
 * exactly these tables do.
 */
function readImage(
  located: Located,
  { cacheDir, onWarning }: DescribeOptions,
): { image: Image; describedBy: string } {
  const describedBy = "guest memory";
  if (located.image !== undefined) {
    return { image: located.image, describedBy };
  }
  const { space } = located;
  const { range } = located.arch.image;
  const tables = readTables(located);
  if (tables === undefined) {
    // Before 6.0, vmcoreinfo does not give the addresses of the tables:
    // 5fd8fea935a1 ("vmcoreinfo: include kallsyms symbols").
    return { image: findKallsyms(space.memory), describedBy };
  }
  if (cacheDir === undefined || !space.memory.live) {
    return { image: expandKallsyms(tables, range), describedBy };
  }
  const key = tablesDigest(tables);
  const blob = loadSymbols(cacheDir, key, onWarning);
  if (blob !== undefined) {
    const textGva = textGvaOf(tables, blob, range);
    return { image: { blob, textGva }, describedBy: "cache" };
  }
  const image = expandKallsyms(tables, range);
  const problem = storeSymbols(cacheDir, key, image.blob);
  if (problem !== undefined) onWarning?.(problem);
  return { image, describedBy };
}

function readBtf(space: AddressSpace, symbols: SymbolTable): Uint8Array {
  const start = symbols.tryAddress("__start_BTF");
  const stop = symbols.tryAddress("__stop_BTF");
  if (start === undefined || stop === undefined || stop <= start) {
    throw new KernelError(
      "this kernel carries no BTF: it needs CONFIG_DEBUG_INFO_BTF, without which its structures' layouts are not known",
    );
  }
  return space.bytes(start, Number(stop - start));
}

function describe(
  located: Located,
  options: DescribeOptions,
  step: (name: string) => void,
): Kernel {
  const { space, note, buildId } = located;
  let image: Image;
  let describedBy: string;
  if (options.systemMap !== undefined) {
    const blob = options.systemMap;
    const textGva = note === undefined ? undefined : textGvaBy(note, blob);
    if (textGva === undefined) {
      throw new KernelError(
        "a System.map needs a guest with a vmcoreinfo note to be placed in memory, and this guest has none",
      );
    }
    image = { blob, textGva };
    describedBy = "System.map";
  } else ({ image, describedBy } = readImage(located, options));
  const symbols = new SymbolTable(image.blob, image.textGva);
  step(`symbols (${describedBy})`);
  const types = new BtfTypes(readBtf(space, symbols));
  step("types");
  const banner = space.string(symbols.address("linux_banner"), 512).trimEnd();
  const release = /^Linux version (\S+)/.exec(banner)?.[1];
  if (release === undefined) {
    throw new KernelError(
      `the kernel's banner is not where its symbols say: found ${
        JSON.stringify(banner.slice(0, 40))
      }; the symbols are another kernel's`,
    );
  }
  const live = new LiveSymbols(
    symbols,
    (gva, into) => space.read(gva, into),
    types,
  );
  live.refresh();
  step("modules");
  return new Kernel(located.arch, space, symbols, types, live, {
    release,
    banner,
    buildId,
    kaslrOffset: located.kaslrOffset ??
      image.textGva - located.arch.image.linkText,
    physBase: located.physBase,
    locatedBy: located.by,
    vmcoreinfo: note?.text,
    describedBy,
  });
}

/**
 * Selects the running kernel when several are intact in memory: an earlier
 * boot's may survive a reboot, but only the running one's clock advances.
 */
function pickRunning(kernels: readonly Kernel[]): Kernel {
  const ticks = (kernel: Kernel) => {
    const at = kernel.symbols.tryAddress("jiffies_64") ??
      kernel.symbols.tryAddress("jiffies");
    return at === undefined ? 0n : kernel.space.u64(at);
  };
  const before = kernels.map(ticks);
  const until = performance.now() + LIVENESS_MS;
  while (performance.now() < until) {
    const running = kernels.find((kernel, i) => ticks(kernel) !== before[i]);
    if (running !== undefined) return running;
  }
  throw new KernelError(
    `the memory holds ${kernels.length} kernels (${
      kernels.map((kernel) => kernel.facts.release).join(", ")
    }) and none of them is running: the guest has been restarted and is not up, or this is the memory of a stopped one`,
  );
}
