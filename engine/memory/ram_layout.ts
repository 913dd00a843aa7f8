/**
 * Where guest RAM lies: which GPA is which byte of which backing. Pure.
 *
 * Most machines leave a hole for devices and map the rest of RAM above it; the
 * split depends on the machine (see {@linkcode Board}, and the architectures'
 * boards). The placement of memory devices follows QEMU's
 * hw/mem/memory-device.c.
 *
 * @module
 */

import { hex } from "../base/hex.ts";
import { XftraceError } from "../base/errors.ts";
import { GRANULE, intersectRanges, mergeRanges } from "./elf_core_ranges.ts";
import type { GpaRange } from "./physical_memory.ts";

/**
 * The layout could not be determined from what was looked at, or the guest
 * contradicts it; another source may know better.
 */
export class LayoutError extends XftraceError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LayoutError";
  }
}

/** A run of guest RAM and where its bytes are. */
export interface RamRegion extends GpaRange {
  /** Index of the backing. */
  readonly backing: number;
  /** Offset of the run in the backing, in bytes. */
  readonly offset: number;
}

/** All of a guest's RAM. */
export interface RamLayout {
  /** The source of the layout, for messages: `q35`, `i440fx` ... */
  readonly source: string;
  /** The runs of RAM, ascending and disjoint. */
  readonly regions: readonly RamRegion[];
}

/** A kind of machine, distinguished by how it lays out RAM. */
export interface Board {
  /** For messages: `q35`. */
  readonly name: string;
  /** Its common name, for lists of known machines: `i440fx (pc)`. */
  readonly label?: string;
  /** Whether a QEMU machine type is of this kind. */
  isType(machineType: string): boolean;
  /** GPA at which RAM begins. */
  readonly start: number;
  /**
   * How many bytes of RAM lie below the hole.
   *
   * @param maxBelow QEMU's max-ram-below-4g
   */
  low(size: number, maxBelow?: number): number;
  /** GPA of the RAM above the hole. */
  readonly high: number;
  /**
   * GPA limit: RAM that reaches this far has no certain place. Default: its
   * place is always certain.
   */
  readonly certainBelow?: number;
}

/** A memory device (pc-dimm) above RAM. */
export interface DimmPlace {
  /** Index of the backing. */
  readonly backing: number;
  /** Size in bytes. */
  readonly size: number;
  /** Offset of the device's memory in its backing, in bytes; default 0. */
  readonly offset?: number;
  /** GPA, when the command line gives one. */
  readonly address?: number;
  /** Alignment that the backing requires, in bytes; default 2 MiB. */
  readonly alignment?: number;
}

