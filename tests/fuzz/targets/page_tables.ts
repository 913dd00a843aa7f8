/**
 * Page tables in a guest's memory.
 *
 * @module
 */
import { archNamed } from "../../../engine/arch/all.ts";
import { PageTableBuilder } from "../../../engine/arch/x86_64/page_tables_fixture.ts";
import { Budget } from "../../../engine/base/budget.ts";
import { parseVmcoreinfo } from "../../../engine/kernel/locate/vmcoreinfo.ts";
import { BufferMemory } from "../../../engine/memory/buffer_memory_fixture.ts";
import { readLimits } from "../../../engine/memory/read_limits.ts";
import { allOf } from "../all_of.ts";
import { PatchedMemory } from "../patches.ts";
import type { Target } from "../target.ts";
import { NOTE } from "./elf_core.ts";

const SIZE = 1 << 18;
/** Another set of tables, with the same entries at its top. */
const OTHER = 0x30000;
const MAPPED: readonly (readonly [bigint, bigint, number])[] = [
  [0xffff888000000000n, 0n, 1 << 30],
  [0xffffffff81000000n, 0n, 1 << 21],
  [0xffffffffc0000000n, 0x20000n, 4096],
  [0xffffffffc0001000n, 0x21000n, 4096],
  [0xffffc90000000000n, 0x22000n, 4096],
];
/** Entries that lead to tables, to themselves, or out of memory. */
const ENTRIES = [
  0x1003n,
  0x1083n,
  0x2003n,
  0x3003n,
  0x30003n,
  0x83n,
  0xf_ffff_ffff_f003n,
  0x8000_0000_0000_1003n,
];
const MODULES = { start: 0xffffffffc0000000n, end: 0xffffffffff000000n };

export const pageTables: Target = {
  name: "page_tables",
  open() {
    const bytes = new Uint8Array(SIZE);
    const builder = new PageTableBuilder(bytes, 4, 0x1000);
    for (const [gva, gpa, size] of MAPPED) builder.map(gva, gpa, size);
    const { root } = builder;
    bytes.copyWithin(OTHER, root, root + 4096);
    const top = bytes.slice(root, root + 4096);
    const memory = new BufferMemory(bytes);
    const patched = new PatchedMemory(bytes, 0x1000, ENTRIES);
    const note = parseVmcoreinfo(NOTE);
    const { finder } = archNamed();
    return {
      seeds: patched.seeds,
      mutate: (input, random) => patched.mutate(input, random),
      mutateBytes: (input, random) => patched.mutateBytes(input, random),
      run(input) {
        patched.apply(input);
        const tables = builder.over(memory);
        const other = tables.ofProcess(OTHER);
        const budget = new Budget();
        allOf([
          ...MAPPED.flatMap(([gva]) =>
            [0n, 0x123n, 0x7fff_f000n].map((more) => () =>
              tables.tryTranslate(gva + more)
            )
          ),
          () =>
            budget.within(readLimits(memory), () => {
              tables.mappings(MODULES, budget);
            }),
          () => other.compareKernelHalf({ root }),
          () => other.compareKernelHalf({ root, top }),
          () => note && finder.byNote(memory, note),
        ]);
      },
    };
  },
};
