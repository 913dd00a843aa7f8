/**
 * The page tables that a kernel knows of: its own, and those of its processes.
 *
 * Sources: mm/init-mm.c, include/linux/mm_types.h, and in the architectures'
 * mm/init.c init_top_pgt, in their alternative.c poking_mm.
 *
 * @module
 */
import type { Kernel } from "../core/kernel.ts";
import { readable } from "../core/present.ts";
import { together } from "../symbols/required.ts";
import { listedLeaders, threadsOf } from "./tasks.ts";

/** A set of page tables. */
export interface KnownRoot {
  /** Who says so: `init_mm`, `process 17 (bash)`. */
  readonly name: string;
  /** GVA of the word or symbol that says so. */
  readonly gva: bigint;
  /**
   * GPA of the top-level table; `undefined` where the word of a process leads to
   * none.
   */
  readonly gpa: number | undefined;
  /**
   * Whether it is still so; tables of a process are freed when it ends, and it
   * leaves the list of tasks. `undefined` for those that last.
   */
  readonly still?: () => boolean;
}

/** More tasks than Linux allows (PID_MAX_LIMIT). */
const MOST_TASKS = 1 << 22;

/** The two names of the kernel's own tables: that of the first kind, or older. */
const TOP = ["init_top_pgt", "swapper_pg_dir"];
/**
 * Variables that name the mm through which text is patched, and where in it;
 * the later names first.
 */
const POKING: readonly (readonly [mm: string, address: string])[] = [
  ["text_poke_mm", "text_poke_mm_addr"],
  ["poking_mm", "poking_addr"],
];

/**
 * Page tables of the kernel itself.
 *
 * @throws {KernelError} when a name is missing that every kernel has.
 * @throws {MemoryError} when they cannot be read.
 */
export function* kernelRoots(kernel: Kernel): Generator<KnownRoot> {
  const { arch, facts, space, symbols, types } = kernel;
  const name = TOP.find((one) => symbols.tryAddress(one) !== undefined) ??
    TOP[0];
  const gva = symbols.address(name);
  yield { name, gva, gpa: arch.image.physical(gva, facts.physBase) };
  const mapped = space.tryTranslate(gva)?.gpa;
  if (mapped !== undefined) {
    yield { name: `${name}, as mapped`, gva, gpa: mapped };
  }
  const pgd = types.offset("mm_struct", "pgd");
  const init = symbols.address("init_mm");
  yield {
    name: "init_mm",
    gva: init,
    gpa: gpaOf(kernel, space.u64(init + BigInt(pgd))),
  };
  // The mm of the kernel's patching is named by a pointer.
  for (const names of POKING) {
    const [poking] = together(symbols, names, []) ?? [];
    if (poking === undefined) continue;
    const mm = space.u64(poking);
    if (mm === 0n) continue;
    const gpa = gpaOf(kernel, space.u64(mm + BigInt(pgd)));
    yield { name: names[0], gva: poking, gpa };
  }
}

/**
 * GPA of the tables that are in use during calls of the EFI firmware, which map
 * it beside the kernel; `undefined` when there are none.
 *
 * @throws {MemoryError} when that cannot be read.
 */
export function firmwareRoot(kernel: Kernel): number | undefined {
  const { space, symbols, types } = kernel;
  const gva = symbols.tryAddress("efi_mm");
  const pgd = types.tryOffset("mm_struct", "pgd");
  if (gva === undefined || pgd === undefined) return undefined;
  const at = space.u64(gva + BigInt(pgd));
  return at === 0n ? undefined : gpaOf(kernel, at);
}

/**
 * Page tables of processes, and those that kernel threads have borrowed.
 *
 * @throws {KernelError} when the types do not say where they are.
 */
export function* taskRoots(kernel: Kernel): Generator<KnownRoot> {
  const { space, types } = kernel;
  const pgd = types.offset("mm_struct", "pgd");
  const pid = types.offset("task_struct", "pid");
  const seen = new Set<bigint>();
  let tasks = 0;
  for (const leader of listedLeaders(kernel)) {
    if (++tasks > MOST_TASKS) return;
    const task = firstWithMemory(kernel, leader);
    for (const member of ["mm", "active_mm"]) {
      const at = types.offset("task_struct", member);
      const word = task + BigInt(at);
      const read = () => rootAt(kernel, word, pgd);
      const found = read();
      if (found === undefined || seen.has(found.mm)) continue;
      seen.add(found.mm);
      yield {
        name: `process ${space.u32(leader + BigInt(pid))}`,
        gva: word,
        gpa: found.gpa,
        still: () => {
          const now = read();
          return now?.mm === found.mm && now.gpa === found.gpa &&
            // A recording stays as it is.
            (!kernel.memory.live || listedLeaders(kernel).includes(leader));
        },
      };
    }
  }
}

/** The leader of a process may have ended before its other threads. */
function firstWithMemory(kernel: Kernel, leader: bigint): bigint {
  const at = kernel.types.offset("task_struct", "mm");
  if (kernel.space.u64(leader + BigInt(at)) !== 0n) return leader;
  return threadsOf(kernel, leader).find((thread) =>
    kernel.space.u64(thread + BigInt(at)) !== 0n
  ) ?? leader;
}

/**
 * The mm at a pointer, and its tables, if they can be read; `undefined` when
 * there is none.
 */
function rootAt(
  kernel: Kernel,
  word: bigint,
  pgd: number,
): { mm: bigint; gpa: number | undefined } | undefined {
  // Where it cannot be read, the process has ended meanwhile; or its word was
  // changed.
  const mm = readable(() => kernel.space.u64(word)) ?? 0n;
  if (mm === 0n) return undefined;
  return {
    mm,
    gpa: readable(() => gpaOf(kernel, kernel.space.u64(mm + BigInt(pgd)))),
  };
}

/** GPA of tables whose GVA is known, in the image or in the direct map. */
function gpaOf(kernel: Kernel, gva: bigint): number | undefined {
  const { arch, facts, space, symbols } = kernel;
  const { start, end } = arch.image.range;
  if (gva >= start && gva < end) {
    return arch.image.physical(gva, facts.physBase);
  }
  const base = arch.image.directMap(symbols, (at) => space.u64(at));
  if (base === undefined) return space.tryTranslate(gva)?.gpa;
  return gva < base ? undefined : Number(gva - base);
}
