/**
 * The functions registered with Ftrace (`ftrace_ops_list`), and the record of
 * each call site (`struct dyn_ftrace`).
 *
 * Source: kernel/trace/ftrace.c, include/linux/ftrace.h.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";
import type { Kernel } from "../core/kernel.ts";
import { listNodes, steady, Walk } from "../core/lists.ts";
import { variable } from "../symbols/required.ts";

/** One registered `struct ftrace_ops`. */
export interface FtraceOps {
  /** GVA of its `struct ftrace_ops`. */
  readonly gva: bigint;
  /** GVA of its handler. */
  readonly func: bigint;
  /** GVA of the handler that its owner registered, when the kernel wraps it. */
  readonly savedFunc: bigint;
  /** Whether it is enabled. */
  readonly enabled: boolean;
  /**
   * Whether it may change where the traced function returns to or continues
   * (IPMODIFY).
   */
  readonly ipModify: boolean;
  /** Whether its handler receives all registers. */
  readonly saveRegs: boolean;
  /** Its own generated trampoline; `undefined` when it has none. */
  readonly trampoline: { start: bigint; end: bigint } | undefined;
  /**
   * GVA of the function that its call sites call directly (BPF trampolines); 0n
   * without one.
   */
  readonly directCall: bigint;
}

const FL_ENABLED = 1n;
const FL_SAVE_REGS = 1n << 2n;
const FL_SAVE_REGS_IF_SUPPORTED = 1n << 3n;
const MAX_OPS = 4096;

/** What a kernel with Ftrace has, whatever else of it is missing. */
const WITNESSES = [
  "register_ftrace_function",
  "unregister_ftrace_function",
  "arch_ftrace_ops_list_func",
  "ftrace_set_filter_ip",
  "ftrace_location",
  "ftrace_caller",
  "global_ops",
];

function flag(kernel: Kernel, name: string, otherwise: bigint): bigint {
  const value = kernel.types.tryEnumerator(name);
  return value === undefined ? otherwise : BigInt(value);
}

function readOps(kernel: Kernel, gva: bigint): FtraceOps {
  const at = kernel.object("ftrace_ops", gva);
  const flags = at.u64("flags");
  const ip = flag(kernel, "FTRACE_OPS_FL_IPMODIFY", 1n << 12n);
  const trampoline = at.has("trampoline") ? at.u64("trampoline") : 0n;
  const size = at.has("trampoline_size") ? at.u64("trampoline_size") : 0n;
  return {
    gva,
    func: at.u64("func"),
    savedFunc: at.has("saved_func") ? at.u64("saved_func") : 0n,
    enabled: (flags & FL_ENABLED) !== 0n,
    ipModify: (flags & ip) !== 0n,
    saveRegs: (flags & (FL_SAVE_REGS | FL_SAVE_REGS_IF_SUPPORTED)) !== 0n,
    trampoline: trampoline === 0n || size === 0n
      ? undefined
      : { start: trampoline, end: trampoline + size },
    directCall: at.has("direct_call") ? at.u64("direct_call") : 0n,
  };
}

/**
 * All registered `ftrace_ops`, in list order.
 *
 * @throws {KernelError} when the list does not end, or has no symbol though the
 * kernel has Ftrace.
 */
export function ftraceOps(kernel: Kernel): FtraceOps[] {
  const head = variable(kernel.symbols, "ftrace_ops_list", WITNESSES);
  if (head === undefined) return [];
  const end = variable(kernel.symbols, "ftrace_list_end", WITNESSES) ?? 0n;
  return steady(() => {
    if (end !== 0n) mustEnd(kernel, end);
    const found: FtraceOps[] = [];
    const next = BigInt(kernel.types.offset("ftrace_ops", "next"));
    let at = kernel.space.u64(head);
    while (at !== end) {
      if (at === 0n) {
        throw new KernelError("ftrace_ops_list leads to nowhere: damaged");
      }
      if (found.length >= MAX_OPS) {
        throw new KernelError("ftrace_ops_list does not end");
      }
      found.push(readOps(kernel, at));
      at = kernel.space.u64(at + next);
    }
    return found;
  });
}

