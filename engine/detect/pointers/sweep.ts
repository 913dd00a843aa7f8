/**
 * The sweep: every word of memory that leads to code which nothing may lead to,
 * and what holds it.
 *
 * @module
 */
import { readable } from "../../kernel/core/present.ts";
import type { ModuleView } from "../../kernel/objects/module_views.ts";
import { type Stack, stackAt, stacks } from "../../kernel/objects/stacks.ts";
import { scanWords, type WordHit } from "../../memory/word_scan.ts";
import type { CheckContext } from "../core/context.ts";
import { DataObjects } from "./data_objects.ts";
import { type Holder, Holders } from "./holders.ts";
import { KnownWays } from "./known_ways.ts";
import { type Suspect, suspectAt, suspects } from "./suspects.ts";

/** More words than a module's books and its traces hold. */
const MOST_HITS = 200_000;
/** How far from an object's list node its functions may lie, in bytes. */
const BEFORE = 256;
const AFTER = 512;
/** What functions are aligned to (CONFIG_FUNCTION_ALIGNMENT). */
const ALIGNED = 16n;
/** How far from its start a table of functions has one, in bytes. */
const TABLE = 512;

/** A word that leads to such code. */
export interface Reference {
  readonly holder: Holder;
  readonly suspect: Suspect;
  /** GVA of the code: what the word holds, or what the data there holds. */
  readonly target: bigint;
  /** GVA of the owner's data through which it leads there, if it does. */
  readonly through?: bigint;
}

/** What the sweep has found. */
export interface Swept {
  readonly suspects: readonly Suspect[];
  readonly references: readonly Reference[];
  /** Why not everything was looked at. */
  readonly unjudged: readonly string[];
  /** How many words lead into the memory of such code, by whatever way. */
  readonly words: number;
  /**
   * How many of them lie in memory that is free, or that belongs to processes
   * and files: the kernel reaches nothing through these.
   */
  readonly elsewhere: number;
}

/**
 * Searches the guest's memory once. Where everything is vouched for, there is
 * nothing to search for, and nothing is read.
 *
 * @throws {KernelError | MemoryError} when the kernel's books cannot be read.
 */
export function sweep(context: CheckContext): Swept {
  const { code, kernel } = context;
  const unjudged: string[] = [];
  // What these would show is not looked for.
  if (code.unread.length > 0) unjudged.push(code.whyUnread);
  if (code.pages.unread > 0) {
    unjudged.push(
      `${code.pages.unread} page tables could not be read, or are mapped a second time`,
    );
  }
  const all = suspects(context);
  if (all.length === 0) {
    return {
      suspects: all,
      references: [],
      unjudged,
      words: 0,
      elsewhere: 0,
    };
  }
  const { hits, more, unread } = scanWords(
    kernel.memory,
    all,
    MOST_HITS,
    kernel.space.budget,
  );
  if (more) unjudged.push(`more than ${MOST_HITS} words lead there`);
  if (unread > 0) unjudged.push(`${unread} bytes of memory cannot be read`);
  const holders = new Holders(context, hits.map(({ gpa }) => gpa));
  const own = ownPages(context, all, holders);
  const outside: { hit: WordHit; holder: Holder }[] = [];
  let untold = 0;
  for (const hit of hits) {
    if (own.has(Math.floor(hit.gpa / kernel.pageSize))) continue;
    const holder = readable(() => holders.at(hit.gpa));
    if (holder === undefined) untold++;
    else outside.push({ hit, holder });
  }
  if (untold > 0) {
    unjudged.push(`what holds ${untold} of the words cannot be told`);
  }
  const { modules, unlisted } = code;
  const known = new KnownWays(kernel, [...modules, ...unlisted]);
  const allStacks = stacks(kernel);
  const objectsOf = new Map<ModuleView, DataObjects>();
  let elsewhere = 0;
  const references = outside.flatMap(({ hit, holder: plain }) => {
    const holder = onStack(allStacks, plain);
    if (holder === undefined) return [];
    const free = holder.use === "free" || holder.object?.free === true;
    if (free || holder.use === "mapped") {
      elsewhere++;
      return [];
    }
    if (known.has(holder)) return [];
    const suspect = suspectAt(all, hit.value);
    if (suspect === undefined) return [];
    if (suspect.text) return [{ holder, suspect, target: hit.value }];
    const { module, of } = suspect;
    let objects = module && objectsOf.get(module);
    // The symbols of a hidden module are nobody's word.
    if (module !== undefined && of === "unvouched" && objects === undefined) {
      objects = new DataObjects(kernel, module);
      objectsOf.set(module, objects);
    }
    const target = functionNear(context, all, suspect, hit.value, objects);
    return target === undefined
      ? []
      : [{ holder, suspect, target, through: hit.value }];
  });
  const words = hits.length;
  return { suspects: all, references, unjudged, words, elsewhere };
}

