/**
 * Jump labels: branches that the kernel switches between a no-op and a jump.
 *
 * Source: include/linux/jump_label.h (with HAVE_ARCH_JUMP_LABEL_RELATIVE).
 *
 * @module
 */
import { allocateList, wholeSize } from "../../base/allocate.ts";
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { hasMember, together } from "../symbols/required.ts";
import { wholeTable } from "./module_tables.ts";

/** sizeof(struct jump_entry): two distances and a key. */
const ENTRY = 16;
/** What jump_entry_set_init sets in the key. */
const INIT = 2;
/** More entries than any kernel has; those of distributions have 30,000. */
const MOST_LABELS = 1 << 20;

/** Functions of kernels that have jump labels. */
const WITNESSES = ["arch_jump_label_transform", "jump_label_update"];

/** A place that holds either a no-op or a jump to `target`. */
export interface JumpSite {
  /** GVA of the instruction. */
  readonly code: bigint;
  /** GVA of the jump's target when it is switched on. */
  readonly target: bigint;
  /** Whether the kernel has marked it as one in init code. */
  readonly init: boolean;
}

/**
 * The image's jump labels; none in a kernel that was built without them.
 *
 * @throws {KernelError} when a symbol of their table is missing.
 */
export function jumpSites(kernel: Kernel): JumpSite[] {
  const table = together(
    kernel.symbols,
    ["__start___jump_table", "__stop___jump_table"],
    WITNESSES,
  );
  if (table === undefined) return [];
  const [start, stop] = table;
  if (stop <= start) throw new KernelError("the table of jump labels is empty");
  return read(kernel, start, Number(stop - start) / ENTRY);
}

/** A module's jump labels, including those in its init code. */
export function moduleJumpSites(kernel: Kernel, module: bigint): JumpSite[] {
  const at = kernel.object("module", module);
  if (!hasMember(kernel, "module", "jump_entries", WITNESSES)) return [];
  const entries = at.u64("jump_entries");
  const count = at.number("num_jump_entries");
  wholeTable(kernel, module, "__jump_table", entries, count * ENTRY);
  return read(kernel, entries, count);
}

function read(kernel: Kernel, start: bigint, count: number): JumpSite[] {
  const { space } = kernel;
  wholeSize(count, MOST_LABELS, start, "jump labels");
  const bytes = space.bytes(start, ENTRY * count);
  const view = new DataView(bytes.buffer);
  const gva = (at: number) =>
    BigInt.asUintN(64, start + BigInt(at + view.getInt32(at, true)));
  return allocateList(count, MOST_LABELS, start, (i) => ({
    code: gva(ENTRY * i),
    target: gva(ENTRY * i + 4),
    init: (view.getUint32(ENTRY * i + 8, true) & INIT) !== 0,
  }), { budget: space.budget });
}
