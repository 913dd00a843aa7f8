/**
 * Kprobes: where they are set, their handlers, and the memory that holds their
 * copied instructions. Source: kernel/kprobes.c.
 *
 * @module
 */
import type { Kernel } from "../core/kernel.ts";
import { hlistNodes, listNodes, steady } from "../core/lists.ts";
import { variable } from "../symbols/required.ts";

/** One probe. */
export interface Kprobe {
  /** GVA of its `struct kprobe`. */
  readonly gva: bigint;
  /** GVA of the probed instruction. */
  readonly address: bigint;
  /** Symbol name it was set by; empty when it was set by address. */
  readonly symbol: string;
  /** GVAs of its handlers; 0n without one. */
  readonly pre: bigint;
  readonly post: bigint;
  /** Whether it represents several probes at one address. */
  readonly aggregate: boolean;
  /** Value of `flags`. */
  readonly flags: number;
}

/** KPROBE_HASH_BITS. */
const TABLE_BITS = 6;

/** What a kernel with kprobes has, whatever else of them is missing. */
const WITNESSES = [
  "register_kprobe",
  "unregister_kprobe",
  "get_kprobe",
  "register_kretprobe",
  "pre_handler_kretprobe",
  "aggr_pre_handler",
];

/**
 * All probes that are set.
 *
 * @throws {KernelError} when their table is damaged, or has no symbol though the
 * kernel has kprobes.
 */
export function kprobes(kernel: Kernel): Kprobe[] {
  const table = variable(kernel.symbols, "kprobe_table", WITNESSES);
  if (table === undefined) return [];
  const hlist = BigInt(kernel.types.offset("kprobe", "hlist"));
  const list = BigInt(kernel.types.offset("kprobe", "list"));
  const aggregator = variable(
    kernel.symbols,
    "aggr_pre_handler",
    WITNESSES,
  );
  return steady(() => {
    const found: Kprobe[] = [];
    for (let i = 0; i < 1 << TABLE_BITS; i++) {
      for (const node of hlistNodes(kernel, table + BigInt(8 * i))) {
        const probe = readKprobe(kernel, node - hlist, aggregator);
        found.push(probe);
        // The probes that an aggregate represents are on its own list; that of
        // any other probe is empty. The kernel walks it for an aggregate alone.
        if (!probe.aggregate && kernel.space.u64(probe.gva + list) === 0n) {
          continue;
        }
        for (const one of listNodes(kernel, probe.gva + list)) {
          found.push(readKprobe(kernel, one - list, aggregator));
        }
      }
    }
    return found;
  });
}

function readKprobe(
  kernel: Kernel,
  gva: bigint,
  aggregator: bigint | undefined,
): Kprobe {
  const at = kernel.object("kprobe", gva);
  const pre = at.u64("pre_handler");
  return {
    gva,
    address: at.u64("addr"),
    symbol: at.stringAt("symbol_name") ?? "",
    pre,
    post: at.u64("post_handler"),
    aggregate: pre !== 0n && pre === aggregator,
    flags: at.number("flags"),
  };
}

/**
 * The handlers of a return probe's owner (`handler`, `entry_handler`), as GVAs;
 * 0n without one. `kprobe` is the GVA of its `struct kprobe`.
 */
export function kretprobeHandlers(kernel: Kernel, kprobe: bigint): bigint[] {
  const at = kernel.object(
    "kretprobe",
    kprobe - BigInt(kernel.types.offset("kretprobe", "kp")),
  );
  return [at.u64("handler"), at.u64("entry_handler")];
}

/** The pages that hold instructions copied for probes, by their purpose. */
export function kprobePages(
  kernel: Kernel,
): { start: bigint; end: bigint; what: string }[] {
  const found: { start: bigint; end: bigint; what: string }[] = [];
  const link = kernel.types.tryOffset("kprobe_insn_page", "list");
  if (link === undefined) return found;
  for (
    const [symbol, what] of [
      ["kprobe_insn_slots", "kprobe slot"],
      ["kprobe_optinsn_slots", "optimised kprobe"],
    ]
  ) {
    const cache = kernel.symbols.tryAddress(symbol);
    if (cache === undefined) continue;
    const head = cache +
      BigInt(kernel.types.offset("kprobe_insn_cache", "pages"));
    for (const node of steady(() => listNodes(kernel, head))) {
      const page = kernel.object("kprobe_insn_page", node - BigInt(link));
      const start = page.u64("insns");
      found.push({ start, end: start + BigInt(kernel.pageSize), what });
    }
  }
  return found;
}