/** Throws unless this is the `ftrace_ops` of nobody's that ends the list. */
function mustEnd(kernel: Kernel, gva: bigint): void {
  const at = kernel.object("ftrace_ops", gva);
  const stub = kernel.symbols.addresses("ftrace_stub");
  if (at.u64("next") === 0n && stub.includes(at.u64("func"))) return;
  throw new KernelError(
    "ftrace_list_end is not the end of a list: damaged, or changed",
  );
}

/**
 * All `ftrace_ops` with a generated trampoline, including unregistered ones
 * whose trampoline has not been freed yet.
 */
export function trampolineOps(kernel: Kernel): FtraceOps[] {
  const head = kernel.symbols.tryAddress("ftrace_ops_trampoline_list");
  const link = kernel.types.tryOffset("ftrace_ops", "list");
  if (head === undefined || link === undefined) return [];
  return steady(() =>
    listNodes(kernel, head).map((node) => readOps(kernel, node - BigInt(link)))
  );
}

/** The functions to which an `ftrace_ops` is attached. */
export interface OpsFilter {
  /**
   * GVAs of their call sites, at most `limit`; empty when it is attached to all
   * functions.
   */
  readonly ips: readonly bigint[];
  /** How many functions there are; 0 means all. */
  readonly count: number;
}

/**
 * Reads the functions to which an `ftrace_ops` is attached.
 *
 * @param limit how many call sites to read (default 16)
 */
export function opsFilter(kernel: Kernel, gva: bigint, limit = 16): OpsFilter {
  const ops = kernel.object("ftrace_ops", gva);
  const hashes = ops.follow("func_hash", "ftrace_ops_hash");
  const hash = hashes?.follow("filter_hash", "ftrace_hash");
  if (hash === undefined) return { ips: [], count: 0 };
  const count = hash.number("count");
  const bits = hash.number("size_bits");
  if (bits > 24) return { ips: [], count };
  const buckets = hash.u64("buckets");
  const ipAt = BigInt(kernel.types.offset("ftrace_func_entry", "ip"));
  const link = BigInt(kernel.types.offset("ftrace_func_entry", "hlist"));
  const ips: bigint[] = [];
  for (let i = 0; i < 2 ** bits && ips.length < Math.min(limit, count); i++) {
    let node = kernel.space.u64(buckets + BigInt(8 * i));
    while (node !== 0n && ips.length < limit) {
      kernel.space.budget.node(node);
      ips.push(kernel.space.u64(node - link + ipAt));
      node = kernel.space.u64(node);
    }
  }
  return { ips, count };
}

/** A function that the function graph tracer calls. */
export interface GraphHandler {
  /** Name of the place that holds the pointer: `ftrace_graph_entry`. */
  readonly where: string;
  /** GVA of the pointer. */
  readonly address: bigint;
  /** GVA of the function. */
  readonly func: bigint;
}

/**
 * The functions called at function entries and returns (kernel/trace/fgraph.c):
 * two pointers (6.1), or an array of `struct fgraph_ops` (6.12).
 */
export function graphHandlers(kernel: Kernel): GraphHandler[] {
  const { symbols, space, types } = kernel;
  const found: GraphHandler[] = [];
  const add = (where: string, address: bigint) => {
    const func = space.u64(address);
    if (func !== 0n) found.push({ where, address, func });
  };
  const array = variable(symbols, "fgraph_array", [
    "fgraph_lru_table",
    "fgraph_lru_next",
    "fgraph_direct_gops",
  ]);
  for (const name of ["ftrace_graph_entry", "ftrace_graph_return"]) {
    const at = variable(symbols, name, [
      ...(array === undefined ? ["register_ftrace_graph"] : []),
      "ftrace_graph_entry",
      "ftrace_graph_return",
    ]);
    if (at !== undefined) add(name, at);
  }
  if (array === undefined) return found;
  const size = symbols.lookup(array)?.size ?? 0;
  if (size < 8 * LEAST_GRAPHS) {
    throw new KernelError(
      `fgraph_array takes ${size} bytes only: the kernel's symbols are damaged, or were changed`,
    );
  }
  for (let i = 0; i < Math.min(size / 8, 64); i++) {
    const ops = space.u64(array + BigInt(8 * i));
    if (ops === 0n) continue;
    for (const member of ["entryfunc", "retfunc"]) {
      const offset = types.tryOffset("fgraph_ops", member);
      if (offset === undefined) continue;
      add(`fgraph_array[${i}].${member}`, ops + BigInt(offset));
    }
  }
  return found;
}

