/**
 * XF026: registers of the processors.
 *
 * @module
 */
import { MemoryError } from "../../../base/errors.ts";
import { hex } from "../../../base/hex.ts";
import type { Check } from "../../../detect/core/check.ts";
import type { CheckContext } from "../../../detect/core/context.ts";
import { judgeCpus } from "../../../detect/core/cpu_roots.ts";
import { judge } from "../../../detect/core/judge.ts";
import type { Report } from "../../../detect/finding.ts";
import type { Kernel } from "../../../kernel/core/kernel.ts";
import type { CpuRegisters } from "../../registers.ts";
import {
  bookedBreakpoints,
  enabledBreakpoints,
} from "../kernel/breakpoints.ts";
import { CR0, CR4, EFER } from "../registers.ts";

/** The upper half of the address space. */
const KERNEL_HALF = 1n << 63n;
/** DR7.GD: any access to a debug register raises an exception. */
const DR7_GD = 1n << 13n;
/** The limit of a table of 256 gates. */
const IDT_LIMIT = 0xfffn;
/** The limit that a processor sets when it leaves a guest of its own (VMX). */
const IDT_LIMIT_VMX = 0xffffn;

/** The bits of CR4 that the kernel sets once and never clears. */
const PINNED = [
  ["SMEP", CR4.SMEP, "the kernel may execute programs' memory"],
  ["SMAP", CR4.SMAP, "the kernel may use programs' memory by mistake"],
  ["UMIP", CR4.UMIP, "programs may read where the kernel's tables are"],
] as const;

/**
 * Registers that not every source tells: the notes in QEMU's cores have no EFER
 * and no debug registers, and its monitor has no LSTAR.
 */
const MAY_BE_UNTOLD = ["efer", "dr7", "lstar"] as const;

/** Checks the registers of all vCPUs. */
export const cpuRegisters: Check = {
  id: "XF026",
  title: "processor registers",
  technique: "T1014",
  arch: "x86_64",
  readsRegisters: true,
  help:
    "On every processor, IDTR and GDTR lead to the kernel's tables, write protection, SMEP, SMAP and NX are on, no breakpoint of the debug registers lies in the kernel except those that perf has booked, and what runs in kernel mode is the kernel's code. LSTAR is judged where it is told; QEMU's monitor does not tell it.",
  run(context, report) {
    const { kernel, reading } = context;
    if (reading === undefined || "why" in reading) {
      report.notRun(
        reading?.why ?? "nobody tells the registers of its processors",
      );
      return;
    }
    // What runs something else is reported by XF027.
    const states = judgeCpus(kernel, reading);
    const cpus = reading.cpus.filter((_, i) => states[i].state === "agrees");
    for (const cpu of cpus) {
      report.part(`vCPU ${cpu.cpu}`, () => {
        protection(context, report, cpu, cpus);
        tables(context, report, cpu);
        breakpoints(context, report, cpu);
        systemCalls(context, report, cpu);
        place(context, report, cpu);
      });
    }
    const untold = MAY_BE_UNTOLD.filter((name) =>
      cpus.some(({ values }) => values[name] === undefined)
    );
    if (untold.length > 0) {
      report.known(
        `not judged, since they are not told by ${reading.from}: ${
          untold.join(", ").toUpperCase()
        }`,
      );
    }
    if (cpus.length === 0) {
      report.notRun("no vCPU was found to run the kernel that is read");
    }
  },
};

/** Bits that every processor must have set. */
function protection(
  { kernel }: CheckContext,
  report: Report,
  { cpu, values }: CpuRegisters,
  all: readonly CpuRegisters[],
): void {
  const { cr0, cr4, efer } = values;
  const missing = (register: string, bit: string, means: string) =>
    report.finding({
      severity: "critical",
      where: `vCPU ${cpu}: ${register}.${bit}`,
      address: kernel.symbols.tryAddress("_stext") ?? 0n,
      expected: "set",
      found: "cleared",
      summary: `${register}.${bit} of vCPU ${cpu} is cleared: ${means}`,
    });
  if (cr0 !== undefined) {
    report.judged(1);
    if ((cr0 & CR0.WP) === 0n) {
      missing("CR0", "WP", "write protection is off, also for kernel text");
    }
  }
  if (cr4 !== undefined) {
    const at = kernel.symbols.tryAddress("cr4_pinned_bits");
    const pinned = at === undefined ? 0n : kernel.space.u64(at);
    for (const [name, bit, means] of PINNED) {
      report.judged(1);
      const wanted = (pinned & bit) !== 0n ||
        all.some((other) => ((other.values.cr4 ?? 0n) & bit) !== 0n);
      if (wanted && (cr4 & bit) === 0n) missing("CR4", name, means);
    }
  }
  if (efer !== undefined) {
    report.judged(2);
    const at = kernel.symbols.tryAddress("__supported_pte_mask");
    const nx = at === undefined || kernel.space.u64(at) >> 63n === 1n;
    if (nx && (efer & EFER.NXE) === 0n) {
      missing("EFER", "NXE", "all memory can be executed");
    }
    if ((efer & EFER.SCE) === 0n) {
      missing("EFER", "SCE", "system calls raise an exception instead");
    }
  }
}

