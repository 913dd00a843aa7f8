/**
 * Creates a {@linkcode Kernel} from a guest's bare memory: finds the kernel,
 * its page tables, its symbols and its types.
 *
 * @module
 */
import { KernelError, XftraceError } from "../../base/errors.ts";
import type { AddressSpace } from "../../memory/address_space.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import { BtfTypes } from "../btf/btf_types.ts";
import { Kernel, type KernelCandidate } from "../core/kernel.ts";
import {
  expandKallsyms,
  type KallsymsTables,
  tablesDigest,
  textGvaOf,
} from "../symbols/kallsyms.ts";
import { LiveSymbols } from "../symbols/live_symbols.ts";
import { findName, type SymbolBlob } from "../symbols/symbol_blob.ts";
import { SymbolTable } from "../symbols/symbol_table.ts";
import { tablesIdentity, whatChanged } from "./identity.ts";
import { bootMark, LifeWatch } from "./life.ts";
import {
  imageOf,
  type Located,
  locateKernels,
  newNotes,
  ownNote,
  spaceAgain,
} from "./locate.ts";
import { pickRunning } from "./running.ts";
import { orderNow, readTables, tablesNow } from "./own_tables.ts";
import { loadSymbols, storeSymbols } from "./symbol_cache.ts";
import type { Vmcoreinfo } from "./vmcoreinfo.ts";

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
  /**
   * Selects the running kernel when several in memory agree with themselves and
   * seem to run, for example by what the CPUs say; `undefined` when it cannot
   * tell. Default: that is an error.
   */
  readonly choose?: (kernels: readonly Kernel[]) => Kernel | undefined;
  /** Receives problems that do no harm, such as a refused cache entry. */
  readonly onWarning?: (message: string) => void;
  /** Called after each step with its name and duration in ms. */
  readonly onStep?: (step: string, ms: number) => void;
}

/** The most bytes of types; kernels have 4 to 10 MB. */
const MOST_BTF = 128 << 20;
/** The most descriptions whose symbols are read. */
const MOST_READ = 8;

/** A description during the search for the running kernel. */
interface Described {
  readonly located: Located;
  readonly kernel: Kernel;
}

