/**
 * Code that the kernel generates at run time, from the kernel's own lists: BPF
 * programs, Ftrace's trampolines, kprobes' copied instructions, thunks.
 *
 * Sources: kernel/bpf/core.c (bpf_kallsyms, pack_list), kernel/trace/ftrace.c
 * (ftrace_ops_trampoline_list), kernel/kprobes.c.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { GvaRange } from "../../memory/gva_ranges.ts";
import type { Kernel } from "../core/kernel.ts";
import { ownMemoryPrograms } from "./bpf_programs.ts";
import { copiedFor } from "./copied_code.ts";
import { ftraceOps, trampolineOps } from "./ftrace_ops.ts";
import { kprobePages } from "./kprobes.ts";
import { listNodes, steady } from "../core/lists.ts";
import { readBpfSymbols } from "../symbols/range_symbols.ts";

/** Kinds of generated code. */
export type GeneratedKind = "bpf" | "ftrace" | "kprobe" | "thunk";

/** A range of code that the kernel generated. */
export interface GeneratedCode {
  readonly kind: GeneratedKind;
  /** Description: a BPF program's name, or `ftrace trampoline`. */
  readonly name: string;
  readonly start: bigint;
  readonly end: bigint;
}

/** BPF_PROG_PACK_SIZE on one NUMA node: 2 MiB for each possible node. */
const PACK = 2n << 20n;

/** The generated code that is in use. */
export function generatedCode(kernel: Kernel): GeneratedCode[] {
  const found: GeneratedCode[] = [];
  const bpf = readBpfSymbols(
    (gva, into) => kernel.space.read(gva, into),
    (name) => kernel.symbols.tryAddress(name),
    kernel.types,
  );
  for (const { name, start, end } of bpf) {
    found.push({ kind: "bpf", name, start, end });
  }
  const named = new Set(bpf.map(({ start }) => start));
  for (const range of ownMemoryPrograms(kernel)) {
    if (named.has(range.start)) continue;
    found.push({ kind: "bpf", name: "classic BPF program", ...range });
  }
  const seen = new Set<bigint>();
  for (const ops of [...trampolineOps(kernel), ...ftraceOps(kernel)]) {
    if (ops.trampoline === undefined || seen.has(ops.gva)) continue;
    seen.add(ops.gva);
    const range = madeFor(kernel, ops.gva, ops.trampoline);
    if (range === undefined) continue;
    found.push({ kind: "ftrace", name: "ftrace trampoline", ...range });
  }
  for (const { start, end, what } of kprobePages(kernel)) {
    found.push({ kind: "kprobe", name: what, start, end });
  }
  return found;
}

/** What Ftrace puts behind the copy of its template, bytes at most. */
const BEHIND = 64n;

/**
 * The part of the memory that an `ftrace_ops` calls its trampoline which is
 * that: a copy of Ftrace's own code that passes this `ftrace_ops` on, and what
 * follows it. The code of others is not Ftrace's because a word says so. What a
 * recording lacks of it holds no code of anybody's.
 */
function madeFor(
  kernel: Kernel,
  ops: bigint,
  { start, end }: GvaRange,
): GvaRange | undefined {
  try {
    for (const template of kernel.arch.ftraceSites.trampolines) {
      const copy = copiedFor(kernel, template, start);
      if (copy?.object !== ops) continue;
      const most = copy.end + BEHIND;
      return { start, end: end < most ? end : most };
    }
    return undefined;
  } catch (error) {
    if (error instanceof MemoryError) {
      return kernel.memory.live ? undefined : { start, end };
    }
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

/**
 * The memory reserved for generated code, which contains everything in
 * {@linkcode generatedCode}; the rest of it is filled with breakpoints.
 *
 * @param generated what that gave
 */
export function codeReserves(
  kernel: Kernel,
  generated: readonly GeneratedCode[],
): GeneratedCode[] {
  const found: GeneratedCode[] = [];
  const page = BigInt(kernel.pageSize);
  for (const code of generated) {
    found.push({
      ...code,
      start: code.start - code.start % page,
      end: (code.end + page - 1n) / page * page,
    });
  }
  const head = kernel.symbols.tryAddress("pack_list");
  const link = kernel.types.tryOffset("bpf_prog_pack", "list");
  if (head !== undefined && link !== undefined) {
    const nodes = kernel.symbols.tryAddress("nr_node_ids");
    const count = nodes === undefined ? 1 : kernel.space.u32(nodes);
    for (const node of steady(() => listNodes(kernel, head))) {
      const pack = kernel.object("bpf_prog_pack", node - BigInt(link));
      const start = pack.u64("ptr");
      const end = start + PACK * BigInt(Math.max(1, Math.min(count, 1024)));
      found.push({ kind: "bpf", name: "BPF program pack", start, end });
    }
  }
  return found;
}