/** IDTR and GDTR; XF027 compares IDTR's address as well. */
function tables(
  { kernel }: CheckContext,
  report: Report,
  { cpu, values }: CpuRegisters,
): void {
  const idt = values["idtr.base"];
  const limit = values["idtr.limit"];
  if (idt !== undefined && limit !== undefined) {
    report.judged(1);
    if (limit !== IDT_LIMIT && limit !== IDT_LIMIT_VMX) {
      report.finding({
        severity: "critical",
        where: `vCPU ${cpu}: IDTR limit`,
        address: idt,
        expected: hex(IDT_LIMIT),
        found: hex(limit),
        summary: `IDTR of vCPU ${cpu} has the limit ${
          hex(limit)
        }, which is not that of idt_table`,
      });
    }
  }
  const gdt = values["gdtr.base"];
  if (gdt === undefined) return;
  report.judged(1);
  const own = gpaOf(kernel, gdt);
  const pages = kernel.perCpuOffsets.map((_, of) =>
    gpaOf(kernel, kernel.perCpu("gdt_page", of))
  );
  if (own !== undefined && pages.includes(own)) return;
  report.finding({
    severity: "critical",
    where: `vCPU ${cpu}: GDTR`,
    address: gdt,
    expected: "gdt_page of a CPU",
    found: kernel.symbols.lookup(gdt)?.name ?? hex(gdt),
    summary: `GDTR of vCPU ${cpu} names the table at ${
      hex(gdt)
    }, which is not gdt_page of any CPU`,
  });
}

function gpaOf(kernel: Kernel, gva: bigint): number | undefined {
  try {
    return kernel.space.tryTranslate(gva)?.gpa;
  } catch (error) {
    if (error instanceof MemoryError) return undefined;
    throw error;
  }
}

/** Breakpoints in the kernel, which run code without a change of memory. */
function breakpoints(
  context: CheckContext,
  report: Report,
  registers: CpuRegisters,
): void {
  const { kernel, code } = context;
  const { cpu, values } = registers;
  const { dr7 } = values;
  if (dr7 === undefined) return;
  report.judged(1);
  if ((dr7 & DR7_GD) !== 0n) {
    report.finding({
      severity: "critical",
      where: `vCPU ${cpu}: DR7.GD`,
      address: kernel.symbols.tryAddress("asm_exc_debug") ?? 0n,
      expected: "cleared",
      found: "set",
      summary:
        `DR7.GD of vCPU ${cpu} is set: whoever reads the debug registers is intercepted`,
    });
  }
  const set = enabledBreakpoints(registers)
    // Programs' own breakpoints (ptrace) cannot lie in the kernel.
    .filter(({ address }) => address >= KERNEL_HALF);
  if (set.length === 0) return;
  const booked = bookedBreakpoints(kernel);
  for (const { register, address, kind } of set) {
    const where = `vCPU ${cpu}: DR${register}`;
    const owner = booked?.find((one) =>
      one.register === register && one.address === address
    );
    if (owner === undefined) {
      report.finding({
        severity: "critical",
        where,
        address,
        expected: "no breakpoint in the kernel",
        found: `${kind} at ${code.nameOf(address)}`,
        summary: `DR${register} of vCPU ${cpu} breaks on ${kind} at ${
          code.nameOf(address)
        }, and the kernel has booked no such breakpoint`,
      });
      continue;
    }
    judge(context, report, {
      where: `${where} (${kind} at ${code.nameOf(address)})`,
      address: owner.handlerAt,
      target: owner.handler,
      allowed: "vouched",
    });
    report.known(
      `${where}: ${kind} at ${code.nameOf(address)}, booked for ${
        code.nameOf(owner.handler)
      }`,
    );
  }
}

/** The entries of system calls, where they are told. */
function systemCalls(
  { kernel, code }: CheckContext,
  report: Report,
  { cpu, values }: CpuRegisters,
): void {
  for (
    const [register, symbol] of [
      ["lstar", "entry_SYSCALL_64"],
      ["cstar", "entry_SYSCALL_compat"],
    ] as const
  ) {
    const found = values[register];
    const expected = kernel.symbols.tryAddress(symbol);
    // CSTAR is zero, or an ignoring entry, without 32-bit programs.
    if (found === undefined || expected === undefined) continue;
    report.judged(1);
    if (found === expected) continue;
    report.finding({
      severity: "critical",
      where: `vCPU ${cpu}: ${register.toUpperCase()}`,
      address: expected,
      target: found,
      expected: symbol,
      found: code.nameOf(found),
      summary: `${register.toUpperCase()} of vCPU ${cpu} leads to ${
        code.nameOf(found)
      }, which is not ${symbol}`,
    });
  }
}

/** What a vCPU in kernel mode runs, and which CPU's data it uses. */
function place(
  context: CheckContext,
  report: Report,
  { cpu, values }: CpuRegisters,
): void {
  const { kernel } = context;
  const { cpl, rip } = values;
  if (cpl !== 0n || rip === undefined || rip < KERNEL_HALF) return;
  const code = judge(context, report, {
    where: `vCPU ${cpu}: RIP`,
    address: rip,
    target: rip,
    allowed: "known",
    by: "processor",
  });
  // While the kernel is entered or left, GS is the program's.
  const start = kernel.symbols.tryAddress("__entry_text_start");
  const end = kernel.symbols.tryAddress("__entry_text_end");
  const entry = start !== undefined && end !== undefined && rip >= start &&
    rip < end;
  const gs = values["gs.base"];
  if (gs === undefined || entry || code.kind !== "kernel") return;
  report.judged(1);
  if (kernel.perCpuOffsets.includes(gs)) return;
  const where = `vCPU ${cpu}: GS`;
  const what = `${hex(gs)} in kernel mode, which is no CPU's per-CPU area`;
  // An emulator tells the registers of a vCPU that runs not all at one instant.
  if (values.hlt !== 1n) {
    report.passing(where, `it is ${what}`);
    return;
  }
  report.finding({
    severity: "high",
    where,
    address: gs,
    expected: "the per-CPU area of a CPU",
    found: hex(gs),
    summary: `GS of vCPU ${cpu} is ${what}`,
  });
}
