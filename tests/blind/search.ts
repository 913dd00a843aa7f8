/**
 * Searches the words that a check reads for those that blind it: changed, the
 * check calls a hooked guest clean.
 *
 * @module
 */
import { Budget } from "../../engine/base/budget.ts";
import { XftraceError } from "../../engine/base/errors.ts";
import { selectChecks } from "../../engine/detect/checks.ts";
import {
  CheckContext,
  type CheckOptions,
} from "../../engine/detect/core/context.ts";
import { runChecks } from "../../engine/detect/core/runner.ts";
import type { Kernel } from "../../engine/kernel/core/kernel.ts";
import { scanWords } from "../../engine/memory/word_scan.ts";
import { describeKernel } from "../../engine/kernel/locate/describe.ts";
import { verdictOf } from "../../engine/output/findings/findings_json.ts";
import { sameThing } from "../../engine/detect/finding.ts";
import { Enough, untilFirst } from "./first_report.ts";
import type { Hook } from "./hooks.ts";
import type { Blinding, Limits, Searched } from "./searched.ts";
import { Random } from "../random.ts";
import { mutations } from "./mutations.ts";
import { hiding, Names } from "./hiding.ts";
import { nameOf, readersIn } from "./names.ts";
import {
  EndlessReading,
  type SearchedMemory,
  WORD,
  WordsRead,
} from "./searched_memory.ts";
import {
  leaveOutScan,
  leaveOutSweep,
  wordsOf,
  type WordsOfHook,
} from "./words.ts";
import { type Trial, Trials } from "./trials.ts";
import { again, Workshop } from "./workshop.ts";

/** What a run said. */
type Said =
  | "clean"
  | "findings"
  | "unjudged"
  | "refused"
  | "failed"
  | "endless";

/**
 * Words to change at once. Pointers and flags lead to other words, so fewer of
 * them are read when one of them is changed.
 */
export const TOGETHER = [16, 256] as const;

/** A run may read this many times as much as one of an unchanged guest. */
const MOST_TIMES = 30;
const MOST_BYTES = 512 << 20;

/**
 * The check with whose hook the words are searched that every check reads: it
 * judges no more than they.
 */
const COMMON = "XF016";

/**
 * The check that sweeps all of memory for addresses. As long as nothing but a
 * few words is changed, those that lead to code are where they were.
 */
const SWEEPING = "XF029";
/** More words than lead to the code of modules. */
const MOST_WORDS = 1 << 20;

/** A hook that was made, and how its check is run. */
interface Made {
  readonly hook: Hook;
  readonly options: CheckOptions;
  readonly kernelOf: () => Kernel;
  /** What a run may read; unlimited when left out. */
  readonly most?: number;
}

/** One recorded guest, on which hooks are made one after the other. */
export class Searcher {
  readonly #memory: SearchedMemory;
  readonly #kernel: Kernel;
  readonly #shop: Workshop;
  #why = "";
  #swept: readonly number[] | undefined;

  /** @throws {XftraceError} when the memory holds no kernel. */
  constructor(memory: SearchedMemory) {
    this.#memory = memory;
    this.#kernel = describeKernel(memory);
    this.#shop = new Workshop(this.#kernel, memory);
  }

  /** The kernel's release. */
  get release(): string {
    return this.#kernel.facts.release;
  }

  /**
   * Searches what a check reads of a kernel that has been located.
   *
   * @throws {Error} when the hook is not found without a change.
   */
  async search(hook: Hook, limits: Limits): Promise<Searched> {
    return await this.#searched(hook, limits, () => again(this.#kernel));
  }

  /** Searches what is read while the kernel is located. */
  async searchLocating(hook: Hook, limits: Limits): Promise<Searched> {
    return await this.#searched(
      hook,
      limits,
      () => describeKernel(this.#memory),
      true,
    );
  }

