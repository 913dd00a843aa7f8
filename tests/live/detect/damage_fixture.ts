/**
 * Damage to a full recording, at the places where checks start: part of the
 * test of the hooks, which makes the recording.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Kernel } from "../../../engine/kernel/core/kernel.ts";
import { verdictOf } from "../../../engine/output/findings/findings_json.ts";
import {
  type Damage,
  damagedKernel,
} from "../../replay/damaged_memory_fixture.ts";
import { assertClean, check, findingsOf } from "./support_fixture.ts";

/** Where a check starts; if there are several names, the kernel has one. */
const BEGINNINGS: readonly (readonly [check: string, symbols: string])[] = [
  ["XF001", "sys_call_table"],
  ["XF002", "x64_sys_call do_syscall_64"],
  ["XF003", "idt_table"],
  ["XF004", "ftrace_ops_list"],
  ["XF006", "__start___tracepoints_ptrs"],
  ["XF007", "init_net"],
  ["XF009", "ftrace_pages_start"],
  ["XF010", "tcp4_seq_ops"],
  ["XF011", "super_blocks"],
  ["XF012", "proc_root"],
  ["XF014", "security_hook_heads static_calls_table"],
  ["XF015", "modules"],
  ["XF016", "init_top_pgt"],
  ["XF017", "init_task"],
  ["XF019", "ftrace_trace_arrays"],
  ["XF020", "x64_sys_call do_syscall_64"],
  ["XF023", "__start___jump_table"],
  ["XF025", "x64_sys_call do_syscall_64"],
];

/** How many pages of kernel text are overwritten, one at a time. */
const TEXT_PAGES = 6;

/**
 * Asserts for each place that the check reports something as wrong, or as
 * impossible to judge; it never says that all is well, and does not crash.
 */
export async function damagedRecording(
  kernel: Kernel,
  options: Parameters<typeof check>[2],
): Promise<void> {
  const clean: string[] = [];
  for (const [id, symbols] of BEGINNINGS) {
    const gva = symbols.split(" ").map((name) =>
      kernel.symbols.tryAddress(name)
    ).find((address) => address !== undefined);
    assert.ok(gva !== undefined, symbols);
    // The list's head is inside the first task.
    const at = id === "XF017"
      ? gva + BigInt(kernel.types.offset("task_struct", "tasks"))
      : gva;
    const { gpa } = kernel.space.translate(at - at % 4096n);
    for (const damage of ["missing", "zero", "garbled"] as const) {
      const broken = damagedKernel(kernel, new Map([[gpa, damage]]));
      const run = await check(broken, [id], options);
      if (verdictOf(run) === "clean") clean.push(`${id} ${symbols} ${damage}`);
    }
  }
  assert.deepEqual(clean, []);
  await textOverwritten(kernel);
  await anywhere(kernel, options);
}

/** XF025 finds changed bytes in any page of text, without a trusted image. */
async function textOverwritten(kernel: Kernel): Promise<void> {
  const start = kernel.symbols.address("_stext");
  const pages = Number(kernel.symbols.address("_etext") - start) >> 12;
  const entry = kernel.symbols.address("entry_SYSCALL_64");
  const places = Array.from(
    { length: TEXT_PAGES },
    (_, i) =>
      start + BigInt(Math.floor(pages * (i + 0.5) / TEXT_PAGES)) * 4096n,
  );
  for (const gva of [entry, ...places]) {
    const page = gva - gva % 4096n;
    const { gpa } = kernel.space.translate(page);
    const broken = damagedKernel(kernel, new Map([[gpa, "garbled"]]));
    const run = await check(broken, ["XF025"]);
    const at = findingsOf(run).map(({ address }) => address - address % 4096n);
    // It may be a branch into the page that shows the change.
    assert.ok(at.length > 0, `0x${page.toString(16)} passed for text`);
    assert.ok(at.includes(page), at.join(" "));
  }
  assertClean(await check(kernel, ["XF025"]));
}

/** Random damage: nothing crashes, and what is lost is reported. */
async function anywhere(
  kernel: Kernel,
  options: Parameters<typeof check>[2],
): Promise<void> {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 0x7fffffff) / 0x7fffffff;
  const pages = kernel.memory.dataRanges().flatMap(({ start, end }) =>
    Array.from({ length: (end - start) / 4096 }, (_, i) => start + 4096 * i)
  );
  const kinds: readonly Damage[] = ["missing", "zero", "garbled"];
  for (let round = 0; round < 3; round++) {
    const damage = new Map<number, Damage>();
    for (const page of pages) {
      if (random() < 0.05) damage.set(page, kinds[round % kinds.length]);
    }
    const run = await check(damagedKernel(kernel, damage), [], options);
    assert.notEqual(verdictOf(run), "clean");
  }
}
