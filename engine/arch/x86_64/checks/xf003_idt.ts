/**
 * XF003: interrupt descriptor table.
 *
 * @module
 */
import { idtDescriptor, idtGates } from "../kernel/idt.ts";
import type { Kernel } from "../../../kernel/core/kernel.ts";
import { hexDigits } from "../../../base/hex.ts";
import { judge } from "../../../detect/core/judge.ts";
import type { Check } from "../../../detect/core/check.ts";

/** Exceptions by vector, as the part of the handler's name after `asm_exc_`. */
const EXCEPTIONS: readonly (string | undefined)[] = [
  "divide_error",
  "debug",
  "nmi",
  "int3",
  "overflow",
  "bounds",
  "invalid_op",
  "device_not_available",
  "double_fault",
  "coproc_segment_overrun",
  "invalid_tss",
  "segment_not_present",
  "stack_segment",
  "general_protection",
  "page_fault",
  "spurious_interrupt_bug",
  "coprocessor_error",
  "alignment_check",
  "machine_check",
  "simd_coprocessor_error",
  undefined,
  "control_protection",
];

/** FIRST_EXTERNAL_VECTOR and the size of one entry stub (idtentry.h). */
const FIRST_EXTERNAL = 0x20n;

/** CPU_ENTRY_AREA_RO_IDT: the table's read-only second mapping. */
const READ_ONLY_IDT = 0xfffffe0000000000n;

/** The limit of a table with 256 gates. */
const LIMIT = 256 * 16 - 1;

/** __KERNEL_CS: the segment of every gate. */
const KERNEL_CS = 0x10;
/** What user space may raise: int3, into, and the system calls of int 0x80. */
const USERS = [3, 4, 0x80];

/** The least number of exception gates that every kernel sets up. */
const EXCEPTIONS_USED = 16;

/** Checks the gates of the interrupt descriptor table. */
export const idt: Check = {
  id: "XF003",
  title: "interrupt descriptor table",
  technique: "T1014",
  arch: "x86_64",
  help:
    "Every gate leads to the kernel's own entry code for its vector, and the descriptor that processors load names the kernel's table. The IDTR itself is a register and is not seen.",
  run(context, report) {
    const { kernel } = context;
    const entry = range(kernel, "__entry_text_start", "__entry_text_end");
    const gates = idtGates(kernel);
    const present = gates.filter((gate) => gate.present).length;
    if (present < EXCEPTIONS_USED) {
      report.unjudged(
        "idt_table",
        `only ${present} of its ${gates.length} gates are present: it is damaged`,
      );
    }
    for (const gate of gates) {
      const where = `idt_table[${gate.vector}]`;
      if (!gate.present && gate.handler === 0n) {
        report.judged(1);
        continue;
      }
      if (isReserved(kernel, gate.vector, gate.handler)) {
        report.judged(1);
        continue;
      }
      const forUsers = gate.dpl !== 0 && !USERS.includes(gate.vector);
      if (gate.present && (gate.segment !== KERNEL_CS || forUsers)) {
        report.finding({
          severity: "critical",
          where: `${where}: descriptor`,
          address: gate.gva,
          expected: `segment ${KERNEL_CS}, level 0`,
          found: `segment ${gate.segment}, level ${gate.dpl}`,
          summary: forUsers
            ? `${where} can be raised by user space`
            : `${where} enters segment ${gate.segment}, which is not the kernel's`,
        });
      }
      const name = EXCEPTIONS[gate.vector];
      const expected = name === undefined ? undefined : `asm_exc_${name}`;
      const code = judge(context, report, {
        where,
        address: gate.gva,
        target: gate.handler,
        allowed: "image",
        by: "processor",
        ...(expected === undefined ? {} : { expected }),
      });
      if (code.kind !== "kernel") continue;
      const known = expected !== undefined &&
        kernel.symbols.tryAddress(expected) !== undefined;
      const right = known
        ? kernel.symbols.addresses(expected).includes(gate.handler) ||
          // Xen PV guests use other gates.
          (code.offset === 0 && code.symbol === `xen_${expected}`)
        : isEntry(
          kernel,
          gate.vector,
          gate.handler,
          code.offset,
          code.symbol,
        ) ||
          (entry !== undefined && code.offset === 0 &&
            gate.handler >= entry.start && gate.handler < entry.end);
      if (right) continue;
      report.finding({
        severity: "critical",
        where,
        address: gate.gva,
        target: gate.handler,
        expected: expected ?? "the kernel's entry code",
        found: `${code.name} (${hexDigits(gate.bytes, " ")})`,
        summary: `${where} leads to ${code.name}, which is not ${
          expected ?? "the kernel's entry code for it"
        }`,
      });
    }
    report.part("idt_descr", () => {
      const table = kernel.symbols.address("idt_table");
      const { gva, address, limit } = idtDescriptor(kernel);
      report.judged(1);
      if (limit !== LIMIT) {
        report.finding({
          severity: "critical",
          where: "idt_descr",
          address: gva,
          expected: `a limit of ${LIMIT}`,
          found: String(limit),
          summary: `idt_descr has a limit of ${limit} and not of ${LIMIT}`,
        });
      }
      const here = kernel.space.translate(table).gpa;
      const there = kernel.space.tryTranslate(address)?.gpa;
      if ((address === table || address === READ_ONLY_IDT) && here === there) {
        return;
      }
      report.finding({
        severity: "critical",
        where: "idt_descr",
        address: gva,
        target: address,
        expected: `idt_table (0x${table.toString(16)})`,
        found: context.code.nameOf(address),
        summary: `idt_descr names the table at ${
          context.code.nameOf(address)
        }, which is not idt_table`,
      });
    });
  },
};

