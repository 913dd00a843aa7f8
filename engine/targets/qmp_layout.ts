/**
 * The layout of guest RAM as reported by a running QEMU: the memory tree
 * printed by its monitor, and the HVA of each run. Used for machines that the
 * command line does not explain. Pure except for the function that asks.
 *
 * Source: QEMU's system/memory.c (mtree_print_flatview) and monitor/hmp-cmds.c
 * (hmp_gpa2hva); the output is the same from 2.10 to 10.0.
 *
 * @module
 */

import { hex } from "../base/hex.ts";
import { shownText } from "../base/shown.ts";
import { z } from "zod";
import {
  LayoutError,
  type RamLayout,
  type RamRegion,
} from "../memory/ram_layout.ts";
import { backingAt, type ProcessMemory } from "./backing.ts";
import type { AttachPlan, VmBacking } from "./vm.ts";

/** Runs a QMP command and returns its `return` value. */
export type AskQemu = (
  command: string,
  args?: Readonly<Record<string, string>>,
) => unknown;

/** A run of guest RAM in one of QEMU's memory blocks. */
export interface BlockRange {
  /** First GPA. */
  readonly start: number;
  /** One past the last GPA. */
  readonly end: number;
  /** The block's name: `pc.ram`, or a memory backend's id. */
  readonly block: string;
  /** Offset of the run in the block, in bytes. */
  readonly offset: number;
}

const RAM =
  /^ +([\da-f]{16})-([\da-f]{16}) \(prio -?\d+, (?:ram|rom)\): (\S+)(?: @([\da-f]+))?/;

/**
 * The RAM in the system's address space, from the output of `info mtree -f`.
 * Runs of one block that the chipset shadows in part (ROM and VGA below 1 MiB)
 * are joined: the memory exists behind the shadow.
 *
 * @param blocks Names of the blocks that are RAM.
 */
export function parseFlatView(
  text: string,
  blocks: ReadonlySet<string>,
): BlockRange[] {
  const view = text.split(/^FlatView #\d+$/m)
    .find((part) => /^ AS "memory", root: system/m.test(part)) ?? "";
  const runs = new Map<string, BlockRange>();
  for (const line of view.split("\n")) {
    const match = RAM.exec(line);
    if (match === null || !blocks.has(match[3])) continue;
    const start = parseInt(match[1], 16);
    const end = parseInt(match[2], 16) + 1;
    const offset = parseInt(match[4] ?? "0", 16);
    const key = `${match[3]} ${start - offset}`;
    const before = runs.get(key);
    runs.set(
      key,
      before === undefined
        ? { start, end, block: match[3], offset }
        : { ...before, end },
    );
  }
  return [...runs.values()].sort((a, b) => a.start - b.start);
}

const MEMDEVS = z.array(z.object({ id: z.string().optional() }));
const DEVICES = z.array(z.object({
  type: z.string(),
  data: z.object({ memdev: z.string().optional() }),
}));
const TEXT = z.string();

/** The most blocks that are RAM: as many as the backends of a machine. */
const MOST_BLOCKS = 512;
/** How long QEMU may be asked, however slowly it answers each time, ms. */
const MOST_MS = 20_000;

/** An answer, which need not be QEMU's: any program can listen there. */
function answered<T>(shape: z.ZodType<T>, answer: unknown): T {
  const { success, data } = shape.safeParse(answer);
  if (success) return data;
  throw new LayoutError("QEMU's monitor does not answer as QEMU does");
}

/**
 * Asks QEMU for the layout, and finds the memory in its process's mappings.
 *
 * @throws {LayoutError} when the answers do not fit the process.
 */
export function askedPlan(
  ask: AskQemu,
  memory: ProcessMemory,
  memPath: string,
): AttachPlan {
  const until = performance.now() + MOST_MS;
  const blocks = new Set(
    answered(MEMDEVS, ask("query-memdev")).map(({ id }) => id)
      .filter((id) => id !== undefined),
  );
  for (
    const { type, data } of answered(
      DEVICES,
      ask("query-memory-devices"),
    )
  ) {
    // Storage devices hold no kernel data.
    if (/nvdimm|pmem/.test(type)) {
      blocks.delete((data.memdev ?? "").split("/").pop() ?? "");
    }
  }
  const monitor = (line: string) => {
    if (performance.now() > until) {
      throw new LayoutError("QEMU's monitor answers too slowly");
    }
    return answered(
      TEXT,
      ask("human-monitor-command", { "command-line": line }),
    );
  };
  const runs = parseFlatView(monitor("info mtree -f"), blocks);
  if (runs.length === 0) {
    throw new LayoutError("QEMU's monitor tells of no RAM");
  }
  const names = [...new Set(runs.map(({ block }) => block))];
  if (names.length > MOST_BLOCKS) {
    throw new LayoutError(
      `QEMU's monitor tells of more than ${MOST_BLOCKS} blocks of RAM`,
    );
  }
  const backings = names.map((block): VmBacking => {
    const own = runs.filter((run) => run.block === block);
    const [first] = own;
    const address = hex(first.start);
    const answer = monitor(`gpa2hva ${address}`);
    const hva = /is (0x[\da-f]+)/.exec(answer)?.[1];
    if (hva === undefined) {
      throw new LayoutError(
        `QEMU's monitor gives no HVA of ${address}: ${shownText(answer, 100)}`,
      );
    }
    const size = Math.max(
      ...own.map(({ start, end, offset }) => offset + end - start),
    );
    return backingAt(memory, block, Number(hva) - first.offset, size);
  });
  const regions = runs.map((run): RamRegion => ({
    start: run.start,
    end: run.end,
    backing: names.indexOf(run.block),
    offset: run.offset + backings[names.indexOf(run.block)].mappings[0].offset,
  }));
  const layout: RamLayout = { source: "QEMU's monitor", regions };
  return {
    backings,
    layout,
    access: backings.every(({ open }) => open !== undefined)
      ? "map"
      : "process",
    memPath,
    plugged: [],
    spare: [],
  };
}
