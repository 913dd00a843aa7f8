/**
 * Snapshots of a target: its trace, and everything that is needed to read it,
 * in one file that `core:PATH` opens.
 *
 * @module
 */
import { registerNote } from "../arch/register_note.ts";
import { readingOf } from "../arch/registers.ts";
import { MemoryError } from "../base/errors.ts";
import { hex } from "../base/hex.ts";
import { touchTracing, type TracingWork } from "./snapshot_pages.ts";
import { describeKernel } from "../kernel/locate/describe.ts";
import type { Kernel } from "../kernel/core/kernel.ts";
import type { SymbolBlob } from "../kernel/symbols/symbol_blob.ts";
import { mergeRanges } from "../memory/elf_core_ranges.ts";
import { FrozenMemory } from "../memory/frozen_memory.ts";
import type { PhysicalMemory } from "../memory/physical_memory.ts";
import { readLimits } from "../memory/read_limits.ts";
import {
  SNAPSHOT_FORMAT,
  type SnapshotManifest,
} from "../memory/snapshot_manifest.ts";
import {
  type SnapshotSummary,
  writeSnapshot,
} from "../memory/snapshot_writer.ts";
import type { VirtualAlias } from "../memory/snapshot_layout.ts";
import type { Session } from "../session.ts";
import { VERSION } from "../base/version.ts";

/** What a recording says of its registers, when it is saved again. */
const AGAIN = /^the recording, from /;

/** Options for taking a snapshot. */
export interface TakeSnapshotOptions {
  /**
   * Save all of the guest's RAM; default: only the pages needed to read its
   * trace.
   */
  readonly full?: boolean;
  /** zstd level, 1 to 19; default 3. */
  readonly level?: number;
  /**
   * Further reads whose pages are saved: whatever this reads from the given
   * kernel can be read again from the snapshot.
   */
  readonly also?: (kernel: Kernel) => void;
  /** Symbols from a System.map; reading the snapshot requires the same file. */
  readonly systemMap?: SymbolBlob;
  /** Receives what was left out, one sentence each. */
  readonly onWarning?: (message: string) => void;
  /** Receives the current step, and its progress (0 to 1) where known. */
  readonly onProgress?: (step: string, part?: number) => void;
}

/** What was saved. */
export interface TakenSnapshot extends SnapshotSummary {
  /** Number of events in the snapshot, over all buffers. */
  readonly events: number;
}

/**
 * Saves a target to `path` (`.zst` and `.gz` compress): by default only what
 * `info`, `report`, `events` and `functions` need. The guest is neither paused
 * nor changed. Related data is read together, but a guest that records
 * continues to do so meanwhile, and the counters may then be some events ahead
 * of the pages. For an exact snapshot, stop recording first.
 *
 * @throws {XftraceError} when the file cannot be written, or the guest cannot
 * be read.
 */
export async function takeSnapshot(
  session: Pick<Session, "target" | "memory" | "kernel" | "registers">,
  path: string,
  options: TakeSnapshotOptions = {},
): Promise<TakenSnapshot> {
  const { memory, target } = session;
  const { facts } = session.kernel;
  using frozen = new FrozenMemory(memory);
  const registers = await session.registers();
  // The tables in use belong to processes, which may end before they are saved.
  if ("cpus" in registers) {
    readingOf(
      session.kernel.arch.registers,
      frozen,
      registers.cpus,
      registers.from,
    );
  }
  options.onProgress?.("reading the kernel");
  const kernel = describeKernel(frozen, {
    ...(facts.vmcoreinfo === undefined ? {} : { vmcoreinfo: facts.vmcoreinfo }),
    ...(options.systemMap === undefined
      ? {}
      : { systemMap: options.systemMap }),
    ...(options.onWarning === undefined
      ? {}
      : { onWarning: options.onWarning }),
  });
  kernel.space.budget.allow(readLimits(memory));
  options.onProgress?.("reading the trace");
  const work: TracingWork = touchTracing(kernel, frozen);
  for (const sentence of work.problems) options.onWarning?.(sentence);
  options.also?.(kernel);
  const full = options.full === true;
  const manifest = manifestOf(target, memory, kernel, full);
  frozen.stopKeeping();
  const summary = await writeSnapshot(path, {
    machine: kernel.arch.elfMachine,
    aliases: topTable(kernel),
    memory: frozen,
    ranges: full ? memory.ranges : frozen.touched(),
    manifest,
    ...("why" in registers ? {} : {
      notes: [
        registerNote(registers.cpus, registers.from.replace(AGAIN, "")),
      ],
    }),
    ...(facts.vmcoreinfo === undefined ? {} : { vmcoreinfo: facts.vmcoreinfo }),
  }, {
    ...(options.level === undefined ? {} : { level: options.level }),
    onProgress: (done, total) => options.onProgress?.("writing", done / total),
  });
  return { ...summary, events: work.events };
}

function manifestOf(
  target: string,
  memory: PhysicalMemory,
  kernel: Kernel,
  full: boolean,
): SnapshotManifest {
  const { facts, space } = kernel;
  const pageOffset = directMap(kernel);
  return {
    format: SNAPSHOT_FORMAT,
    xftrace: VERSION,
    created: new Date().toISOString(),
    target,
    content: full ? "full" : "needed",
    ram: mergeRanges(memory.ranges).map(({ start, end }) => [start, end]),
    kernel: {
      release: facts.release,
      ...(facts.buildId === undefined ? {} : { buildId: facts.buildId }),
      kaslrOffset: hex(facts.kaslrOffset),
      physBase: hex(facts.physBase),
      ...(pageOffset === undefined ? {} : { pageOffset: hex(pageOffset) }),
    },
    topTable: hex(space.tables.root),
  };
}

/** The kernel's top page table, as an alias at the GVA that its note gives. */
function topTable({ facts, pageSize, space }: Kernel): VirtualAlias[] {
  const named = /^SYMBOL\(swapper_pg_dir\)=([\da-f]{16})$/m
    .exec(facts.vmcoreinfo ?? "")?.[1];
  if (named === undefined) return [];
  const gva = BigInt(`0x${named}`);
  const gpa = space.tryTranslate(gva)?.gpa;
  return gpa === undefined ? [] : [{ gva, gpa, length: pageSize }];
}

/**
 * GVA of the direct map; undefined when a recording that is saved again does
 * not contain it.
 */
function directMap({ arch, space, symbols }: Kernel): bigint | undefined {
  try {
    return arch.image.directMap(symbols, (gva) => space.u64(gva));
  } catch (error) {
    if (error instanceof MemoryError) return undefined;
    throw error;
  }
}
