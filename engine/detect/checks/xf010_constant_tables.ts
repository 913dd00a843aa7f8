/**
 * XF010: constant tables.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import { securityHooks } from "../../kernel/objects/lsm.ts";
import { syscallTables } from "../../kernel/objects/syscalls.ts";
import { distancesInto } from "../../kernel/patching/distance_tables.ts";
import { readImage } from "../../kernel/patching/text_image.ts";
import { RangeTest } from "../../memory/gva_ranges.ts";
import { hex, hexDigits } from "../../base/hex.ts";
import type { CheckContext } from "../core/context.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/** The kind of a table, by the end of its name. */
const KINDS: readonly (readonly [RegExp, string])[] = [
  [/_seq_ops$|seq_op(eration)?s$/, "seq_operations"],
  [/_proc_ops$/, "proc_ops"],
  [/(_fops|file_operations|_file_ops)$/, "file_operations"],
  [/(inode_operations|_iops)$/, "inode_operations"],
  [/(dentry_operations|_dops)$/, "dentry_operations"],
  [/(super_operations|_sops|_super_ops)$/, "super_operations"],
];

/**
 * Tables that rootkits are known to change, and whose members are all
 * functions.
 */
const PROVEN: readonly (readonly [name: string, kind: string])[] = [
  ["tcp4_seq_ops", "seq_operations"],
  ["tcp6_seq_ops", "seq_operations"],
  ["udp_seq_ops", "seq_operations"],
  ["udp6_seq_ops", "seq_operations"],
  ["packet_seq_ops", "seq_operations"],
  ["raw_seq_ops", "seq_operations"],
];

/** Checks that nothing in the kernel's constant tables leads to a module. */
export const constantTables: Check = {
  id: "XF010",
  title: "constant tables",
  technique: "T1014",
  help:
    "The kernel's read-only data (file, inode, seq and protocol operations among it) holds no address of code outside the kernel, and neither do the exception table and the exported symbols. Read-only data is made before any module is loaded, so an address of one was written later.",
  run(context, report) {
    const { kernel, code } = context;
    const data = readImage(kernel, "__start_rodata", "__end_rodata");
    const words = new Uint32Array(
      data.bytes.buffer,
      0,
      Math.floor(data.bytes.length / 4),
    );
    report.judged(words.length / 2);
    report.part("tables of the kernel's operations", () => {
      for (const [name, kind] of PROVEN) {
        for (const gva of kernel.symbols.addresses(name)) {
          members(context, report, name, kind, gva);
        }
      }
    });
    report.part("tables of distances", () => {
      for (
        const { what, address, target } of distancesInto(
          kernel,
          kernel.moduleRegion,
        )
      ) {
        if (!code.executable(target)) continue;
        const to = code.at(target);
        const where = `${what} at ${hex(address)}`;
        report.finding({
          severity: "critical",
          where,
          address,
          target,
          expected: "a place in the kernel",
          found: to.name,
          summary: `${where} leads to ${to.name}, outside of the kernel`,
          ...(to.module === undefined ? {} : { module: to.module.name }),
        });
      }
    });
    // Judged by XF014.
    const security = new Set(
      securityHooks(kernel)?.map(({ address }) => address),
    );
    const elsewhere = [
      ...syscallTables(kernel).map(({ gva, entries }) => ({
        start: gva,
        end: gva + BigInt(8 * entries.length),
      })),
      ...securityCalls(kernel),
    ];
    const modules = new RangeTest(kernel.moduleRegion);
    for (let i = 0; i + 1 < words.length; i += 2) {
      if (!modules.has(words[i], words[i + 1])) continue;
      const target = BigInt(words[i + 1]) << 32n | BigInt(words[i]);
      if (!code.executable(target)) continue;
      // Into the middle of a function as well: a hook may skip its first
      // instruction.
      const to = code.at(target);
      if (to.kind === "thunk") continue;
      if (to.kind === "unread") {
        report.unjudged(`${to.name} in read-only data`, code.whyUnread);
        continue;
      }
      const address = data.start + BigInt(4 * i);
      const where = memberName(kernel, code.nameOf(address));
      if (
        security.has(address) ||
        elsewhere.some(({ start, end }) => address >= start && address < end) ||
        isLimit(context, address, target)
      ) continue;
      report.finding({
        severity: "critical",
        where,
        address,
        target,
        expected: "a function of the kernel's",
        found: `${to.name} (${
          hexDigits(data.bytes.subarray(4 * i, 4 * i + 8), " ")
        })`,
        summary: `${where} leads to ${to.name}, outside of the kernel`,
        ...(to.module === undefined ? {} : { module: to.module.name }),
      });
    }
  },
};

/**
 * The table of the security hooks' static calls, which XF014 judges: of the size
 * that its type has, whatever its symbols say.
 */
function securityCalls(
  { symbols, types }: Kernel,
): { start: bigint; end: bigint }[] {
  const size = types.tryStruct("lsm_static_calls_table")?.size;
  if (size === undefined) return [];
  return symbols.addresses("static_calls_table").slice(0, 1)
    .map((start) => ({ start, end: start + BigInt(size) }));
}

/**
 * Whether a word is one of the limits of the memory for modules (mm/execmem.c):
 * a module, or what is reserved for generated code, may lie there.
 */
function isLimit(
  { kernel: { pageSize, symbols, types } }: CheckContext,
  address: bigint,
  target: bigint,
): boolean {
  const size = types.tryStruct("execmem_info")?.size;
  const [start] = symbols.addresses("execmem_info");
  return size !== undefined && start !== undefined && address >= start &&
    address < start + BigInt(size) && target % BigInt(pageSize) === 0n;
}

/**
 * Checks each function in a table that every kernel has: it must be in the
 * image, or absent.
 */
function members(
  { kernel, code }: CheckContext,
  report: Report,
  name: string,
  kind: string,
  gva: bigint,
): void {
  const functions = [...kernel.types.tryStruct(kind)?.members.values() ?? []]
    .filter(({ size, name }) => size === 8 && name !== "owner");
  const values = functions.map(({ offset }) =>
    kernel.space.u64(gva + BigInt(offset))
  );
  if (values.every((value) => value === 0n)) {
    report.unjudged(name, "it is empty: damaged");
  }
  values.forEach((target, i) => {
    if (target === 0n || code.executable(target)) return;
    report.finding({
      severity: "critical",
      where: `${name}.${functions[i].name}`,
      address: gva + BigInt(functions[i].offset),
      target,
      expected: "a function of the kernel's",
      found: hex(target),
      summary: `${name}.${functions[i].name} leads to ${
        hex(target)
      }, which is no code`,
    });
  });
}

/**
 * `tcp4_seq_ops.show` for `tcp4_seq_ops+0x18`, if the kind of the table is
 * known.
 */
function memberName(kernel: Kernel, name: string): string {
  const [symbol, offset = "0"] = name.split("+");
  const kind = KINDS.find(([end]) => end.test(symbol))?.[1];
  if (kind === undefined) return name;
  for (const member of kernel.types.tryStruct(kind)?.members.values() ?? []) {
    if (member.offset === Number(offset)) return `${symbol}.${member.name}`;
  }
  return name;
}