  /**
   * Hides each name that a check asks for: a symbol, struct, member or
   * enumerator. Returns those without which it calls the guest clean.
   */
  async searchNames(
    hook: Hook,
  ): Promise<{ asked: number; blinding: string[] }> {
    const shop = this.#shop;
    try {
      const names = new Names();
      const made = {
        hook,
        options: hook.make(shop),
        kernelOf: () => hiding(this.#kernel, names),
      };
      await this.#finding(made);
      const asked = [...names.asked];
      const blinding: string[] = [];
      for (const name of asked) {
        names.hidden = name;
        const said = await this.#run(made);
        if (said === "clean" || said === "failed") blinding.push(name);
      }
      return { asked: asked.length, blinding };
    } finally {
      shop.undo();
      this.#kernel.live.refresh();
    }
  }

  async #searched(
    hook: Hook,
    limits: Limits,
    kernelOf: () => Kernel,
    locating = false,
  ): Promise<Searched> {
    const shop = this.#shop;
    try {
      const options = hook.make(shop);
      const finding = await this.#finding({ hook, options, kernelOf });
      const most = MOST_BYTES + MOST_TIMES * this.#memory.bytesRead;
      const made = { hook, options, kernelOf, most };
      if (hook.check === SWEEPING) this.#swept = this.#sweep();
      const random = new Random(limits.seed);
      const words = await this.#words(made, locating, random);
      return await this.#tried(made, limits, words, random, finding, locating);
    } finally {
      this.#memory.watch(undefined);
      this.#memory.only(undefined);
      this.#swept = undefined;
      shop.undo();
      this.#kernel.live.refresh();
    }
  }