/**
 * Describes the kernel that runs in a guest's memory.
 *
 * @throws {KernelError} when there is none, it is not understood, or there are
 * several and none can be told to be the running one.
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
  const { located, refused } = locateKernels(memory, options.vmcoreinfo);
  step(`locate (${located[0].by})`);
  if (located.length > MOST_READ) {
    throw new KernelError(
      `${memory.name} holds ${located.length} descriptions of a kernel (vmcoreinfo notes) that its page tables confirm: all but one are forged, and which cannot be told`,
    );
  }
  const candidates: KernelCandidate[] = refused.map((one) =>
    candidate(one, false, one.why)
  );
  const notes = new Set(
    [...located, ...refused].map(({ note }) => note?.text ?? ""),
  );
  const found: Described[] = [];
  let refusal: unknown;
  for (const one of located) {
    try {
      const kernel = describe(one, options, candidates, notes, step);
      requireOwnNote(kernel, one);
      found.push({ located: one, kernel });
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      refusal ??= error;
      candidates.push(candidate(one, false, error.message));
    }
  }
  if (found.length === 0) throw refusal;
  const kernels = found.map(({ kernel }) => kernel);
  const running = kernels.length > 1
    ? pickRunning(kernels, options.choose)
    : kernels[0];
  for (const { kernel, located } of found) {
    const taken = kernel === running;
    const why = taken
      ? "it agrees with itself"
      : "it does not run, or is not the one that was chosen";
    candidates.push(candidate(located, taken, why));
  }
  return running;
}

function candidate(
  { note, image }: Pick<Located, "note" | "image">,
  taken: boolean,
  why: string,
): KernelCandidate {
  return {
    gpa: note?.gpa ?? image?.tokenTableGpa ?? -1,
    copies: note?.copies.length ?? 1,
    release: note?.release,
    buildId: note?.buildId,
    taken,
    why,
  };
}

/** Refuses a kernel that has its vmcoreinfo note elsewhere. */
function requireOwnNote(kernel: Kernel, { note }: Located): void {
  if (note === undefined || note.gpa < 0) return;
  const own = ownNote(kernel.space, kernel.symbols);
  if (own === undefined || note.copies.includes(own)) return;
  throw new KernelError(
    `the vmcoreinfo note at GPA 0x${
      note.gpa.toString(16)
    } is not the kernel's own: the kernel that it describes has its note at GPA 0x${
      own.toString(16)
    }`,
  );
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

/**
 * The kernel's own symbols: as its tables expand to, or as the cache says that
 * exactly these tables do.
 */
function readImage(
  located: Located,
  { cacheDir, onWarning }: DescribeOptions,
): { image: Image; describedBy: string; tables: KallsymsTables } {
  const describedBy = "guest memory";
  if (located.image !== undefined) {
    const { image } = located;
    return { image, describedBy, tables: image.tables };
  }
  const { space } = located;
  const { range } = located.arch.image;
  const tables = readTables(located);
  if (tables === undefined) {
    // Before 6.0, vmcoreinfo does not give the addresses of the tables:
    // 5fd8fea935a1 ("vmcoreinfo: include kallsyms symbols").
    const image = imageOf(located);
    return { image, describedBy, tables: image.tables };
  }
  if (cacheDir === undefined || !space.memory.live) {
    return { image: expandKallsyms(tables, range), describedBy, tables };
  }
  const key = tablesDigest(tables);
  const blob = loadSymbols(cacheDir, key, onWarning);
  if (blob !== undefined) {
    const textGva = textGvaOf(tables, blob, range);
    return { image: { blob, textGva }, describedBy: "cache", tables };
  }
  const image = expandKallsyms(tables, range);
  const problem = storeSymbols(cacheDir, key, image.blob);
  if (problem !== undefined) onWarning?.(problem);
  return { image, describedBy, tables };
}

/**
 * The kernel's BTF.
 *
 * @throws {KernelError} when it has none, or claims more than any kernel has.
 */
export function readBtf(
  space: AddressSpace,
  symbols: Pick<SymbolTable, "tryAddress">,
): Uint8Array {
  const start = symbols.tryAddress("__start_BTF");
  const stop = symbols.tryAddress("__stop_BTF");
  if (start === undefined || stop === undefined || stop <= start) {
    throw new KernelError(
      "this kernel carries no BTF: it needs CONFIG_DEBUG_INFO_BTF, without which its structures' layouts are not known",
    );
  }
  const size = Number(stop - start);
  if (size > MOST_BTF) {
    throw new KernelError(
      `its BTF would have ${size} bytes by its symbols, more than any kernel's: the symbols were changed, or are another kernel's`,
    );
  }
  return space.bytes(start, size);
}

function describe(
  located: Located,
  options: DescribeOptions,
  candidates: readonly KernelCandidate[],
  notes: ReadonlySet<string>,
  step: (name: string) => void,
): Kernel {
  const { space, note } = located;
  const { image, describedBy, tables } = options.systemMap === undefined
    ? readImage(located, options)
    : {
      image: placeMap(options.systemMap, note),
      describedBy: "System.map",
      tables: readTables(located),
    };
  const symbols = new SymbolTable(image.blob, image.textGva);
  step(`symbols (${describedBy})`);
  const types = new BtfTypes(readBtf(space, symbols));
  step("types");
  const bannerGva = symbols.address("linux_banner");
  const banner = space.string(bannerGva, 512).trimEnd();
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
  const identity = {
    banner: { gva: bannerGva, text: banner },
    symbols,
    space: () => spaceAgain(located),
    // Tables that were found by a search are not searched again.
    readTables: note?.symbol("kallsyms_names") === undefined
      ? undefined
      : (space: AddressSpace) => tablesNow({ ...located, space }),
    tables: tables === undefined ? undefined : tablesIdentity(tables),
    boot: {
      mark: bootMark({ space, symbols, types, banner: bannerGva }),
      now: (space: AddressSpace) =>
        bootMark({ space, symbols, types, banner: bannerGva }),
    },
    others: () => newNotes(space.memory, notes),
  };
  const life = space.memory.live
    ? new LifeWatch({
      space,
      symbols,
      types,
      banner: bannerGva,
      changed: () => whatChanged(identity, 0),
    })
    : undefined;
  return new Kernel(located.arch, space, symbols, types, live, {
    release,
    banner,
    buildId: note?.buildId,
    kaslrOffset: note?.kaslrOffset ??
      image.textGva - located.arch.image.linkText,
    physBase: located.physBase,
    locatedBy: located.by,
    vmcoreinfo: note?.text,
    describedBy,
  }, {
    candidates,
    boot: identity.boot.mark,
    changed: () => whatChanged(identity),
    life: () => life?.look() ?? "runs",
    measure: (times) => life?.measure(times),
    stillMs: () => life?.stillMs() ?? 0,
    tables: () => tablesNow(located),
    order: () => orderNow(located),
  });
}

function placeMap(blob: SymbolBlob, note: Vmcoreinfo | undefined): Image {
  const textGva = note === undefined ? undefined : textGvaBy(note, blob);
  if (textGva !== undefined) return { blob, textGva };
  throw new KernelError(
    "a System.map needs a guest with a vmcoreinfo note to be placed in memory, and this guest has none",
  );
}