/**
 * The holder, named by the task whose stack it is; `undefined` for what was left
 * behind on a stack, and for the stacks of tasks that run: only their processors
 * know what of it is in use.
 */
function onStack(
  all: readonly Stack[],
  holder: Holder,
): Holder | undefined {
  // Stacks are mapped page by page: no word of a task makes anything else one.
  if (holder.use !== "vmalloc") return holder;
  const stack = stackAt(all, holder.address);
  if (stack === undefined) return holder;
  const { task, pointer, end } = stack;
  if (task === undefined || pointer === undefined) return undefined;
  if (holder.address < pointer) return undefined;
  const depth = end - holder.address;
  return {
    ...holder,
    where: `stack of ${task}, ${depth} bytes from its start`,
  };
}

/**
 * Numbers of the pages that the code and its data lie in, unless the kernel has
 * something of its own there: who maps a page of it among his own does not take
 * it out of the search.
 */
function ownPages(
  { kernel }: CheckContext,
  all: readonly Suspect[],
  holders: Holders,
): ReadonlySet<number> {
  const pages = new Set<number>();
  const page = BigInt(kernel.pageSize);
  for (const { start, end, text, of } of all) {
    // Who says that a vouched module has less data hides no pointer in the rest.
    if (of === "nobody" && !text) continue;
    for (let gva = start - start % page; gva < end; gva += page) {
      kernel.space.budget.node(gva);
      const found = kernel.space.tryTranslate(gva);
      if (found === undefined) continue;
      const use = readable(() => holders.at(found.gpa))?.use;
      if (use === "variable" || use === "per-CPU" || use === "slab") continue;
      pages.add(Math.floor(found.gpa / kernel.pageSize));
    }
  }
  return pages;
}

/**
 * A function of the same owner to which the data at a GVA leads: an object with
 * functions, or a list node in one. The `struct module` of each module is on
 * lists of the kernel's, and has functions that were run once.
 *
 * @param objects those of each module whose symbols are believed
 */
function functionNear(
  { kernel }: CheckContext,
  all: readonly Suspect[],
  { start, end, module }: Suspect,
  gva: bigint,
  objects: DataObjects | undefined,
): bigint | undefined {
  if (module !== undefined) {
    const size = BigInt(kernel.types.struct("module").size);
    if (gva >= module.gva && gva < module.gva + size) return undefined;
  }
  // Strings lie anywhere; what leads to code does not.
  if (gva % 8n !== 0n) return undefined;
  const object = objects?.at(gva) ?? { start, end };
  // What lies before an object may end anywhere.
  const first = object.start + 7n & ~7n;
  const low = first > start ? first : start;
  const high = object.end < end ? object.end : end;
  const clip = (at: bigint) => at < low ? low : at > high ? high : at;
  const from = clip((gva & ~7n) - BigInt(BEFORE));
  const to = clip(gva + BigInt(AFTER));
  // A symbol of the module's own may say that it ends before it begins.
  if (to <= from) return undefined;
  const wordsOf = (first: bigint, past: bigint) => {
    const bytes = readable(() =>
      kernel.space.bytes(first, Number(past - first))
    );
    return bytes === undefined ? [] : words(bytes).map((word, i) => ({
      word,
      far: Math.abs(Number(first - gva) + 8 * i),
      to: suspectAt(all, word),
    })).filter(({ to }) => to !== undefined && sameOwner(to.module, module));
  };
  // Books about code hold addresses within functions. Who moves the symbol of a
  // function does not move where it is aligned.
  const isFunction = (gva: bigint) =>
    gva % ALIGNED === 0n || objects?.within(gva) !== true;
  const near = wordsOf(from, to).sort((a, b) => a.far - b.far);
  const direct = near.find(({ word, to }) => to?.text && isFunction(word));
  if (direct !== undefined) return direct.word;
  // An object without functions of its own has a table of them.
  for (const { word, to: data } of near) {
    if (data === undefined || data.text || word % 8n !== 0n) continue;
    const past = word + BigInt(TABLE);
    const function_ = wordsOf(word, past < data.end ? past : data.end)
      .find(({ word, to }) => to?.text && isFunction(word));
    if (function_ !== undefined) return function_.word;
  }
  return undefined;
}

/** Whether two of them can be one's: that of nobody's memory is not known. */
function sameOwner(
  a: ModuleView | undefined,
  b: ModuleView | undefined,
): boolean {
  return a === b || a === undefined || b === undefined;
}

/** The little-endian words of some bytes. */
function words(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from(
    { length: Math.floor(bytes.length / 8) },
    (_, i) => view.getBigUint64(8 * i, true),
  );
}
