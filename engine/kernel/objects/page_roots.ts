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

/** Page tables of the kernel itself. @throws {MemoryError} */
export function* kernelRoots(kernel: Kernel): Generator<KnownRoot> {
  const { arch, facts, space, symbols, types } = kernel;
  for (const name of ["init_top_pgt", "swapper_pg_dir"]) {
    const gva = symbols.tryAddress(name);
    if (gva === undefined) continue;
    yield { name, gva, gpa: arch.image.physical(gva, facts.physBase) };
    const mapped = space.tryTranslate(gva)?.gpa;
    if (mapped !== undefined) {
      yield { name: `${name}, as mapped`, gva, gpa: mapped };
    }
    break;
  }
  const pgd = types.tryOffset("mm_struct", "pgd");
  if (pgd === undefined) return;
  const init = symbols.tryAddress("init_mm");
  if (init !== undefined) {
    const gpa = gpaOf(kernel, space.u64(init + BigInt(pgd)));
    if (gpa !== undefined) yield { name: "init_mm", gva: init, gpa };
  }
  // The text_poke mm of the kernel's patching: named by a pointer.
  const poking = symbols.tryAddress("poking_mm") ??
    symbols.tryAddress("text_poke_mm");
  const mm = poking === undefined ? 0n : space.u64(poking);
  if (poking !== undefined && mm !== 0n) {
    const gpa = gpaOf(kernel, space.u64(mm + BigInt(pgd)));
    if (gpa !== undefined) yield { name: "poking_mm", gva: poking, gpa };
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

/** Page tables of processes, and those that kernel threads have borrowed. */
export function* taskRoots(kernel: Kernel): Generator<KnownRoot> {
  const { space, types } = kernel;
  const pgd = types.tryOffset("mm_struct", "pgd");
  const pid = types.tryOffset("task_struct", "pid");
  if (pgd === undefined || pid === undefined) return;
  const seen = new Set<bigint>();
  let tasks = 0;
  for (const leader of listedLeaders(kernel)) {
    if (++tasks > MOST_TASKS) return;
    const task = firstWithMemory(kernel, leader);
    for (const member of ["mm", "active_mm"]) {
      const at = types.tryOffset("task_struct", member);
      if (at === undefined) continue;
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
  const at = kernel.types.tryOffset("task_struct", "mm");
  if (at === undefined) return leader;
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
