/**
 * Judges operation tables in use: where the table lies, and where its functions
 * lie.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { tableFunctions, type TableUse } from "../../kernel/objects/vfs.ts";
import type { CheckContext } from "./context.ts";
import { type Allowed, judge } from "./judge.ts";
import { partAt } from "./module_parts.ts";
import type { Report } from "../finding.ts";

/** Judges uses of operation tables; the functions of each table only once. */
export class TableJudge {
  readonly #context: CheckContext;
  readonly #report: Report;
  readonly #seen = new Set<bigint>();
  readonly #start: bigint;
  readonly #end: bigint;
  /** How many uses were judged. */
  uses = 0;

  constructor(context: CheckContext, report: Report) {
    this.#context = context;
    this.#report = report;
    const { symbols } = context.kernel;
    this.#start = symbols.address("_stext");
    this.#end = symbols.address("_end");
  }

  /**
   * Judges one use.
   *
   * @param owner the module that the object belongs to; `undefined`: the
   * kernel itself
   * @param anyone whether any module may provide the table of such an object
   */
  use(use: TableUse, owner: ModuleView | undefined, anyone = false): void {
    this.uses++;
    const { table, member, object, address, struct } = use;
    const where = `${object}: ${member}`;
    if (table >= this.#start && table < this.#end) {
      this.#functions(this.#report, use, "image");
      return;
    }
    const module = this.#context.code.moduleAt(table);
    if (module !== undefined && (anyone || module.gva === owner?.gva)) {
      this.#ofModule(use, "known");
      return;
    }
    // A module for which the kernel vouches may provide the table of another's
    // objects.
    if (
      module !== undefined && owner !== undefined &&
      this.#context.trusts(module)
    ) {
      this.#ofModule(use, "vouched");
      return;
    }
    const functions = this.#leads(use);
    this.#report.finding({
      severity: "critical",
      where,
      address,
      target: table,
      expected: owner === undefined
        ? `a ${struct} of the kernel's`
        : `a ${struct} of ${owner.name}`,
      found: `${this.#context.code.nameOf(table)}${
        functions === "" ? "" : `: ${functions}`
      }`,
      summary: `${where} is ${
        module === undefined
          ? `at ${hex(table)}, which is no table of the kernel's`
          : `${
            this.#context.code.nameOf(table)
          }, a table of module ${module.name}`
      }${functions === "" ? "" : ` (${functions})`}`,
      ...(module === undefined ? {} : { module: module.name }),
    });
  }

  /** The functions in the table that are outside the image: `show -> f [m]`. */
  #leads({ struct, table }: TableUse): string {
    const { code, kernel } = this.#context;
    try {
      return tableFunctions(kernel, struct, table)
        .map(({ member, target }) => ({ member, to: code.at(target) }))
        .filter(({ to }) => to.kind !== "kernel")
        .map(({ member, to }) => `${member} -> ${to.name}`).join(", ");
    } catch (error) {
      // Where it lies is wrong, whatever it holds. A recording may lack it.
      if (error instanceof MemoryError && kernel.memory.live) return "";
      throw error;
    }
  }

  /** A module's table, which goes when the module is unloaded. */
  #ofModule(use: TableUse, allowed: Allowed): void {
    const { object, member, table } = use;
    const what = `${object}: ${member}`;
    partAt(this.#context, this.#report, table, what, (report) => {
      this.#functions(report, use, allowed);
    });
  }

  #functions(
    report: Report,
    { struct, table }: TableUse,
    allowed: Allowed,
  ): void {
    if (this.#seen.has(table)) return;
    this.#seen.add(table);
    const { code, kernel } = this.#context;
    for (const each of tableFunctions(kernel, struct, table)) {
      judge(this.#context, report, {
        where: `${code.nameOf(table)}.${each.member}`,
        address: each.address,
        target: each.target,
        allowed,
      });
    }
  }
}
