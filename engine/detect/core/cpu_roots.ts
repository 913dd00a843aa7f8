/**
 * Whether the page tables that the vCPUs use are those through which the kernel
 * is read. Registers come from the hypervisor, so this ties what memory says of
 * itself to something that the guest cannot forge.
 *
 * @module
 */
import type {
  CpuPaging,
  CpuRegisters,
  RegisterReading,
} from "../../arch/registers.ts";
import { KernelError, MemoryError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { firmwareRoot } from "../../kernel/objects/page_roots.ts";
import type {
  HalfComparison,
  PageDifference,
} from "../../memory/page_tables.ts";

/** Whether the kernel that was read is the one that the CPUs run. */
export interface RootVerdict {
  readonly verified: boolean;
  /** How many vCPUs were found to run this kernel. */
  readonly cpus: number;
  /** Where the registers come from; `undefined` when there are none. */
  readonly from: string | undefined;
  /** Why it is not verified, as the end of a sentence. */
  readonly why: string | undefined;
}

/** What the registers of one vCPU say about the root. */
export interface CpuRoot {
  readonly cpu: number;
  /**
   * `agrees`: it runs the kernel that is read. `off`: it has no paging, as one
   * that was never started. `other`: it runs something else. `unread`: it
   * cannot be told now.
   */
  readonly state: "agrees" | "off" | "other" | "unread";
  /** GPA of the top-level table in use. */
  readonly root?: number;
  /** Where something else is mapped, for `other`. */
  readonly difference?: PageDifference;
  /** The end of a sentence, for all but `agrees`. */
  readonly why: string;
}

/** Judges the vCPUs of a reading, one by one. */
export function judgeCpus(
  kernel: Kernel,
  reading: Extract<RegisterReading, { readonly cpus: unknown }>,
): CpuRoot[] {
  return reading.cpus.map((cpu) => judgeCpu(kernel, cpu, reading.tops));
}

function judgeCpu(
  kernel: Kernel,
  registers: CpuRegisters,
  tops: ReadonlyMap<number, Uint8Array>,
): CpuRoot {
  const { cpu } = registers;
  const paging = kernel.arch.registers.paging(registers);
  if (paging === "off") return { cpu, state: "off", why: "it has no paging" };
  if ("why" in paging) return { cpu, state: "unread", why: paging.why };
  const { root } = paging;
  const tables = judgeTables(kernel, paging, tops);
  if (tables !== undefined) return { cpu, root, ...tables };
  for (const anchor of kernel.arch.registers.anchors(registers)) {
    const wrong = misled(kernel, anchor.gva, anchor.symbol);
    if (wrong === undefined) continue;
    const { state, why } = wrong;
    return {
      cpu,
      root,
      state,
      why: `its ${anchor.register} is ${hex(anchor.gva)}, ${why}`,
    };
  }
  return { cpu, root, state: "agrees", why: "" };
}

/** Why a GVA does not lead to a symbol's memory, or cannot be told to. */
function misled(
  kernel: Kernel,
  gva: bigint,
  symbol: string,
): Pick<CpuRoot, "state" | "why"> | undefined {
  const address = kernel.symbols.tryAddress(symbol);
  if (address === undefined) {
    return {
      state: "unread",
      why: `and the kernel names no ${symbol} to compare it with`,
    };
  }
  try {
    const own = kernel.space.tryTranslate(address)?.gpa;
    const found = kernel.space.tryTranslate(gva)?.gpa;
    return own !== undefined && own === found
      ? undefined
      : { state: "other", why: `which is not ${symbol}` };
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
    return { state: "unread", why: `and ${error.message}` };
  }
}

/** What is wrong with the tables in use; `undefined` when nothing is. */
function judgeTables(
  kernel: Kernel,
  { root, levels, partner }: CpuPaging,
  tops: ReadonlyMap<number, Uint8Array>,
): Pick<CpuRoot, "state" | "why" | "difference"> | undefined {
  const { tables } = kernel.space;
  if (levels !== tables.levels) {
    return {
      state: "other",
      why: `it uses page tables of ${levels} levels, and the kernel that is ` +
        `read has ${tables.levels}`,
    };
  }
  const compare = (gpa: number): HalfComparison => {
    const top = tops.get(gpa);
    return tables.compareKernelHalf(
      top === undefined ? { root: gpa } : { root: gpa, top },
    );
  };
  const first = compare(root);
  const wrong = whatIsWrong(kernel, root, first);
  if (wrong === undefined || partner === undefined) return wrong;
  // Tables for the time in which user programs run map a small part of the
  // kernel, and that as the full ones do.
  if (first.elsewhere.length > 0 || first.extra.length > 0) return wrong;
  if (!first.whole) return wrong;
  return whatIsWrong(kernel, partner, compare(partner));
}

/**
 * What is wrong with a set of tables, by their comparison with the kernel's;
 * `undefined` when nothing is.
 */
export function whatIsWrong(
  kernel: Kernel,
  root: number,
  { elsewhere, missing, extra, whole }: HalfComparison,
): Pick<CpuRoot, "state" | "why" | "difference"> | undefined {
  const name = (gva: bigint) => {
    const symbol = kernel.symbols.lookup(gva);
    return symbol === undefined ? hex(gva) : `${hex(gva)} (${symbol.name})`;
  };
  const [difference] = elsewhere;
  if (difference !== undefined) {
    const { gva, own, other } = difference;
    return {
      state: "other",
      difference,
      why: `the page tables at ${hex(root)} map ${name(gva)} ` +
        (own === other
          ? "as executable, and those that the kernel is read through do not"
          : `to ${hex(other)}, and those that the kernel is read through to ${
            hex(own)
          }`),
    };
  }
  const text = kernel.symbols.address("_stext");
  const covers = missing.some(({ start, end }) => text >= start && text < end);
  if (covers) {
    return {
      state: "other",
      why: `the page tables at ${hex(root)} do not map the kernel's text`,
    };
  }
  if (extra.length > 0) {
    if (firmwareRoot(kernel) === root) {
      return { state: "unread", why: "it is in a call of its firmware" };
    }
    return {
      state: "other",
      why: `the page tables at ${hex(root)} map ${
        name(extra[0].start)
      }, and those that the kernel is read through do not`,
    };
  }
  if (!whole) {
    return {
      state: "unread",
      why: `the page tables at ${hex(root)} cannot be read in full`,
    };
  }
  return undefined;
}

/**
 * The verdict on the root.
 *
 * @param reading `undefined` when nobody can tell registers
 */
export function rootVerdict(
  kernel: Kernel,
  reading: RegisterReading | undefined,
): RootVerdict {
  if (reading === undefined) {
    return unverified("nobody tells the registers of its processors");
  }
  if ("why" in reading) return unverified(reading.why);
  const { from } = reading;
  let cpus: CpuRoot[];
  try {
    cpus = judgeCpus(kernel, reading);
  } catch (error) {
    if (!(error instanceof MemoryError || error instanceof KernelError)) {
      throw error;
    }
    return { ...unverified(error.message), from };
  }
  const agreeing = cpus.filter(({ state }) => state === "agrees").length;
  const bad = cpus.find(({ state }) => state === "other" || state === "unread");
  const why = bad !== undefined
    ? `vCPU ${bad.cpu}: ${bad.why}`
    : agreeing === 0
    ? "no vCPU is switched on"
    : undefined;
  return { verified: why === undefined, cpus: agreeing, from, why };
}

function unverified(why: string): RootVerdict {
  return { verified: false, cpus: 0, from: undefined, why };
}
