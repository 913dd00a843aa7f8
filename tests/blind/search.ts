/**
 * Searches the words that a check reads for those that blind it: changed, the
 * check calls a hooked guest clean.
 *
 * @module
 */
import { XftraceError } from "../../engine/base/errors.ts";
import { selectChecks } from "../../engine/detect/checks.ts";
import {
  CheckContext,
  type CheckOptions,
} from "../../engine/detect/core/context.ts";
import { runChecks } from "../../engine/detect/core/runner.ts";
import type { Kernel } from "../../engine/kernel/core/kernel.ts";
import { describeKernel } from "../../engine/kernel/locate/describe.ts";
import { findVmcoreinfo } from "../../engine/kernel/locate/vmcoreinfo.ts";
import { verdictOf } from "../../engine/output/findings/findings_json.ts";
import type { Hook } from "./hooks.ts";
import { Random } from "../random.ts";
import { type Mutation, mutations } from "./mutations.ts";
import { hiding, Names } from "./hiding.ts";
import { nameOf, readersIn } from "./names.ts";
import {
  EndlessReading,
  type SearchedMemory,
  WORD,
  WordsRead,
} from "./searched_memory.ts";
import { again, Workshop } from "./workshop.ts";

/** What a run said. */
type Said =
  | "clean"
  | "findings"
  | "unjudged"
  | "refused"
  | "failed"
  | "endless";

/** A word that blinds a check. */
export interface Blinding {
  readonly check: string;
  /** Where the word is, and who reads it. */
  readonly word: string;
  readonly gpa: number;
  readonly mutation: Mutation;
  readonly before: bigint;
}

/** What was tried on one hook. */
export interface Searched {
  readonly hook: Hook;
  /**
   * Words that the check reads, without the hook's own, page tables, and what
   * every check reads.
   */
  readonly words: number;
  /** How many of them it reads one by one. */
  readonly alone: number;
  readonly tried: number;
  readonly mutations: number;
  readonly blinding: readonly Blinding[];
  /** Runs that ended with an error of the program, or had to be stopped. */
  readonly faults: readonly string[];
}

/** How long and how far to search. */
export interface Limits {
  readonly seed: number;
  /** Words at most, of those read along with many others. */
  readonly bulk: number;
  /** When to stop, as `performance.now()` counts. */
  readonly until: number;
  /** Changes of each word at most. */
  readonly changes: number;
  /** Words at most in all; default: all of them. */
  readonly words?: number;
}

/** A run may read this many times as much as one of an unchanged guest. */
const MOST_TIMES = 30;
const MOST_BYTES = 512 << 20;

/**
 * The check with whose hook the words are searched that every check reads: it
 * judges no more than they.
 */
const COMMON = "XF016";

/** Reads of fewer bytes are of structs, longer ones of text and tables. */
const ROW_BYTES = 512;