  /** The words that the check reads until it finds the hook. */
  async #words(
    made: Made,
    locating: boolean,
    random: Random,
  ): Promise<WordsOfHook> {
    const shop = this.#shop;
    const read = async (whole: boolean) => {
      const seen = new WordsRead();
      this.#memory.watch(seen);
      if (locating) made.kernelOf();
      else await this.#run(made, whole);
      this.#memory.watch(undefined);
      if (locating) leaveOutScan(this.#memory, seen);
      else leaveOutSweep(this.#memory, seen);
      return seen;
    };
    const { check, modules } = made.hook;
    const common = locating || check === COMMON || modules === true
      ? new WordsRead()
      : this.#common();
    const own = (gpa: number) => !shop.itself.has(gpa) && !common.has(gpa);
    return wordsOf(await read(false), await read(true), own, random);
  }

  async #tried(
    made: Made,
    limits: Limits,
    { alone, bulk, after }: WordsOfHook,
    random: Random,
    finding: string,
    locating: boolean,
  ): Promise<Searched> {
    const memory = this.#memory;
    const shop = this.#shop;
    const { changes, until } = limits;
    const blinding: (Trial & { before: bigint })[] = [];
    const faults: string[] = [];
    const pointers = alone.map((gpa) => memory.peek(gpa))
      .filter((value) => value >> 47n === 0x1ffffn);
    let mutated = 0;
    let runs = 0;
    const trialsOf = (gpa: number, few: boolean): Trial[] => {
      const around = {
        before: peek(memory, gpa - WORD),
        after: peek(memory, gpa + WORD),
        pointers,
        ...(shop.ownCode === undefined ? {} : { code: shop.ownCode }),
      };
      return mutations(memory.peek(gpa), around, random, few, changes)
        // Without the hook there is nothing to find.
        .filter(({ value }) => value !== shop.clean.get(gpa))
        .map((mutation) => ({ gpa, mutation }));
    };
    const tryAll = async (gpas: readonly number[], few: boolean) => {
      const together = (limits.together ?? TOGETHER)[few ? 1 : 0];
      const trials = new Trials(
        memory,
        () => this.#finds(made, finding),
        async (trial, before) => {
          const said = await this.#judge(made);
          if (said === "clean") blinding.push({ ...trial, before });
          if (said === "failed" || said === "endless") {
            const { gpa, mutation: { how } } = trial;
            faults.push(`${said}: ${gpa.toString(16)} ${how} ${this.#why}`);
          }
          return said === "findings";
        },
      );
      let tried = 0;
      while (tried < gpas.length) {
        if (runs + tried > 0 && performance.now() > until) break;
        const next = gpas.slice(tried, tried + trials.size(together))
          .map((gpa) => trialsOf(gpa, few));
        await trials.run(next);
        tried += next.length;
        for (const { length } of next) mutated += length;
      }
      runs += trials.runs;
      return tried;
    };
    memory.only(this.#swept);
    const triedAlone = await tryAll(alone.slice(0, limits.alone), false);
    const triedBulk = await tryAll(bulk.slice(0, limits.bulk), true);
    memory.only(undefined);
    return {
      hook: made.hook,
      alone: { words: alone.length, tried: triedAlone },
      bulk: { words: bulk.length, tried: triedBulk },
      after,
      mutations: mutated,
      runs,
      blinding: await this.#named(made, blinding, locating),
      faults,
    };
  }

  async #named(
    { hook, options, kernelOf }: Made,
    found: readonly (Trial & { before: bigint })[],
    locating: boolean,
  ): Promise<Blinding[]> {
    const names = new Map<number, string>();
    for (const { gpa } of found) {
      if (names.has(gpa)) continue;
      const name = await nameOf(
        this.#memory,
        this.#kernel,
        gpa,
        async (kernel) => {
          const of = locating ? kernelOf : () => kernel;
          await this.#run({ hook, options, kernelOf: of });
        },
      );
      names.set(gpa, name);
    }
    return found.map(({ gpa, mutation, before }) => ({
      check: hook.check,
      word: names.get(gpa) ?? "",
      gpa,
      mutation,
      before,
    }));
  }

  /** What is read for every check: whose code is where. */
  #common(): WordsRead {
    const seen = new WordsRead();
    this.#memory.watch(seen);
    new CheckContext(again(this.#kernel), {});
    this.#memory.watch(undefined);
    return seen;
  }

  /**
   * Identity of what the check finds first.
   *
   * @throws {Error} when it does not find its hook, or when it cannot judge
   * something: it would then never call the guest clean.
   */
  async #finding({ hook, options, kernelOf }: Made): Promise<string> {
    const checks = selectChecks([hook.check]);
    const { outcomes } = await this.#memory.counted(
      Infinity,
      () => runChecks(kernelOf(), checks, options),
    );
    for (const { findings, unjudged } of outcomes) {
      for (const { what, why } of unjudged) {
        throw new Error(`${hook.check} cannot judge ${what}: ${why}`);
      }
      if (findings.length > 0) return sameThing(findings[0]);
    }
    throw new Error(`${hook.check} does not find its hook`);
  }

  /** Whether the check finds the hook in the guest as it is now. */
  async #finds(made: Made, finding: string): Promise<boolean> {
    try {
      await this.#runs(made, finding);
      return false;
    } catch (error) {
      return error instanceof Enough && error.finding === finding;
    }
  }

  /**
   * Like {@linkcode #run}; but who sweeps is shown all of memory only before it
   * is believed that there is nothing.
   */
  async #judge(made: Made): Promise<Said> {
    const said = await this.#run(made);
    if (said !== "clean" || this.#swept === undefined) return said;
    this.#memory.only(undefined);
    try {
      return await this.#run(made);
    } finally {
      this.#memory.only(this.#swept);
    }
  }

  /** GPAs of the words that lead to the code of modules, and of nobody. */
  #sweep(): readonly number[] {
    const region = [this.#kernel.moduleRegion];
    return scanWords(this.#memory, region, MOST_WORDS, new Budget()).hits
      .map(({ gpa }) => gpa);
  }

  /** Has the check judge the guest as it is now. */
  async #run(made: Made, whole = false): Promise<Said> {
    try {
      return await this.#runs(made, undefined, whole);
    } catch (error) {
      if (error instanceof Enough) return error.said;
      this.#why = error instanceof Error
        ? `${error.message} (${readersIn(error.stack ?? "")})`
        : String(error);
      if (error instanceof EndlessReading) return "endless";
      return error instanceof XftraceError ? "refused" : "failed";
    }
  }

  async #runs(
    { hook, kernelOf, options, most = Infinity }: Made,
    finding?: string,
    whole = false,
  ): Promise<Said> {
    const checks = selectChecks([hook.check])
      .map((check) => whole ? check : untilFirst(check, finding));
    return await this.#memory.counted(
      most,
      async () => verdictOf(await runChecks(kernelOf(), checks, options)),
    );
  }
}

function peek(memory: SearchedMemory, gpa: number): bigint {
  try {
    return memory.peek(gpa);
  } catch {
    return 0n;
  }
}
