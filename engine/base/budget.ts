/**
 * How much may be read of a guest. What a guest's memory holds decides how long
 * reading it takes, so a guest could make it take for ever: a list that leads
 * into itself, a tree whose children are all the same. A budget ends that, with
 * an error that says so.
 *
 * @module
 */
import process from "node:process";
import { KernelError, XftraceError } from "./errors.ts";

/**
 * How much may be read.
 *
 * @example
 * ```ts
 * import { type BudgetLimits, open, readLimits } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const limits: BudgetLimits = readLimits(guest.session.memory);
 * console.log(limits.of, limits.reads); // "one command" and how many
 * ```
 */
export interface BudgetLimits {
  /** What they hold for, for messages: `one check`. */
  readonly of: string;
  /** Reads of virtual memory. */
  readonly reads: number;
  /** Bytes of virtual memory. */
  readonly bytes: number;
  /** Nodes of lists and trees, tables of pages, and entries in them. */
  readonly nodes: number;
  /**
   * Processor time of this process in ms. It is not the time that passes: on a
   * busy host, reading an honest guest may take long.
   */
  readonly ms: number;
}

/** The kinds of things that {@linkcode BudgetLimits} counts. */
export type BudgetUnit = "reads" | "bytes" | "nodes" | "ms";

/**
 * Reading a guest took more than its budget: what was read is damaged, or built
 * to have no end.
 */
export class BudgetError extends KernelError {
  /** What there was too much of. */
  readonly unit: BudgetUnit;

  /** @param what what was read at the end */
  constructor(unit: BudgetUnit, limits: BudgetLimits, what: string) {
    const most = limits[unit].toLocaleString("en-US");
    super(
      `reading the guest took more than ${most} ${
        UNITS[unit]
      }, the limit of ${limits.of}; it was reading ${what}, which is damaged, or built to have no end`,
    );
    this.unit = unit;
  }
}

const UNITS: Record<BudgetUnit, string> = {
  reads: "reads of memory",
  bytes: "bytes",
  nodes: "nodes of lists and trees",
  ms: "ms of processor time",
};

/** What was spent within limits. */
export interface Spent extends Record<BudgetUnit, number> {
  /**
   * Why it had to end early, even when that was caught and something else read;
   * `undefined` when the budget was enough.
   */
  readonly ended: BudgetError | undefined;
}

/** No limits, until some are set. */
const NONE: BudgetLimits = {
  of: "nothing",
  reads: Infinity,
  bytes: Infinity,
  nodes: Infinity,
  ms: Infinity,
};

/** Reads and nodes from one look at the clock to the next. */
const LOOK_EVERY = 1024;

/**
 * How often its end may be caught by what reads on without the part that it
 * could not read. After that, it is an error that nobody catches.
 */
const MOST_CAUGHT = 256;

/**
 * What is left to read. One belongs to each address space; it has no limits
 * until {@linkcode Budget.within} or {@linkcode Budget.allow} set some.
 *
 * @example
 * ```ts
 * import { type Budget, open, readLimits } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { kernel, memory } = guest.session;
 * const budget: Budget = kernel.space.budget;
 * const { reads, ended } = budget.within(readLimits(memory), () => {
 *   console.log(guest.functions("vfs_*").length);
 * });
 * console.log(reads, ended); // undefined: it was enough
 * ```
 */
export class Budget {
  #limits = NONE;
  #reads = Infinity;
  #bytes = Infinity;
  #nodes = Infinity;
  #until = Infinity;
  #ticks = 0;
  #ended: BudgetError | undefined;
  #caught = 0;
  #spent: Spent = { reads: 0, bytes: 0, nodes: 0, ms: 0, ended: undefined };

  /** Sets limits for all that follows, in place of those set before. */
  allow(limits: BudgetLimits): void {
    this.#limits = limits;
    this.#reads = limits.reads;
    this.#bytes = limits.bytes;
    this.#nodes = limits.nodes;
    this.#until = limits.ms === Infinity ? Infinity : now() + limits.ms;
    this.#ended = undefined;
    this.#caught = 0;
  }

  /** Begins again with the limits that hold now, as each poll of a guest does. */
  renew(): void {
    this.allow(this.#limits);
  }

  /**
   * Runs `body` within limits of its own. What it spends is not taken from the
   * limits that held before, which hold again afterwards.
   *
   * @throws whatever `body` throws, except for the end of this budget.
   */
  within(limits: BudgetLimits, body: () => void): Spent {
    const before = new Budget();
    before.#copy(this);
    this.allow(limits);
    const from = now();
    try {
      body();
    } catch (error) {
      const ours = error instanceof BudgetError || error instanceof SpentError;
      if (this.#ended === undefined || !ours) throw error;
    } finally {
      const { reads, bytes, nodes } = limits;
      this.#spent = {
        reads: reads - this.#reads,
        bytes: bytes - this.#bytes,
        nodes: nodes - this.#nodes,
        ms: now() - from,
        ended: this.#ended,
      };
      this.#copy(before);
    }
    return this.#spent;
  }

  #copy(from: Budget): void {
    this.#limits = from.#limits;
    this.#reads = from.#reads;
    this.#bytes = from.#bytes;
    this.#nodes = from.#nodes;
    this.#until = from.#until;
    this.#ended = from.#ended;
    this.#caught = from.#caught;
  }

  /**
   * Spends one read of `bytes` bytes at a GVA.
   *
   * @throws {BudgetError} when the budget is used up.
   */
  read(gva: bigint, bytes: number): void {
    this.#bytes -= bytes;
    if (--this.#reads < 0) this.#end("reads", gva);
    if (this.#bytes < 0) this.#end("bytes", gva);
    if ((++this.#ticks & (LOOK_EVERY - 1)) === 0) this.#look(gva);
  }

  /**
   * Spends bytes that are kept and not read: a table as large as the guest says.
   *
   * @param what its name, or its GVA
   * @throws {BudgetError} when the budget is used up.
   */
  hold(what: string | bigint, bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes < 0) this.#end("bytes", what);
  }

  /**
   * Spends nodes of a structure.
   *
   * @param what its name: `the list at 0x1234`, or its GVA
   * @throws {BudgetError} when the budget is used up.
   */
  node(what: string | bigint, count = 1): void {
    this.#nodes -= count;
    if (this.#nodes < 0) this.#end("nodes", what);
    if ((++this.#ticks & (LOOK_EVERY - 1)) === 0) this.#look(what);
  }

  #look(what: string | bigint): void {
    if (this.#until !== Infinity && now() > this.#until) this.#end("ms", what);
  }

  #end(unit: BudgetUnit, what: string | bigint): never {
    // What catches this and reads on must not be able to read more.
    this.#reads = 0;
    this.#bytes = 0;
    this.#nodes = 0;
    this.#ended ??= new BudgetError(
      unit,
      this.#limits,
      typeof what === "bigint" ? `0x${what.toString(16)}` : what,
    );
    if (this.#caught++ < MOST_CAUGHT) throw this.#ended;
    throw new SpentError(this.#ended.message, { cause: this.#ended });
  }
}

/** A budget's end that was caught too often: nobody but the budget catches it. */
export class SpentError extends XftraceError {}

/** Processor time of this process, in ms. */
function now(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
