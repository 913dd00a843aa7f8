/**
 * What a kernel report says of places and in sentences: nothing by which one
 * guest could be told from another that runs the same kernel.
 *
 * @module
 */
import type { Kernel } from "../kernel/core/kernel.ts";
import type { AskedNames } from "../kernel/core/asked.ts";
import type { Member } from "../kernel/btf/struct_layout.ts";
import { prototypeText } from "../kernel/functions/find_functions.ts";
import type { KernelReport } from "./kernel_report_type.ts";

/** The longest text of a guest's, but for a print_fmt. */
const MOST_TEXT = 1000;
/** The most places of one name. */
const MOST_PLACES = 16;
/** More enumerators than an enum of Ftrace's has. */
const MOST_VALUES = 1000;
/** Below this, a symbol's value is no address: per-CPU offsets, sizes. */
const LEAST_ADDRESS = 1n << 31n;
/** Numbers in sentences from this size on may be addresses. */
const LEAST_SECRET = 1n << 24n;

/** A text, bounded. */
export function cut(text: string, limit = MOST_TEXT): string {
  return text.length > limit ? `${text.slice(0, limit)}...` : text;
}

/** Writes places and sentences about one kernel. */
export class PublicText {
  readonly #text: bigint | undefined;
  readonly #end: bigint | undefined;
  readonly #symbols: Kernel["symbols"];
  /** Names of the guest and its memory, which sentences may have. */
  readonly #names: readonly string[];

  constructor({ symbols, memory }: Kernel, target: string) {
    this.#symbols = symbols;
    this.#text = symbols.tryAddress("_text") ?? symbols.tryAddress("_stext");
    this.#end = symbols.tryAddress("_end");
    this.#names = [memory.name, target].filter((name) => name !== "")
      .sort((a, b) => b.length - a.length);
  }

  /** GVA of `_text`. */
  get start(): bigint | undefined {
    return this.#text;
  }

  /** Where an address is, the same at each boot. */
  place(gva: bigint): string {
    const text = this.#text;
    if (gva < LEAST_ADDRESS) return `0x${gva.toString(16)}`;
    if (text !== undefined && gva >= text && gva <= (this.#end ?? text)) {
      return `_text+0x${(gva - text).toString(16)}`;
    }
    return this.#symbols.lookup(gva)?.module === undefined
      ? "outside of the image"
      : "in a module";
  }

  /** A sentence without addresses, and without the guest's name. */
  sentence(text: string): string {
    let said = text;
    for (const name of this.#names) said = said.replaceAll(name, "the guest");
    return cut(said.replace(/0x[0-9a-f]+/gi, (number) => {
      const value = BigInt(number.length > 18 ? -1 : number);
      if (value >= 0n && value < LEAST_SECRET) return number;
      const place = this.place(BigInt.asUintN(64, value));
      return place.startsWith("_text") ? place : "(an address)";
    }));
  }
}

/** The banner without who built the kernel, and on which machine. */
export function bannerText(banner: string): string {
  return cut(banner.replace(/\([^()\s]*@[^()\s]*\)/, "(...)"));
}

/** Numbers of vmcoreinfo that are about the build, and not about a boot. */
const BUILD_NUMBER = /^(?:PG_\w+|PAGE_\w+|NR_\w+|KERNEL_IMAGE_SIZE|VA_BITS)$/;

/**
 * The lines of vmcoreinfo without those that say where a boot has put the
 * kernel: of symbols, only the names are left.
 */
export function vmcoreinfoLines(text: string): string[] {
  const lines: string[] = [];
  for (const line of text.slice(0, 1 << 16).split("\n")) {
    const symbol = /^SYMBOL\((\w+)\)=/.exec(line)?.[1];
    if (symbol !== undefined) lines.push(`SYMBOL(${symbol})`);
    else if (/^(?:OFFSET|SIZE|LENGTH)\(|^CONFIG_|^PAGESIZE=/.test(line)) {
      lines.push(cut(line));
    } else {
      const number = /^NUMBER\((\w+)\)=/.exec(line)?.[1];
      if (number === undefined) continue;
      lines.push(BUILD_NUMBER.test(number) ? cut(line) : `NUMBER(${number})`);
    }
  }
  return lines;
}

const byName = <T extends { readonly name: string }>(all: T[]): T[] =>
  all.sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

function memberOf(name: string, member: Member | undefined) {
  return {
    name,
    offset: member?.offset ?? null,
    size: member?.size ?? null,
    type: member === undefined ? null : cut(member.typeName),
    ...(member?.bitOffset === undefined || member.bitSize === undefined ? {} : {
      bits: [member.bitOffset, member.bitSize] as [number, number],
    }),
  };
}

/** Names with their values, in the order of the kernel. */
export function valuesOf(
  values: ReadonlyMap<string, number> | undefined,
): { name: string; value: number }[] {
  return [...values ?? []].slice(0, MOST_VALUES)
    .map(([name, value]) => ({ name: cut(name), value }));
}

/** What was asked for, and what was found. */
export function askedFacts(
  kernel: Kernel,
  asked: AskedNames,
  text: PublicText,
): KernelReport["asked"] {
  return {
    symbols: byName(
      [...asked.symbols].map(([name, all]) => ({
        name: cut(name),
        at: all.slice(0, MOST_PLACES).map((gva) => text.place(gva)),
      })),
    ),
    structs: byName(
      [...asked.structs].map(([name, layout]) => ({
        name: cut(name),
        size: layout?.size ?? null,
      })),
    ),
    members: byName(
      [...asked.members].map(([name, member]) => memberOf(cut(name), member)),
    ),
    enums: byName(
      [...asked.enums].map(([name, values]) => ({
        name: cut(name),
        values: values === undefined ? null : valuesOf(values),
      })),
    ),
    enumerators: byName(
      [...asked.enumerators].map(([name, value]) => ({
        name: cut(name),
        value: value ?? null,
      })),
    ),
    variables: byName(
      [...asked.variables].map(([name, variable]) => ({
        name: cut(name),
        size: variable?.type.size ?? null,
      })),
    ),
    functions: byName(
      [...asked.functions].map(([name, found]) => ({
        name: cut(name),
        prototype: found === undefined
          ? null
          : cut(prototypeText(kernel, name) ?? ""),
      })),
    ),
  };
}