/** What a layout is computed from. */
export interface RamDescription {
  readonly board: Board;
  /** RAM at boot, in bytes. */
  readonly size: number;
  /** QEMU's max-ram-below-4g, in bytes. */
  readonly maxBelow4g?: number;
  /** The most RAM the machine may ever have (maxmem), in bytes. */
  readonly maxSize?: number;
  /**
   * The backings of the RAM at boot, in order: index, size and offset (bytes).
   * There is one, or one for each NUMA node.
   */
  readonly backings: readonly {
    readonly backing: number;
    readonly size: number;
    readonly offset?: number;
  }[];
  /** Memory devices, in the order of their creation. */
  readonly dimms?: readonly DimmPlace[];
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** The board of a QEMU machine type; `undefined` when it is unknown. */
export function boardOf(
  machineType: string,
  boards: readonly Board[],
): Board | undefined {
  return boards.find((board) => board.isType(machineType));
}

/**
 * Computes where RAM lies.
 *
 * @throws {LayoutError} when the backings do not add up to the RAM, a memory
 * device does not fit, or the RAM is so large that its place is not certain.
 */
export function layoutRam(description: RamDescription): RamLayout {
  const { board, size, backings } = description;
  const total = backings.reduce((sum, backing) => sum + backing.size, 0);
  if (total !== size) {
    throw new LayoutError(
      `the RAM layout cannot be told: the VM has ${inMib(size)} of RAM, but ` +
        `its memory backends hold ${inMib(total)}`,
    );
  }
  const low = board.low(size, description.maxBelow4g);
  const above = size - low;
  const reserve = Math.max(0, (description.maxSize ?? size) - size);
  if (
    board.certainBelow !== undefined &&
    board.high + above + reserve + GIB >= board.certainBelow
  ) {
    throw new LayoutError(
      `the RAM layout cannot be told: with ${inMib(size)} of RAM QEMU may ` +
        `place it above 1 TiB; dump the guest's memory and use core:PATH`,
    );
  }
  const regions: RamRegion[] = [];
  let at = 0;
  for (const backing of backings) {
    const cut = Math.min(Math.max(low - at, 0), backing.size);
    const offset = backing.offset ?? 0;
    if (cut > 0) {
      regions.push({
        start: board.start + at,
        end: board.start + at + cut,
        backing: backing.backing,
        offset,
      });
    }
    if (cut < backing.size) {
      const start = board.high + at + cut - low;
      regions.push({
        start,
        end: start + backing.size - cut,
        backing: backing.backing,
        offset: offset + cut,
      });
    }
    at += backing.size;
  }
  const base = Math.ceil((board.high + above) / GIB) * GIB;
  regions.push(...placeDimms(base, description.dimms ?? []));
  regions.sort((a, b) => a.start - b.start);
  return { source: board.name, regions: joined(regions) };
}

/**
 * Gives each memory device its GPA the way QEMU does: the first gap that fits.
 */
function placeDimms(base: number, dimms: readonly DimmPlace[]): RamRegion[] {
  const placed: RamRegion[] = [];
  for (const dimm of dimms) {
    const align = dimm.alignment ?? 2 * MIB;
    let start = dimm.address ?? base;
    if (dimm.address === undefined) {
      for (const other of placed.toSorted((a, b) => a.start - b.start)) {
        if (start < other.end && start + dimm.size > other.start) {
          start = Math.ceil(other.end / align) * align;
        }
      }
    }
    const end = start + dimm.size;
    if (
      start < base || placed.some((r) => start < r.end && end > r.start)
    ) {
      throw new LayoutError(
        `the RAM layout cannot be told: a memory device at ` +
          `${hex(start)} does not fit beside the others`,
      );
    }
    placed.push({
      start,
      end,
      backing: dimm.backing,
      offset: dimm.offset ?? 0,
    });
  }
  return placed;
}

/** Joins regions that continue in the same backing. */
function joined(regions: readonly RamRegion[]): RamRegion[] {
  const list: RamRegion[] = [];
  for (const region of regions) {
    const last = list.at(-1);
    if (
      last !== undefined && last.end === region.start &&
      last.backing === region.backing &&
      last.offset + last.end - last.start === region.offset
    ) {
      list[list.length - 1] = { ...last, end: region.end };
    } else {
      list.push(region);
    }
  }
  return list;
}

/**
 * The possible layouts of a bare memory file of `size` bytes, the likeliest
 * first; the caller tries in which of them the kernel can be read. There is
 * only one when all machines agree.
 *
 * @param boards the likeliest first
 * @throws {XftraceError} when no VM's memory has that size.
 */
export function candidateLayouts(
  size: number,
  boards: readonly Board[],
): RamLayout[] {
  if (size <= 0 || size % GRANULE !== 0) {
    throw new XftraceError(
      `a file of ${size} bytes is not a VM's memory: that would be whole ` +
        `pages of ${GRANULE} bytes`,
    );
  }
  const seen = new Set<string>();
  const layouts: RamLayout[] = [];
  for (const board of boards) {
    const layout = layoutRam({ board, size, backings: [{ backing: 0, size }] });
    const key = JSON.stringify(layout.regions);
    if (seen.has(key)) continue;
    seen.add(key);
    layouts.push(layout);
  }
  return layouts;
}

/** A named range of the guest's own resource tree, `end` exclusive. */
export interface ResourceRange extends GpaRange {
  /** Name as in /proc/iomem: `System RAM`. */
  readonly name: string;
  /**
   * The device to which it belongs, if it does: one that gives the guest memory
   * piece by piece (virtio-mem). `undefined`: it stands for itself.
   */
  readonly within?: GpaRange;
}

function systemRam(resources: readonly ResourceRange[]): ResourceRange[] {
  return resources.filter(({ name }) => name.startsWith("System RAM"));
}

/**
 * Compares a layout with what the guest's kernel calls `System RAM` (the
 * children of iomem_resource). The kernel may use less than the layout has
 * (mem=, pages of the firmware), never more.
 *
 * @returns one sentence about what does not fit; undefined when all fits.
 */
export function checkLayout(
  layout: RamLayout,
  resources: readonly ResourceRange[],
): string | undefined {
  const ram = mergeRanges(systemRam(resources));
  if (ram.length === 0) {
    return "the guest's resource tree lists no System RAM";
  }
  const known = mergeRanges(layout.regions);
  for (const range of ram) {
    const parts = intersectRanges([range], known);
    const covered = parts.length === 1 && parts[0].start === range.start &&
      parts[0].end === range.end;
    if (!covered) {
      return `the guest has System RAM at ${
        rangeText(range)
      }, which the layout ` +
        `(${layout.source}) does not cover: ${known.map(rangeText).join(", ")}`;
    }
  }
  return undefined;
}

/** Memory that may have been plugged in later. */
export interface PluggedMemory {
  /** Index of the backing. */
  readonly backing: number;
  /** Size in bytes. */
  readonly size: number;
  /** Offset of its first byte in the backing, in bytes. */
  readonly offset: number;
  /** Whether its name says that it is RAM; anonymous memory has no name. */
  readonly named: boolean;
}

/**
 * Explains `System RAM` outside the layout: memory plugged in later, which is
 * on no command line. Each such range, or the device to which it belongs, is
 * matched with the backing of the same size. Backings that the guest does not
 * use get no place.
 *
 * @throws {LayoutError} when several ranges or backings have the same size,
 * or a range has no backing.
 */
export function placePlugged(
  layout: RamLayout,
  plugged: readonly PluggedMemory[],
  resources: readonly ResourceRange[],
): RamLayout {
  const known = mergeRanges(layout.regions);
  const free = distinct(
    systemRam(resources).map((range) => range.within ?? range),
  ).filter((range) => intersectRanges([range], known).length === 0);
  if (free.length === 0) return layout;
  const regions = [...layout.regions];
  for (const { start, end } of free) {
    const size = end - start;
    const ranges = free.filter((other) => other.end - other.start === size);
    const all = plugged.filter((memory) =>
      memory.size === size &&
      !layout.regions.some(({ backing }) => backing === memory.backing)
    );
    const named = all.filter((memory) => memory.named);
    const fits = named.length > 0 ? named : all;
    if (fits.length !== 1 || ranges.length !== 1) {
      throw new LayoutError(
        `the RAM layout cannot be told: memory of ${inMib(size)} was plugged ` +
          `in, ${ranges.length} ranges of the guest's RAM have that size, and ` +
          `${fits.length} mappings of its process; dump the guest's memory ` +
          `and use core:PATH`,
      );
    }
    const [{ backing, offset }] = fits;
    regions.push({ start, end, backing, offset });
  }
  regions.sort((a, b) => a.start - b.start);
  return { source: `${layout.source} and resource tree`, regions };
}

/** The ranges, each once: a device may have several pieces in use. */
function distinct(ranges: readonly GpaRange[]): GpaRange[] {
  return ranges.filter((one, i) =>
    ranges.findIndex(({ start, end }) =>
      start === one.start && end === one.end
    ) === i
  );
}

function rangeText({ start, end }: GpaRange): string {
  return `${hex(start)}-${hex(end - 1)}`;
}

function inMib(bytes: number): string {
  return bytes % MIB === 0 ? `${bytes / MIB} MiB` : `${bytes} bytes`;
}