/** All call sites as parallel arrays, in the kernel's order. */
export interface CallSites {
  readonly count: number;
  /** Low and high half of each site's GVA. */
  readonly ip: Uint32Array;
  /** Low half of each site's `dyn_ftrace.flags`, which holds all flags. */
  readonly flags: Uint32Array;
}

/** Memory that holds records of call sites. */
export interface SiteRecords extends GvaRange {
  /** How many of them are in use. */
  readonly count: number;
}

/**
 * Where the records of all call sites lie: memory that holds addresses of code
 * without leading to it.
 *
 * @throws {KernelError} like {@linkcode callSites}.
 */
export function callSiteRecords(kernel: Kernel): SiteRecords[] {
  const head = variable(kernel.symbols, "ftrace_pages_start", WITNESSES);
  if (head === undefined) return [];
  const size = kernel.types.struct("dyn_ftrace").size;
  return steady(() => {
    const found: SiteRecords[] = [];
    const walk = new Walk(kernel, "pages of call sites", head);
    for (let page = kernel.space.u64(head); page !== 0n;) {
      walk.add(page);
      const at = kernel.object("ftrace_page", page);
      const start = at.u64("records");
      // Records of code that was freed stay behind the last one in use. Older
      // kernels count what the page holds, newer ones its size: db42523b4f3e
      // ("ftrace: Store the order of pages allocated in ftrace_page").
      const bytes = at.has("order")
        ? kernel.pageSize * 2 ** Math.min(at.number("order"), MOST_ORDER)
        : size * Math.min(
          at.number(at.has("size") ? "size" : "index"),
          MAX_SITES,
        );
      const count = Math.min(at.number("index"), Math.floor(bytes / size));
      found.push({ start, end: start + BigInt(bytes), count });
      page = at.u64("next");
    }
    return found;
  });
}

/** Flag bits of `dyn_ftrace.flags`. */
export const SITE = {
  enabled: 0x8000_0000,
  regs: 0x2000_0000,
  trampoline: 0x0800_0000,
  disabled: 0x0200_0000,
  direct: 0x0080_0000,
} as const;

const MAX_SITES = 1 << 22;
/** MAX_ORDER. */
const MOST_ORDER = 10;
/** FGRAPH_ARRAY_SIZE. */
const LEAST_GRAPHS = 16;

/**
 * Every place in text that calls, or can be made to call, Ftrace.
 *
 * @throws {KernelError} when the pages of records are damaged or changing.
 */
export function callSites(kernel: Kernel): CallSites {
  const { types, space } = kernel;
  const record = types.struct("dyn_ftrace").size;
  const ipAt = types.offset("dyn_ftrace", "ip");
  const flagsAt = types.offset("dyn_ftrace", "flags");
  const head = variable(kernel.symbols, "ftrace_pages_start", WITNESSES);
  return steady(() => {
    const ip: number[] = [];
    const flags: number[] = [];
    const walk = new Walk(kernel, "pages of call sites", head ?? 0n);
    let page = head === undefined ? 0n : space.u64(head);
    while (page !== 0n) {
      // Its number of sites may be 0: they do not bound the number of pages.
      walk.add(page);
      const at = kernel.object("ftrace_page", page);
      const count = at.number("index");
      if (flags.length + count > MAX_SITES) {
        throw new KernelError("Ftrace's pages of call sites do not end");
      }
      const bytes = space.bytes(at.u64("records"), count * record);
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < count; i++) {
        const o = i * record;
        ip.push(view.getUint32(o + ipAt, true));
        ip.push(view.getUint32(o + ipAt + 4, true));
        flags.push(view.getUint32(o + flagsAt, true));
      }
      page = at.u64("next");
    }
    return {
      count: flags.length,
      ip: Uint32Array.from(ip),
      flags: Uint32Array.from(flags),
    };
  });
}