/** One recorded guest, on which hooks are made one after the other. */
export class Searcher {
  readonly #memory: SearchedMemory;
  readonly #kernel: Kernel;
  readonly #shop: Workshop;

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
      const options = hook.make(shop);
      const names = new Names();
      const kernelOf = () => hiding(this.#kernel, names);
      const first = await this.#run(hook, options, kernelOf);
      if (first !== "findings") {
        throw new Error(`${hook.check} does not find its hook: ${first}`);
      }
      const asked = [...names.asked];
      const blinding: string[] = [];
      for (const name of asked) {
        names.hidden = name;
        const said = await this.#run(hook, options, kernelOf);
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
    { seed, bulk, until, changes: most, words = Infinity }: Limits,
    kernelOf: () => Kernel,
    locating = false,
  ): Promise<Searched> {
    const shop = this.#shop;
    const memory = this.#memory;
    try {
      const options = hook.make(shop);
      const first = await this.#run(hook, options, kernelOf);
      if (first !== "findings") {
        throw new Error(`${hook.check} does not find its hook: ${first}`);
      }
      const limit = MOST_BYTES + MOST_TIMES * memory.bytesRead;
      const seen = new WordsRead();
      memory.watch(seen);
      const kernel = kernelOf();
      if (!locating) {
        await runChecks(kernel, selectChecks([hook.check]), options);
      }
      memory.watch(undefined);
      if (locating) leaveOutScan(memory, seen);
      const common = locating || hook.check === COMMON
        ? new WordsRead()
        : this.#common();
      const random = new Random(seed);
      const own = (gpa: number) => !shop.itself.has(gpa) && !common.has(gpa);
      const alone = random.shuffled([...seen.alone].filter(own));
      const rows = seen.bulk(0, ROW_BYTES);
      const rest = [
        ...random.shuffled([...rows].filter(own)),
        ...random.shuffled(
          [...seen.bulk(ROW_BYTES, Infinity)]
            .filter((gpa) => own(gpa) && !rows.has(gpa)),
        ),
      ];
      const pointers = alone.map((gpa) => memory.peek(gpa))
        .filter((value) => value >> 47n === 0x1ffffn);
      const order = [...alone, ...rest.slice(0, bulk)];
      const blinding: Blinding[] = [];
      const faults: string[] = [];
      let tried = 0;
      let changes = 0;
      for (const [index, gpa] of order.entries()) {
        if (tried >= words || (tried > 0 && performance.now() > until)) break;
        tried++;
        const word = memory.peek(gpa);
        const around = {
          before: peek(memory, gpa - WORD),
          after: peek(memory, gpa + WORD),
          pointers,
          ...(shop.ownCode === undefined ? {} : { code: shop.ownCode }),
        };
        const few = index >= alone.length;
        for (const mutation of mutations(word, around, random, few, most)) {
          // Without the hook there is nothing to find.
          if (mutation.value === shop.clean.get(gpa)) continue;
          changes++;
          memory.poke(gpa, mutation.value);
          const said = await this.#run(hook, options, kernelOf, limit);
          memory.poke(gpa, word);
          if (said === "clean") {
            blinding.push({
              check: hook.check,
              word: await nameOf(memory, this.#kernel, gpa, async (kernel) => {
                await this.#run(
                  hook,
                  options,
                  locating ? kernelOf : () => kernel,
                );
              }),
              gpa,
              mutation,
              before: word,
            });
          } else if (said === "failed" || said === "endless") {
            faults.push(
              `${said}: ${gpa.toString(16)} ${mutation.how} ${this.#why}`,
            );
          }
        }
      }
      return {
        hook,
        words: alone.length + rest.length,
        alone: alone.length,
        tried,
        mutations: changes,
        blinding,
        faults,
      };
    } finally {
      memory.watch(undefined);
      shop.undo();
      this.#kernel.live.refresh();
    }
  }

  #why = "";

  /** What is read for every check: whose code is where. */
  #common(): WordsRead {
    const seen = new WordsRead();
    this.#memory.watch(seen);
    new CheckContext(again(this.#kernel), {});
    this.#memory.watch(undefined);
    return seen;
  }

  /** Has the check judge the guest as it is now. */
  async #run(
    { check }: Hook,
    options: CheckOptions,
    kernelOf: () => Kernel,
    most = Infinity,
  ): Promise<Said> {
    try {
      return await this.#memory.counted(most, async () =>
        verdictOf(
          await runChecks(kernelOf(), selectChecks([check]), options),
        ));
    } catch (error) {
      this.#why = error instanceof Error
        ? `${error.message} (${readersIn(error.stack ?? "")})`
        : String(error);
      if (error instanceof EndlessReading) return "endless";
      return error instanceof XftraceError ? "refused" : "failed";
    }
  }
}

function peek(memory: SearchedMemory, gpa: number): bigint {
  try {
    return memory.peek(gpa);
  } catch {
    return 0n;
  }
}

/**
 * Leaves out the words at the starts of pages that are read only to find the
 * note: nothing is believed of them, except of a note.
 */
function leaveOutScan(memory: SearchedMemory, seen: WordsRead): void {
  const scan = new WordsRead();
  memory.watch(scan);
  const notes = findVmcoreinfo(memory);
  memory.watch(undefined);
  for (const gpa of scan.alone) seen.alone.delete(gpa);
  seen.leaveOut(scan);
  for (const { gpa, text } of notes) {
    if (gpa < 0) continue;
    for (let at = 0; at < text.length; at += WORD) seen.alone.add(gpa + at);
  }
}
