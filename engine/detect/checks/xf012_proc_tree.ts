/**
 * XF012: proc tree.
 *
 * @module
 */
import { netNamespaces } from "../../kernel/objects/netfilter.ts";
import { procEntries, type ProcEntry } from "../../kernel/objects/vfs.ts";
import type { CheckContext } from "../core/context.ts";
import { judge } from "../core/judge.ts";
import { TableJudge } from "../core/operations.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/** The kernel's own functions in entries that rootkits often change. */
const EXPECTED: Readonly<Record<string, readonly [string, string]>> = {
  "modules": ["proc_ops", "modules_proc_ops"],
  "kallsyms": ["proc_ops", "kallsyms_proc_ops"],
  "kmsg": ["proc_ops", "kmsg_proc_ops"],
  "kcore": ["proc_ops", "kcore_proc_ops"],
  "stat": ["proc_ops", "stat_proc_ops"],
  "interrupts": ["seq_ops", "int_seq_ops"],
  "devices": ["seq_ops", "devinfo_ops"],
  "diskstats": ["seq_ops", "diskstats_op"],
  "partitions": ["seq_ops", "partitions_op"],
  "loadavg": ["single_show", "loadavg_proc_show"],
  "uptime": ["single_show", "uptime_proc_show"],
  "meminfo": ["single_show", "meminfo_proc_show"],
  "version": ["single_show", "version_proc_show"],
  "net/tcp": ["seq_ops", "tcp4_seq_ops"],
  "net/tcp6": ["seq_ops", "tcp6_seq_ops"],
  "net/udp": ["seq_ops", "udp_seq_ops"],
  "net/udp6": ["seq_ops", "udp6_seq_ops"],
  "net/raw": ["seq_ops", "raw_seq_ops"],
  "net/raw6": ["seq_ops", "raw6_seq_ops"],
  "net/unix": ["seq_ops", "unix_seq_ops"],
  "net/packet": ["seq_ops", "packet_seq_ops"],
  "net/dev": ["seq_ops", "dev_seq_ops"],
  "net/route": ["seq_ops", "fib_route_seq_ops"],
  "net/arp": ["seq_ops", "arp_seq_ops"],
};

/** Checks the entries of /proc that the kernel and its modules created. */
export const procTree: Check = {
  id: "XF012",
  title: "proc tree",
  technique: "T1564",
  help:
    "Every entry of the proc tree, in every network namespace, uses tables of the kernel's or a module's; those that show modules, symbols, connections and load use the kernel's own.",
  run(context, report) {
    const { kernel } = context;
    const tables = new TableJudge(context, report);
    const known = new Set<string>();
    report.part("/proc", () => {
      for (
        const entry of procEntries(kernel, kernel.symbols.address("proc_root"))
      ) {
        if (EXPECTED[entry.path] !== undefined) known.add(entry.path);
        judgeEntry(context, report, tables, entry);
      }
      if (known.size === 0) {
        report.unjudged("/proc", "none of the kernel's own entries is in it");
        return;
      }
      // The kernel makes each of them as it boots, if it has its table.
      for (const [path, [, symbol]] of Object.entries(EXPECTED)) {
        const has = kernel.symbols.tryAddress(symbol) !== undefined;
        if (!has || known.has(path) || path.startsWith("net/")) continue;
        report.unjudged(`/proc/${path}`, "it is not in the tree");
      }
    });
    for (const net of netNamespaces(kernel)) {
      report.part("/proc/net", () => {
        const root = kernel.object("net", net).u64("proc_net");
        if (root === 0n) {
          report.passing("/proc/net", "a network namespace has none");
          return;
        }
        for (const entry of procEntries(kernel, root, "net")) {
          judgeEntry(context, report, tables, entry);
        }
      });
    }
    report.judged(tables.uses);
  },
};

function judgeEntry(
  context: CheckContext,
  report: Report,
  tables: TableJudge,
  entry: ProcEntry,
): void {
  const { kernel, code } = context;
  const [member, symbol] = EXPECTED[entry.path] ?? [];
  const expected = symbol === undefined ? [] : kernel.symbols.addresses(symbol);
  const held = entry.tables.find((use) => use.member === member) ??
    entry.functions.find((use) => use.member === member);
  const proven = expected.length > 0 && member !== undefined;
  const found = held === undefined
    ? undefined
    : "table" in held
    ? held.table
    : held.target;
  // A union member is not read when the entry's operations are not those that
  // the kernel gives it: the change is then in proc_ops itself.
  if (proven && (found === undefined || !expected.includes(found))) {
    const use = held ?? entry.tables.find((each) => each.member === "proc_ops");
    const at = use !== undefined && "table" in use ? use.table : found ?? 0n;
    const where = `/proc/${entry.path}: ${use?.member ?? member}`;
    const module = code.moduleAt(at);
    report.finding({
      severity: "critical",
      where,
      address: use?.address ?? entry.gva,
      target: at,
      expected: symbol,
      found: code.nameOf(at),
      summary: `${where} is ${code.nameOf(at)} and not ${symbol}`,
      ...(module === undefined ? {} : { module: module.name }),
    });
    return;
  }
  for (const use of entry.tables) {
    tables.use(use, code.moduleAt(use.table));
  }
  for (const { member, address, target } of entry.functions) {
    judge(context, report, {
      where: `/proc/${entry.path}: ${member}`,
      address,
      target,
      allowed: "known",
    });
  }
}
