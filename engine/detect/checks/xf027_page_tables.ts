/**
 * XF027: the page tables through which the kernel is read.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { variable } from "../../kernel/symbols/required.ts";
import type { Check } from "../core/check.ts";
import { judgeCpus, whatIsWrong } from "../core/cpu_roots.ts";
import type { CheckContext } from "../core/context.ts";
import type { Report } from "../finding.ts";
import {
  kernelRoots,
  type KnownRoot,
  taskRoots,
} from "../../kernel/objects/page_roots.ts";

/** Checks that all page tables of a guest show the same kernel. */
export const pageTables: Check = {
  id: "XF027",
  title: "page tables",
  technique: "T1014",
  readsRegisters: true,
  help:
    "All page tables show the same kernel: those of the note in memory, of the symbol, of init_mm, of each process, and those that the processors use; the image lies in one piece in physical memory; the processors' interrupt tables are the kernel's. What the processors use is only seen where QEMU's monitor, or a core's notes, tell their registers.",
  run(context, report) {
    described(context.kernel, report);
    report.part("the image", () => image(context.kernel, report));
    report.part(
      "the kernel's page tables",
      () => roots(context, report, kernelRoots(context.kernel)),
    );
    report.part("the page tables of processes", () => {
      roots(context, report, taskRoots(context.kernel));
    });
    report.part("the processors", () => processors(context, report));
  },
};

/** Lists what else in memory describes itself as a kernel, and why not taken. */
function described({ origin }: Kernel, report: Report): void {
  for (const { gpa, release, copies, taken, why } of origin?.candidates ?? []) {
    const what = `${release ?? "a kernel's symbols"} at ${hex(gpa)}`;
    if (!taken) report.known(`not this kernel: ${what}: ${why}`);
    else if (copies > 1) {
      report.known(`${copies} pages hold the note of ${what}`);
    }
  }
}

/** The image has to lie in one piece, where `phys_base` says. */
function image(kernel: Kernel, report: Report): void {
  const { arch, facts, pageSize, space, symbols } = kernel;
  const end = symbols.address("_end");
  const start = symbols.address("_text");
  if (end <= start || end - start > BigInt(arch.image.maxSize)) {
    report.unjudged("the image", "its symbols give it an impossible size");
    return;
  }
  for (let gva = start; gva < end;) {
    const found = space.tryTranslate(gva);
    if (found === undefined) {
      // Init text and data are freed, and unmapped, after the boot.
      gva += BigInt(pageSize) - gva % BigInt(pageSize);
      continue;
    }
    report.judged(1);
    const expected = arch.image.physical(gva, facts.physBase);
    if (found.gpa !== expected) {
      const name = symbols.lookup(gva)?.name ?? hex(gva);
      report.finding({
        severity: "critical",
        where: name,
        address: gva,
        expected: hex(expected),
        found: hex(found.gpa),
        summary: `the page of ${name} lies at ${
          hex(found.gpa)
        } in physical memory, apart from the image, which has ${
          hex(expected)
        } there`,
      });
      return;
    }
    gva += BigInt(found.left);
  }
  const base = variable(symbols, "phys_base", ["init_top_pgt"]);
  if (base === undefined) return;
  report.judged(1);
  const value = BigInt.asIntN(64, space.u64(base));
  if (value === BigInt(facts.physBase)) return;
  report.finding({
    severity: "critical",
    where: "phys_base",
    address: base,
    expected: hex(facts.physBase),
    found: hex(value),
    summary: `phys_base is ${hex(value)}, and the kernel was found by ${
      hex(facts.physBase)
    }`,
  });
}

function roots(
  { kernel }: CheckContext,
  report: Report,
  known: Iterable<KnownRoot>,
): void {
  const { tables } = kernel.space;
  const seen = new Set<number>();
  const without: string[] = [];
  const wrongOnes: { name: string; why: string; gva: bigint; gpa: number }[] =
    [];
  for (const root of known) {
    const { name, gva, gpa, still } = root;
    if (gpa === undefined) {
      if (still?.() !== false) without.push(name);
      continue;
    }
    if (gpa === tables.root || seen.has(gpa)) {
      report.judged(seen.has(gpa) ? 0 : 1);
      seen.add(gpa);
      continue;
    }
    seen.add(gpa);
    const comparison = tables.compareKernelHalf({ root: gpa });
    const wrong = whatIsWrong(kernel, gpa, comparison);
    report.judged(1);
    if (wrong === undefined) continue;
    if (still?.() === false) continue;
    if (still !== undefined && !mapsKernel(kernel, gpa)) {
      without.push(name);
      continue;
    }
    if (wrong.state === "unread") {
      report.unjudged(`page tables of ${name}`, wrong.why);
      continue;
    }
    wrongOnes.push({ name, why: wrong.why, gva, gpa });
  }
  if (without.length > 0) {
    // A listed process cannot run without the kernel in its tables.
    report.passing(
      `page tables of ${andMore(without)}`,
      "they cannot be read, or do not map the kernel",
    );
  }
  const [first] = wrongOnes;
  if (first === undefined) return;
  // Each process would repeat it.
  const { name, why, gva, gpa } = first;
  report.finding({
    severity: "critical",
    where: `page tables of ${name}`,
    address: gva,
    expected: `the kernel's half as at ${hex(tables.root)}`,
    found: hex(gpa),
    summary: `${andMore(wrongOnes.map((one) => one.name))}: ${why}`,
  });
}

/** The first of some names, and how many more there are. */
function andMore([first, ...more]: readonly string[]): string {
  return `${first}${more.length === 0 ? "" : ` and ${more.length} more`}`;
}

/** Whether tables map the kernel's text at all. */
function mapsKernel(kernel: Kernel, root: number): boolean {
  try {
    return kernel.space.tables.ofProcess(root)
      .tryTranslate(kernel.symbols.address("_stext")) !== undefined;
  } catch (error) {
    if (error instanceof MemoryError) return false;
    throw error;
  }
}

function processors({ kernel, reading }: CheckContext, report: Report): void {
  if (reading === undefined || "why" in reading) return;
  const cpus = judgeCpus(kernel, reading);
  const agree = cpus.some(({ state }) => state === "agrees");
  let known: Set<number | undefined> | undefined;
  for (const { cpu, state, root, difference, why } of cpus) {
    report.judged(1);
    const where = `vCPU ${cpu}`;
    if (state === "off") report.known(`${where}: ${why}`);
    if (state === "unread") report.passing(where, why);
    if (state !== "other") continue;
    known ??= new Set(
      [...kernelRoots(kernel), ...taskRoots(kernel)].map(({ gpa }) => gpa),
    );
    // The tables of a process that has ended may be anything by now, and so may
    // those of a guest within the guest.
    if (agree && root !== undefined && !known.has(root)) {
      report.passing(where, why);
      continue;
    }
    report.finding({
      severity: "critical",
      where,
      address: difference?.gva ?? kernel.symbols.tryAddress("_stext") ?? 0n,
      found: why,
      // A process's own tables differ from one reading to the next.
      varies: true,
      summary: `${where} does not run the kernel that is read: ${why}`,
    });
  }
}