/**
 * Whether a gate belongs to an exception that no processor raises. Such gates
 * still point to the early boot code, although it has been freed (seen on 6.1:
 * vectors 20 to 28, 30 and 31).
 */
function isReserved(kernel: Kernel, vector: number, handler: bigint): boolean {
  const early = kernel.symbols.tryAddress("early_idt_handler_array");
  if (early === undefined || vector >= 32) return false;
  // EARLY_IDT_HANDLER_SIZE: 9, and 13 with ENDBR.
  return [9n, 13n].some((size) => handler === early + BigInt(vector) * size);
}

function isEntry(
  kernel: Kernel,
  vector: number,
  handler: bigint,
  offset: number,
  symbol: string | undefined,
): boolean {
  // Each device interrupt has its own stub, in the order of the vectors.
  for (const stubs of ["irq_entries_start", "spurious_entries_start"]) {
    const start = kernel.symbols.tryAddress(stubs);
    if (start === undefined || handler < start) continue;
    const past = handler - start;
    for (const size of [8n, 16n]) {
      const base = stubs === "irq_entries_start"
        ? FIRST_EXTERNAL
        : FIRST_SYSTEM(kernel);
      if (past === (BigInt(vector) - base) * size) return true;
    }
  }
  return offset === 0 && (symbol?.startsWith("asm_") === true ||
    symbol?.startsWith("entry_INT80") === true ||
    symbol?.startsWith("xen_asm_") === true);
}

/**
 * FIRST_SYSTEM_VECTOR, computed from the distance between the two stub tables:
 * the lower table holds one stub for each vector below it.
 */
function FIRST_SYSTEM(kernel: Kernel): bigint {
  const irq = kernel.symbols.address("irq_entries_start");
  const spurious = kernel.symbols.address("spurious_entries_start");
  for (const size of [8n, 16n]) {
    const count = (spurious - irq) / size;
    if (count > 180n && count <= 224n) return FIRST_EXTERNAL + count;
  }
  return 0xecn;
}

function range(
  kernel: Kernel,
  from: string,
  to: string,
): { start: bigint; end: bigint } | undefined {
  const start = kernel.symbols.tryAddress(from);
  const end = kernel.symbols.tryAddress(to);
  return start === undefined || end === undefined ? undefined : { start, end };
}
