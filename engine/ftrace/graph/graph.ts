/**
 * The rules of the call graph: which entry is a leaf, which return belongs to
 * which entry, what lies within an interrupt
 * (kernel/trace/trace_functions_graph.c).
 *
 * @module
 */

import { type EventColumns, KIND } from "../ring/columns.ts";

/**
 * FTRACE_RETFUNC_DEPTH: down to which depth the kernel remembers entered
 * functions.
 */
const RETFUNC_DEPTH = 50;

/**
 * The per-CPU state of the kernel's reader (`struct fgraph_cpu_data`): the last
 * pid, the depth at which comments are drawn, the functions entered, and the
 * depth at which an interrupt was entered.
 */
export class GraphState {
  readonly #lastPid: number[] = [];
  readonly #depth: number[] = [];
  readonly #irqDepth: number[] = [];
  /** Low and high halves of the functions entered, per CPU and depth. */
  readonly #entered: Uint32Array[] = [];

  /**
   * The depth of the last line on a CPU; comments are drawn one level deeper.
   */
  depthAt(cpu: number): number {
    return this.#depth[cpu] ?? 0;
  }

  /**
   * Records which task runs on a CPU; returns the previous pid, -1 at first.
   */
  switchTo(cpu: number, pid: number): number {
    const last = this.#lastPid[cpu] ?? -1;
    if (last !== pid) this.#grow(cpu)[cpu] = pid;
    return last;
  }

  /** Records a leaf. */
  leaf(cpu: number, depth: number): void {
    this.#grow(cpu);
    this.#depth[cpu] = depth - 1;
    if (depth >= 0 && depth < RETFUNC_DEPTH) this.#set(cpu, depth, 0, 0);
  }

  /** Records that a function was entered. */
  enter(cpu: number, depth: number, lo: number, hi: number): void {
    this.#grow(cpu);
    this.#depth[cpu] = depth;
    if (depth >= 0 && depth < RETFUNC_DEPTH) this.#set(cpu, depth, lo, hi);
  }

  /**
   * Records that a function returned.
   *
   * @returns whether it is the function entered at that depth; assumed to be
   *   when deeper than the kernel remembers
   */
  leave(cpu: number, depth: number, lo: number, hi: number): boolean {
    this.#grow(cpu);
    this.#depth[cpu] = depth - 1;
    if (depth < 0 || depth >= RETFUNC_DEPTH) return true;
    const entered = this.#entered[cpu];
    const matched = entered[2 * depth] === lo && entered[2 * depth + 1] === hi;
    this.#set(cpu, depth, 0, 0);
    return matched;
  }

  /**
   * Whether an entry lies within an interrupt and is hidden by
   * `nofuncgraph-irqs`.
   */
  hidesEntry(cpu: number, depth: number, isIrqEntry: boolean): boolean {
    this.#grow(cpu);
    if (this.#irqDepth[cpu] >= 0) return true;
    if (!isIrqEntry) return false;
    this.#irqDepth[cpu] = depth;
    return true;
  }

  /**
   * Whether a return lies within an interrupt and is hidden by
   * `nofuncgraph-irqs`.
   */
  hidesReturn(cpu: number, depth: number): boolean {
    this.#grow(cpu);
    if (this.#irqDepth[cpu] === -1) return false;
    // This also holds when the interrupt's own return was lost.
    if (this.#irqDepth[cpu] >= depth) this.#irqDepth[cpu] = -1;
    return true;
  }

  #set(cpu: number, depth: number, lo: number, hi: number): void {
    const entered = this.#entered[cpu];
    entered[2 * depth] = lo;
    entered[2 * depth + 1] = hi;
  }

  #grow(cpu: number): number[] {
    for (let i = this.#entered.length; i <= cpu; i++) {
      this.#entered.push(new Uint32Array(2 * RETFUNC_DEPTH));
      this.#depth.push(0);
      this.#irqDepth.push(-1);
      this.#lastPid.push(-1);
    }
    return this.#lastPid;
  }
}

/**
 * Whether `next`, the row after `entry` on the same CPU, is its return
 * (get_return_for_leaf): same pid, same function.
 */
export function isLeaf(
  columns: EventColumns,
  entry: number,
  next: number,
): boolean {
  return columns.kind[next] === KIND.return &&
    columns.pid[entry] === columns.pid[next] &&
    columns.func[2 * entry] === columns.func[2 * next] &&
    columns.func[2 * entry + 1] === columns.func[2 * next + 1];
}

/** Calls reconstructed from their entries and returns. */
export interface Calls {
  /**
   * For each row: the return of an entry, the entry of a return, otherwise -1.
   */
  readonly partner: Int32Array<ArrayBuffer>;
  /**
   * For each row: the entry (of the same task) within which it happened; -1 at
   * the top level, or when that entry is not in the columns.
   */
  readonly parent: Int32Array<ArrayBuffer>;
}

/**
 * Pairs entries with returns, task by task: a task may move to another CPU
 * between the two. Rows are taken in `order` (time order, as
 * {@linkcode TimeMerge} gives it).
 *
 * An entry whose return was lost, and a return whose entry was lost, stay
 * unpaired; the calls inside keep their parent.
 */
export function pairCalls(
  columns: EventColumns,
  order: Uint32Array,
): Calls {
  const partner = new Int32Array(columns.length).fill(-1);
  const parent = new Int32Array(columns.length).fill(-1);
  // The idle tasks share pid 0, one on each CPU; they never move.
  const stacks = new Map<number, number[]>();
  const { pid, cpu, kind, depth, func } = columns;
  for (let i = 0; i < order.length; i++) {
    const row = order[i];
    const task = pid[row] === 0 ? -1 - cpu[row] : pid[row];
    let stack = stacks.get(task);
    if (stack === undefined) {
      stack = [];
      stacks.set(task, stack);
    }
    const rowKind = kind[row];
    if (rowKind === KIND.other) {
      if (stack.length > 0) parent[row] = stack[stack.length - 1];
      continue;
    }
    // Calls at this depth or deeper have ended; their returns were lost, except
    // for the call that returns here.
    while (
      stack.length > 0 &&
      (rowKind === KIND.return
        ? depth[stack[stack.length - 1]] > depth[row]
        : depth[stack[stack.length - 1]] >= depth[row])
    ) {
      stack.pop();
    }
    if (rowKind === KIND.return) {
      const entry = stack.length > 0 ? stack[stack.length - 1] : -1;
      if (entry >= 0 && depth[entry] === depth[row]) {
        stack.pop();
        if (
          func[2 * entry] === func[2 * row] &&
          func[2 * entry + 1] === func[2 * row + 1]
        ) {
          partner[entry] = row;
          partner[row] = entry;
        }
      }
      if (stack.length > 0) parent[row] = stack[stack.length - 1];
      continue;
    }
    if (stack.length > 0) parent[row] = stack[stack.length - 1];
    stack.push(row);
  }
  return { partner, parent };
}
