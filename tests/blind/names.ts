/**
 * Names words of a guest's memory for the report: the symbol or member, and the
 * function of ours that reads it.
 *
 * @module
 */
import { Kernel } from "../../engine/kernel/core/kernel.ts";
import type { KernelObject } from "../../engine/kernel/core/object.ts";
import { LiveSymbols } from "../../engine/kernel/symbols/live_symbols.ts";
import { SymbolTable } from "../../engine/kernel/symbols/symbol_table.ts";
import { AddressSpace } from "../../engine/memory/address_space.ts";
import { type SearchedMemory, WORD } from "./searched_memory.ts";

/** How many places of a word are named. */
const MOST_NAMES = 4;
/** A symbol further before a word than this is not what holds it. */
const FARTHEST = 1n << 20n;

/** Memory that remembers at which GVA it is being read. */
class NamedSpace extends AddressSpace {
  last = 0n;

  override read(gva: bigint, into: Uint8Array): void {
    this.last = gva;
    super.read(gva, into);
  }
}

/** A kernel that remembers which objects were asked for. */
class NamedKernel extends Kernel {
  readonly objects: KernelObject[] = [];

  override object(struct: string, gva: bigint): KernelObject {
    const object = super.object(struct, gva);
    this.objects.push(object);
    return object;
  }
}

/**
 * The names of a word.
 *
 * @param run reads what the check reads, of the kernel that it is given
 */
export async function nameOf(
  memory: SearchedMemory,
  { arch, facts, space: { tables }, symbols, types }: Kernel,
  gpa: number,
  run: (kernel: Kernel) => Promise<void>,
): Promise<string> {
  if (!(symbols instanceof SymbolTable)) throw new TypeError("not a table");
  const space = new NamedSpace(tables.ofProcess(tables.root));
  const live = new LiveSymbols(
    symbols,
    (gva, into) => space.read(gva, into),
    types,
  );
  const kernel = new NamedKernel(arch, space, symbols, types, live, facts);
  const names = new Set<string>();
  memory.trap([gpa], () => {
    if (names.size >= MOST_NAMES) return;
    names.add(`${placeOf(kernel, space.last)} (${readers()})`);
  });
  try {
    live.refresh();
    await run(kernel);
  } finally {
    memory.trap();
  }
  return names.size === 0 ? `GPA 0x${gpa.toString(16)}` : [...names].join("; ");
}

function placeOf(kernel: NamedKernel, gva: bigint): string {
  for (const object of kernel.objects.slice(-400).reverse()) {
    const layout = kernel.types.tryStruct(object.struct);
    const at = Number(gva - object.gva);
    if (layout === undefined || at < 0 || at >= layout.size) continue;
    const member = [...layout.members.values()].findLast(({ offset, size }) =>
      offset <= at && offset + size > at
    );
    return `${object.struct}.${member?.name ?? `+${at}`}`;
  }
  const symbol = kernel.symbols.lookup(gva);
  if (symbol === undefined || symbol.offset > Number(FARTHEST)) {
    return `0x${gva.toString(16)}`;
  }
  const offset = symbol.offset - symbol.offset % WORD;
  return symbol.name + (offset === 0 ? "" : `+0x${offset.toString(16)}`);
}

/** The functions that are reading, the innermost first. */
function readers(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 30;
  const { stack } = new Error();
  Error.stackTraceLimit = limit;
  return readersIn(stack ?? "");
}

/** The functions in a stack trace that read a guest, the innermost first. */
export function readersIn(stack: string): string {
  const found: string[] = [];
  for (const line of stack.split("\n")) {
    if (!line.includes("/engine/")) continue;
    const paging = line.includes("tryTranslate");
    if (/\/engine\/(?:memory|kernel\/core\/object)/.test(line) && !paging) {
      continue;
    }
    const name = /at (?:async )?(?:new )?([\w.#<>]+) \(/.exec(line)?.[1];
    const file = /\/([\w.]+)\.ts:(\d+)/.exec(line);
    const text = `${name ?? "-"} ${file?.[1] ?? ""}:${file?.[2] ?? ""}`;
    if (found.at(-1) !== text) found.push(text);
    if (found.length === 3) break;
  }
  return found.join(" < ");
}
